"""Calls as the gateway makes them, for a plugin under examination."""

from __future__ import annotations

from typing import Any

HOOK_TYPES = ("Pre", "CustomKeyCheck", "PostKeyAuth", "Post", "Response")
UNKNOWN_HOOK = "no-such-hook-b4a1"


def call(hook_type: str, hook_name: str, body: str = "") -> dict[str, Any]:
    """Return the params of a Dispatch, every field present."""
    session = None
    if hook_type in ("PostKeyAuth", "Post", "Response"):
        session = {"metadata": {"token": "check"}, "org_id": "org", "rate": 10, "per": 1}
    response = None
    if hook_type == "Response":
        response = {
            "status_code": 200,
            "body": body or "{}",
            "raw_body": None,
            "headers": {"Content-Type": "application/json", "Set-Cookie": "a=1"},
            "multivalue_headers": [
                {"key": "Content-Type", "values": ["application/json"]},
                {"key": "Set-Cookie", "values": ["a=1", "b=2"]},
            ],
        }
    return {
        "hook_type": hook_type,
        "hook_name": hook_name,
        "request": _request(body),
        "session": session,
        "metadata": {} if session is None else {"token": "check"},
        "spec": {
            "OrgID": "org",
            "APIID": "api",
            "bundle_hash": "d41d8cd98f00b204e9800998ecf8427e",
        },
        "response": response,
        "context": {
            "request_id": "check",
            "traceparent": "",
            "client_ip": "192.0.2.1",
            "deadline_ms": 5000,
        },
    }


def _request(body: str) -> dict[str, Any]:
    headers = {"Host": "api.test", "User-Agent": "propylon plugin check"}
    return {
        "headers": headers,
        "headers_all": {name: [value] for name, value in headers.items()},
        "params": {"a": "1"},
        "params_all": {"a": ["1", "2"]},
        "url": "/check/path?a=1&a=2",
        "method": "POST" if body else "GET",
        "request_uri": "/check/path?a=1&a=2",
        "scheme": "http",
        "body": body,
        "raw_body": None,
        "set_headers": {},
        "delete_headers": [],
        "add_params": {},
        "extended_params": {},
        "delete_params": [],
        "return_overrides": {
            "response_code": -1,
            "response_error": "",
            "headers": {},
            "override_error": False,
            "response_body": "",
        },
    }
