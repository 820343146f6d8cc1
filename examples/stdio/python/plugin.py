#!/usr/bin/env python3
"""A stdio plugin in Python: adds a header, checks a token, marks the answer."""

import json
import sys


def add_header(call):
    return {"request": {"set_headers": {"X-Hello": "from python"}}}


def check_token(call):
    token = call["request"]["headers"].get("Authorization", "")
    if token != "let-me-in":
        overrides = {"response_code": 401, "response_error": "who are you?"}
        return {"request": {"return_overrides": overrides}}
    return {"request": {}, "session": {"metadata": {"token": token}, "rate": 100, "per": 1}}


def mark_answer(call):
    headers = {**call["response"]["headers"], "X-Seen-By": "python"}
    return {"response": {"headers": headers}}


HOOKS = {"AddHeader": add_header, "CheckToken": check_token, "MarkAnswer": mark_answer}

for line in sys.stdin:
    message = json.loads(line)
    method, reply = message.get("method"), {"jsonrpc": "2.0", "id": message.get("id")}
    if method == "Dispatch" and message["params"]["hook_name"] in HOOKS:
        reply["result"] = HOOKS[message["params"]["hook_name"]](message["params"])
    elif method == "initialize":
        reply["result"] = {"name": "example", "protocol_version": "1.0", "hooks": list(HOOKS)}
    elif method in ("ping", "shutdown"):
        reply["result"] = {}
    else:
        reply["error"] = {"code": -32601, "message": "no such method or hook"}
    if "id" in message:
        print(json.dumps(reply), flush=True)
