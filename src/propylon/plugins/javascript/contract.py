"""What a hook is given and what it gives back: JSON on one side, checked values on the other.

Types are strict and key case is free, as in Tyk (javascript-plugins 5.2 to 5.6); the leniencies
that the spec asks for on top are marked where they are.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from propylon.errors import PluginError
from propylon.http.message import Request, Response
from propylon.pipeline.session import Session
from propylon.plugins.javascript.query import decode_query
from propylon.plugins.javascript.text import from_bytes, to_json_text

# No message needs more edits of one kind, and each is work on the event loop.
MAX_EDITS = 1000


class ReturnedOverrides(msgspec.Struct):
    code: int = 0
    text: str = ""
    headers: list[tuple[str, str]] = []
    is_raw: bool = False


class Returned(msgspec.Struct):
    """A hook's answer. None stands for an absent member."""

    body: str | None = None
    ignore_body: bool = False
    url: str | None = None
    set_headers: dict[str, str] = {}
    delete_headers: list[str] = []
    add_params: dict[str, str] = {}
    extended_params: dict[str, list[str]] = {}
    delete_params: list[str] = []
    overrides: ReturnedOverrides | None = None
    status_code: int = 0
    meta: dict[str, Any] | None = None
    session: dict[str, Any] | None = None
    auth_value: str = ""


def _encode(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # undecodable bytes, standing as lone surrogates
        return json.dumps(value)


def header_map(items: list[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for name, value in items:
        key = from_bytes(name)
        values = result.get(key)
        if values is None:
            result[key] = [from_bytes(value)]
        else:
            values.append(from_bytes(value))
    return result


def url_text(url: str) -> str:
    """Show a URL, in which every character is a byte, as the text these bytes spell."""
    return url if url.isascii() else from_bytes(url.encode("latin-1"))


def _request_text(request: Request, body: bytes) -> str:
    headers = header_map(request.headers.items)
    headers["Host"] = [request.host]
    url = url_text(request.url)
    head = _encode(
        {
            "Headers": headers,
            "URL": url,
            "Params": decode_query(request.query) if "?" in url else {},
            "Method": request.method,
            "RequestURI": url_text(request.request_uri),
            "Scheme": request.scheme,
        }
    )
    return f'{head[:-1]},"Body":{to_json_text(from_bytes(body)) if body else _EMPTY}}}'


_EMPTY = '""'


def request_call(request: Request, body: bytes, session_text: str) -> str:
    """Build the argument of a request hook; empty `session_text` means the empty session."""
    text = _request_text(request, body)
    return f'{{"request":{text}{session_text}}}'


def response_call(response: Response, body: bytes, request: Request, session_text: str) -> str:
    head = _encode({"Headers": header_map(response.headers.items), "StatusCode": response.status})
    return (
        f'{{"response":{head[:-1]},"Body":{to_json_text(from_bytes(body))}}},'
        f'"request":{_request_text(request, b"")}{session_text}}}'
    )


def session_member(session: Session | None) -> str:
    """The session as a further member of the call; `null` where a hook asked and none is there."""
    if session is None:
        return ',"session":null'
    fields = msgspec.to_builtins(session)
    del fields["key_id"]
    fields["meta_data"] = fields["meta_data"] or None
    return f',"session":{_encode(fields)}'


# --- what comes back ---------------------------------------------------------------------------


class _UsualRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What the kernel sends for a hook that edited the request it was given, and nothing odd."""

    SetHeaders: dict[str, str]
    DeleteHeaders: list[str]
    AddParams: dict[str, str]
    ExtendedParams: dict[str, list[str]]
    DeleteParams: list[str]
    Body: str | None = None
    URL: str | None = None
    IgnoreBody: bool = False


class _UsualAnswer(msgspec.Struct, forbid_unknown_fields=True):
    Request: _UsualRequest
    SessionMeta: dict[str, Any] | None = None


_decode_usual = msgspec.json.Decoder(_UsualAnswer).decode


def decode_returned(text: str, *, part: str = "Request") -> Returned:
    """Check the JSON text of a hook's answer; raises `PluginError` naming the wrong member."""
    try:
        return _decode(text, part)
    except RecursionError:
        raise PluginError("what the hook returned is nested too deeply") from None


def _decode(text: str, part: str) -> Returned:
    try:
        answer = _decode_usual(text)  # three times as fast as the reading below
    except msgspec.DecodeError:
        return _decode_any(text, part)
    request = answer.Request
    return Returned(
        body=request.Body,
        ignore_body=request.IgnoreBody,
        url=request.URL,
        set_headers=request.SetHeaders,
        delete_headers=request.DeleteHeaders,
        add_params=request.AddParams,
        extended_params=request.ExtendedParams,
        delete_params=request.DeleteParams,
        meta=answer.SessionMeta,
    )


def _decode_any(text: str, part: str) -> Returned:
    """Read an answer of any shape: free key case, null members, numbers as text."""
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:  # lone surrogates, which msgspec refuses
        document = json.loads(text)
    if type(document) is not dict:
        raise PluginError(f"the hook returned {_kind(document)}, not an object with {part}")
    result = Returned()
    inner: object = None
    for key, value in document.items():
        match key if key in _TOP else _TOP_BY_CASE.get(key.lower(), ""):
            case "Request" | "Response" as name if name == part:
                inner = value
            case "SessionMeta":
                result.meta = _object(value, key)
            case "Session":
                result.session = _object(value, key)
            case "AuthValue":
                result.auth_value = _text(value, key)
    if type(inner) is not dict:
        raise PluginError(f"{part} of the returned object is {_kind(inner)}, not an object")
    for key, value in inner.items():
        reader = _MEMBERS.get(key) or _MEMBERS_BY_CASE.get(key.lower())
        if reader is not None and value is not None:
            reader(result, value)
    return result


_TOP = frozenset({"Request", "Response", "SessionMeta", "Session", "AuthValue"})
_TOP_BY_CASE = {name.lower(): name for name in _TOP}


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "missing" if value is None else names.get(type(value), "a number")


def _wrong(member: str, wanted: str, value: object) -> PluginError:
    return PluginError(f"{member} must be {wanted}, got {_kind(value)}")


def _text(value: object, member: str) -> str:
    if value is None:
        return ""
    if type(value) is not str:
        raise _wrong(member, "a string", value)
    return value


def _flag(value: object, member: str) -> bool:
    if type(value) is not bool:
        raise _wrong(member, "a boolean", value)
    return value


def _number(value: object, member: str) -> int:
    """Numeric strings are taken as well: Tyk answers 500 to them."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and re.fullmatch(r"\s*\d{1,9}\s*", value):
        return int(value)
    raise _wrong(member, "a whole number", value)


def _object(value: object, member: str) -> dict[str, Any] | None:
    if value is not None and type(value) is not dict:
        raise _wrong(member, "an object", value)
    return value


def _check_count(value: list[Any] | dict[str, Any], member: str) -> None:
    if len(value) > MAX_EDITS:
        raise PluginError(f"{member} has {len(value)} entries, more than {MAX_EDITS}")


def _strings(value: object, member: str) -> list[str]:
    if type(value) is not list:
        raise _wrong(member, "an array of strings", value)
    _check_count(value, member)
    return [_text(each, member) for each in value]


def _string_map(value: object, member: str) -> dict[str, str]:
    if type(value) is not dict:
        raise _wrong(member, "an object of strings", value)
    _check_count(value, member)
    return {name: _text(each, f"{member}[{name!r}]") for name, each in value.items()}


def _overrides(value: object) -> ReturnedOverrides:
    members = _object(value, "ReturnOverrides") or {}
    result = ReturnedOverrides()
    error = ""
    for key, each in members.items():
        if each is None:
            continue
        match key.lower():
            case "responsecode":
                result.code = _number(each, "ReturnOverrides.ResponseCode")
            case "responseerror":
                error = _text(each, "ReturnOverrides.ResponseError")
            case "responsebody":
                result.text = _text(each, "ReturnOverrides.ResponseBody")
            case "responseheaders" | "headers":  # the documented, wrong spelling works too
                result.headers = result.headers + _header_lines(each)
            case "overrideerror":
                result.is_raw = _flag(each, "ReturnOverrides.OverrideError")
    if error:
        result.text = error
    return result


def _header_lines(value: object) -> list[tuple[str, str]]:
    """Arrays give several lines: Tyk has no way to set two cookies."""
    if type(value) is not dict:
        raise _wrong("ReturnOverrides.ResponseHeaders", "an object", value)
    _check_count(value, "ReturnOverrides.ResponseHeaders")
    lines = []
    for name, each in value.items():
        member = f"ReturnOverrides.ResponseHeaders[{name!r}]"
        values = each if type(each) is list else [each]
        _check_count(values, member)
        lines += [(name, _text(value, member)) for value in values]
    return lines


def _read_body(result: Returned, value: object) -> None:
    result.body = _text(value, "Body")


def _read_ignore(result: Returned, value: object) -> None:
    result.ignore_body = _flag(value, "IgnoreBody")


def _read_url(result: Returned, value: object) -> None:
    result.url = _text(value, "URL")


def _read_set_headers(result: Returned, value: object) -> None:
    if value:
        result.set_headers = _string_map(value, "SetHeaders")
    elif type(value) is not dict:
        raise _wrong("SetHeaders", "an object of strings", value)


def _read_delete_headers(result: Returned, value: object) -> None:
    result.delete_headers = _strings(value, "DeleteHeaders")


def _read_add_params(result: Returned, value: object) -> None:
    result.add_params = _string_map(value, "AddParams")


def _read_extended_params(result: Returned, value: object) -> None:
    if type(value) is not dict:
        raise _wrong("ExtendedParams", "an object of arrays", value)
    _check_count(value, "ExtendedParams")
    result.extended_params = {
        name: _strings(each, f"ExtendedParams[{name!r}]")
        for name, each in value.items()
        if each is not None
    }


def _read_delete_params(result: Returned, value: object) -> None:
    result.delete_params = _strings(value, "DeleteParams")


def _read_overrides(result: Returned, value: object) -> None:
    result.overrides = _overrides(value)


def _read_status(result: Returned, value: object) -> None:
    result.status_code = _number(value, "StatusCode")


def _check_text(member: str) -> Any:
    return lambda _, value: _text(value, member)


_MEMBERS: dict[str, Any] = {
    "Body": _read_body,
    "IgnoreBody": _read_ignore,
    "URL": _read_url,
    "SetHeaders": _read_set_headers,
    "DeleteHeaders": _read_delete_headers,
    "AddParams": _read_add_params,
    "ExtendedParams": _read_extended_params,
    "DeleteParams": _read_delete_params,
    "ReturnOverrides": _read_overrides,
    "StatusCode": _read_status,
    # no effect, yet of the wrong type they fail the call as in Tyk
    "Method": _check_text("Method"),
    "RequestURI": _check_text("RequestURI"),
    "Scheme": _check_text("Scheme"),
}
_MEMBERS_BY_CASE = {name.lower(): reader for name, reader in _MEMBERS.items()}
