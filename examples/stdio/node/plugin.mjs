#!/usr/bin/env node
// A stdio plugin in Node: adds a header, checks a token, marks the answer.
import { createInterface } from "node:readline";

const hooks = {
  AddHeader: () => ({ request: { set_headers: { "X-Hello": "from node" } } }),

  CheckToken: ({ request }) => {
    const token = request.headers.Authorization;
    if (token !== "let-me-in") {
      const return_overrides = { response_code: 401, response_error: "who are you?" };
      return { request: { return_overrides } };
    }
    return { request: {}, session: { metadata: { token }, rate: 100, per: 1 } };
  },

  MarkAnswer: ({ response: { headers } }) =>
    ({ response: { headers: { ...headers, "X-Seen-By": "node" } } }),
};

const methods = {
  initialize: () => ({ name: "example", protocol_version: "1.0", hooks: Object.keys(hooks) }),
  ping: () => ({}),
  shutdown: () => ({}),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue; // a notification
  const reply = { jsonrpc: "2.0", id };
  try {
    const call = method === "Dispatch" ? hooks[params.hook_name] : methods[method];
    if (!call) throw Object.assign(new Error("no such method or hook"), { code: -32601 });
    reply.result = await call(params);
  } catch ({ code = -32603, message }) {
    reply.error = { code, message };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
