"""A stdio plugin that does what the API definition says.

`config_data` of the API holds one behaviour per hook name. It answers in the order of the calls and
keeps, per API, the names of the hooks that were called.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

called: dict[str, list[str]] = {}


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def dispatch(call: dict[str, Any], id_: int) -> None:
    name, api_id = call["hook_name"], call["spec"]["APIID"]
    called.setdefault(api_id, []).append(name)
    behaviour = json.loads(call["spec"]["config_data"])[name]
    if "fault" in behaviour:
        fail(behaviour["fault"], id_)
    else:
        send(id=id_, result=result_of(behaviour, call, name))


def result_of(behaviour: dict[str, Any], call: dict[str, Any], name: str) -> Any:
    if "reply" in behaviour:
        return behaviour["reply"]
    if "edit" in behaviour:
        return merged(call, behaviour["edit"])
    if "trail" in behaviour:
        return trail(call, name)
    if "report" in behaviour:
        return answer(json.dumps(called.get(behaviour["report"], [])))
    if "mirror" in behaviour:
        return answer(json.dumps(call))
    return call


def answer(text: str) -> dict[str, Any]:
    return {"request": {"return_overrides": {"response_code": 200, "response_body": text}}}


def trail(call: dict[str, Any], name: str) -> dict[str, Any]:
    """Append the hook's name to a header, as a plugin of the old kind: the whole object back."""
    if call["hook_type"] == "Response":
        headers = call["response"]["headers"]
        headers["X-Trail"] = f"{headers.get('X-Trail', '')} {name}".strip()
        return call
    seen = call["request"]["headers"].get("X-Trail", "")
    call["request"]["set_headers"] = {"X-Trail": f"{seen} {name}".strip()}
    if call["hook_type"] == "CustomKeyCheck":
        call["session"] = {"metadata": {"token": "trail"}}
    return call


def merged(value: Any, edits: Any) -> Any:
    if isinstance(value, dict) and isinstance(edits, dict):
        return {**value, **{key: merged(value.get(key), each) for key, each in edits.items()}}
    return edits


def fail(how: str, id_: int) -> None:
    if how == "error":
        send(id=id_, error={"code": -32000, "message": "no"})
    elif how == "text":
        send(id=id_, result="nonsense")
    elif how == "types":
        send(id=id_, result={"request": {"set_headers": [1, 2]}})
    elif how == "garbage":
        for _ in range(20):
            sys.stdout.write("this is no JSON\n")
        sys.stdout.flush()
    elif how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    # "never": no answer


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method = message.get("method")
        if method == "Dispatch":
            dispatch(message["params"], message["id"])
        elif method == "initialize":
            send(id=message["id"], result={"name": "scripted", "protocol_version": "1.0"})
        elif "id" in message and method:
            send(id=message["id"], result={})


main()
