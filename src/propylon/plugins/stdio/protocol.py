"""JSON-RPC 2.0 messages of the stdio protocol, encoded and decoded (rich-plugins A.3 to A.5).

Replies are read by one strict, typed pass. Only when that fails is the message taken apart and
normalised: camelCase names, numbers written as strings or floats, nulls, members we do not know.
"""

from __future__ import annotations

import re
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Raw, Struct

from propylon.errors import PluginError
from propylon.plugins.rich.objects import PluginObject, PluginReply

PROTOCOL_VERSION = "1.0"

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

_NO_RAW = Raw(b"")
_CAMEL_HUMP = re.compile("(?<=[a-z0-9])[A-Z]")


class ErrorObject(Struct, gc=False):
    code: int | float = 0
    message: Any = ""


class Message(Struct, gc=False):
    """Any message from the plugin: a reply, a request of its own, or a notification."""

    id: Any = None
    method: str | None = None
    result: Raw = _NO_RAW
    error: ErrorObject | None = None
    params: Raw = _NO_RAW

    @property
    def has_result(self) -> bool:
        return self.result is not _NO_RAW

    @property
    def call_id(self) -> int | None:
        """Return the id of the call that this answers, also where it came back as text."""
        match self.id:
            case int():
                return self.id
            case float() if self.id.is_integer():
                return int(self.id)
            case str() if self.id.isdecimal():
                return int(self.id)
        return None


class _DispatchCall(Struct, gc=False):
    id: int
    params: PluginObject
    jsonrpc: str = "2.0"
    method: str = "Dispatch"


_encoder = msgspec.json.Encoder()
_message_decoder = msgspec.json.Decoder(Message)
_batch_decoder = msgspec.json.Decoder(list[Message])
_reply_decoder = msgspec.json.Decoder(PluginReply)


def dispatch_frame(call_id: int, sent: PluginObject) -> bytes:
    """Encode one call of a hook. Raises `PluginError` for text that is not Unicode."""
    try:
        return _encoder.encode(_DispatchCall(call_id, sent))
    except (UnicodeEncodeError, TypeError) as error:
        raise PluginError(f"the request cannot be written as JSON: {error}") from error


def request_frame(call_id: int, method: str, params: Any) -> bytes:
    return _encoder.encode({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params})


def notification_frame(method: str, params: Any) -> bytes:
    return _encoder.encode({"jsonrpc": "2.0", "method": method, "params": params})


def result_frame(call_id: Any, result: Any) -> bytes:
    return _encoder.encode({"jsonrpc": "2.0", "id": call_id, "result": result})


def error_frame(call_id: Any, code: int, message: str) -> bytes:
    return _encoder.encode(
        {"jsonrpc": "2.0", "id": call_id, "error": {"code": code, "message": message}}
    )


def messages_in(frame: bytes) -> list[Message] | None:
    """Decode a frame: one message, a batch of them, or None for what is no message."""
    try:
        return [_message_decoder.decode(frame)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    if not frame.lstrip().startswith(b"["):
        return None
    try:
        return _batch_decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def reply_in(result: bytes | Raw) -> PluginReply:
    """Decode the result of a Dispatch. Raises `PluginError` naming the field at fault."""
    try:
        return _reply_decoder.decode(result)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient_reply(bytes(result))


def error_text(error: ErrorObject) -> str:
    return f"the plugin answered error {error.code}: {error.message}"


def _lenient_reply(result: bytes) -> PluginReply:
    try:
        loose = msgspec.json.decode(result)
        if not isinstance(loose, dict):
            raise PluginError("result: expected an object")
        return msgspec.convert(_normalised(loose, PluginReply), PluginReply, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PluginError(f"the plugin's reply is not usable: result: {error}") from error


def _normalised(value: Any, kind: Any) -> Any:
    """Spell members as the contract does and drop nulls and what a reply cannot change.

    `kind` is a Struct, or anything else to return the value as it is; keys of maps (header
    names!) are never touched.
    """
    if isinstance(value, list):
        (inner,) = _structs_in(kind) or (None,)
        return [_normalised(each, inner) for each in value] if inner else value
    if not isinstance(value, dict):
        return value
    inner = next(iter(_structs_in(kind)), None)
    if inner is None:
        return value
    if _is_map(kind):
        return {name: _normalised(each, inner) for name, each in value.items()}
    hints = _fields_of(inner)
    result = {}
    for name, each in value.items():
        hint = hints.get(name) or hints.get(name := _snake(name))
        if hint is not None and each is not None:
            result[name] = _normalised(each, hint)
    return result


def _snake(name: str) -> str:
    return _CAMEL_HUMP.sub(lambda hump: "_" + hump[0].lower(), name)


def _fields_of(kind: type[Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if hint is not Raw}


def _is_map(kind: Any) -> bool:
    return any(getattr(each, "__origin__", each) is dict for each in (kind, *get_args(kind)))


def _structs_in(kind: Any) -> tuple[type[Struct], ...]:
    """Return the Struct that a type is made of: itself, optional, in a list or as map value."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return (kind,)
    for each in get_args(kind):
        if found := _structs_in(each):
            return found
    return ()
