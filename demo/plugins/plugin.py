"""A stdio plugin: checks a token, tells the upstream who calls, masks mail addresses in answers.

It needs nothing but the standard library: one JSON object per line in, one per line out.
"""

import json
import re
import sys

CALLERS = {"let-me-in": "alice", "me-too": "bob"}
EMAIL = re.compile(r"[\w.]+@([\w.]+)")


def check_token(call):
    token = call["request"]["headers"].get("Authorization", "")
    caller = CALLERS.get(token)
    if caller is None:
        refusal = {"response_code": 403, "response_error": "plugin.py does not know this token"}
        return {"request": {"return_overrides": refusal}}
    # `token` identifies the caller to the gateway; the rest is for later hooks.
    return {"request": {}, "session": {"metadata": {"token": token, "caller": caller}}}


def add_caller(call):
    return {"request": {"set_headers": {"X-Caller": call["metadata"]["caller"]}}}


def mask_email(call):
    return {"response": {"body": EMAIL.sub(r"***@\1", call["response"]["body"])}}


HOOKS = {"CheckToken": check_token, "AddCaller": add_caller, "MaskEmail": mask_email}


def answer(message):
    if message["method"] == "initialize":
        return {"name": "demo", "protocol_version": "1.0", "hooks": list(HOOKS)}
    if message["method"] == "Dispatch":
        return HOOKS[message["params"]["hook_name"]](message["params"])
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message)}
        print(json.dumps(reply), flush=True)
