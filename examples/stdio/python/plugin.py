#!/usr/bin/env python3
"""A stdio plugin in Python: adds a header, checks a token, marks the answer."""

import json
import sys


def add_header(call):
    return {"request": {"set_headers": {"X-Hello": "from python"}}}


def check_token(call):
    token = call["request"]["headers"].get("Authorization", "")
    if token != "let-me-in":
        refusal = {"response_code": 401, "response_error": "who are you?"}
        return {"request": {"return_overrides": refusal}}
    return {"request": {}, "session": {"metadata": {"token": token}, "rate": 100, "per": 1}}


def mark_answer(call):
    return {"response": {"headers": {**call["response"]["headers"], "X-Seen-By": "python"}}}


HOOKS = {"AddHeader": add_header, "CheckToken": check_token, "MarkAnswer": mark_answer}
METHODS = {
    "initialize": lambda _: {"name": "example", "protocol_version": "1.0", "hooks": list(HOOKS)},
    "Dispatch": lambda call: HOOKS[call["hook_name"]](call),
    "ping": dict,
}

for message in map(json.loads, sys.stdin):
    reply, params = {"jsonrpc": "2.0", "id": message.get("id")}, message.get("params", {})
    try:
        reply["result"] = METHODS[message["method"]](params)
    except Exception as error:
        code = -32601 if isinstance(error, KeyError) else -32603
        reply["error"] = {"code": code, "message": repr(error)}
    if "id" in message:
        print(json.dumps(reply), flush=True)
