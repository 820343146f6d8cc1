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

  MarkAnswer: ({ response }) => ({
    response: { headers: { ...response.headers, "X-Seen-By": "node" } },
  }),
};

const methods = {
  initialize: () => ({ name: "example", protocol_version: "1.0", hooks: Object.keys(hooks) }),
  Dispatch: async (call) => hooks[call.hook_name](call),
  ping: () => ({}),
  shutdown: () => ({}),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue; // a notification
  const known = method === "Dispatch" ? hooks[params.hook_name] : methods[method];
  const error = { code: -32601, message: "no such method or hook" };
  const reply = known ? { result: await methods[method](params) } : { error };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, ...reply }) + "\n");
}
