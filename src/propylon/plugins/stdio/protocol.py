"""JSON-RPC 2.0 messages of the stdio protocol, encoded and decoded (rich-plugins A.3 to A.5).

Replies are read by one strict, typed pass. Only when that fails is the message taken apart and
normalised: camelCase names, numbers written as strings or floats, nulls, members we do not know.
A reply that no pass can read still fails its call at once, when its id can be told.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Raw, Struct

from propylon.errors import PluginError, PropylonError
from propylon.plugins.rich.objects import PluginObject, PluginReply

PROTOCOL_VERSION = "1.0"

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

_NO_RAW = Raw(b"")
_CAMEL_HUMP = re.compile("(?<=[a-z0-9])[A-Z]")

# What JSON can be unreadable for; depth too, for the decoders recurse.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Text up to a surrogate escape without its partner, or to the end: Node writes one when it cuts an
# emoji in two. Possessive, and without a way to fail, so that each byte is passed over once.
_LONE_SURROGATE = re.compile(
    rb"((?:[^\\]++"
    rb"|\\(?:[^u]|\Z)"
    rb"|\\u(?![dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+)"
    rb"(?:(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\Z)"
)
# Each costs a call of Python; a message with more of them is no text.
_MAX_LONE_SURROGATES = 10_000

# Where writers put the id of a reply. Only the edges of a message are looked at: between them an
# `id` may belong to anything.
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
_ID = rb'"id"\s*:\s*"?(\d{1,16})"?\s*'
_FIRST_ID = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb",\s*)?" + _ID + b",")
_LAST_ID = re.compile(rb",\s*" + _ID + rb"(?:,\s*" + _VERSION + rb")?\}\s*\Z")
_ASKS = re.compile(
    rb"\s*\{\s*(?:" + _VERSION + rb',\s*)?(?:"id"\s*:\s*[^,]{0,64},\s*)?"method"\s*:'
)
_EDGE_BYTES = 200

# Integers below 2**53 have sixteen digits.
_MAX_ID_DIGITS = 16
_MAX_ERROR_CHARACTERS = 2000


class UnreadableReplyError(PropylonError):
    """A message too deep to read and without an id at its edges: some call waits for it in vain."""


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
            case str() if self.id.isdecimal() and len(self.id) <= _MAX_ID_DIGITS:
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
    """Decode a frame: one message, a batch of them, or None for what is no message.

    A reply that cannot be read comes back as an error reply to the same call. Raises
    `UnreadableReplyError` where even that is impossible.
    """
    if b"\\ud" in frame or b"\\uD" in frame:
        frame = _LONE_SURROGATE.sub(_mended, frame, count=_MAX_LONE_SURROGATES)
    try:
        return [_message_decoder.decode(frame)]
    except _UNREADABLE:
        pass
    if not frame[:_EDGE_BYTES].lstrip().startswith((b"{", b"[")):
        return None
    try:
        if frame.lstrip().startswith(b"["):
            return _batch_decoder.decode(frame)
        return _odd_message(msgspec.json.decode(frame))
    except _UNREADABLE as error:
        return _unreadable(frame, error)


def _mended(found: re.Match[bytes]) -> bytes:
    text: bytes = found[1]
    return text if found[2] is None else text + b"\\ufffd"


def _odd_message(loose: dict[str, Any]) -> list[Message] | None:
    """Make a message of one whose members have the wrong types, if it answers or asks anything."""
    method = loose.get("method")
    if isinstance(method, str):
        return [Message(loose.get("id"), method, params=_encoded(loose.get("params")))]
    message = Message(loose.get("id"))
    if message.call_id is None:
        return None
    message.error = _odd_error(loose.get("error"))
    return [message]


def _odd_error(error: Any) -> ErrorObject:
    if not isinstance(error, dict):
        return ErrorObject(0, "a reply of odd shape" if error is None else error)
    code = error.get("code")
    text = error.get("message", "")
    return ErrorObject(code, text) if isinstance(code, int) else ErrorObject(0, f"{code} {text}")


def _unreadable(frame: bytes, error: Exception) -> list[Message] | None:
    head = frame[:_EDGE_BYTES]
    if _ASKS.match(head):
        return None
    found = _FIRST_ID.match(head) or _LAST_ID.search(frame[-_EDGE_BYTES:])
    if found is not None:
        reason = ErrorObject(0, f"a reply that cannot be read: {error}")
        return [Message(int(found[1]), error=reason)]
    if isinstance(error, RecursionError):
        raise UnreadableReplyError(f"a reply without an id at its edges: {error}") from error
    return None


def _encoded(value: Any) -> Raw:
    return _NO_RAW if value is None else Raw(_encoder.encode(value))


def reply_in(result: bytes | Raw) -> PluginReply:
    """Decode the result of a Dispatch. Raises `PluginError` naming the field at fault."""
    try:
        return _reply_decoder.decode(result)
    except _UNREADABLE:
        return _lenient_reply(bytes(result))


def error_text(error: ErrorObject) -> str:
    """Say what a plugin answered, in a length that fits a log line."""
    try:
        text = str(error.message)
    except RecursionError:
        text = "a message too deep to be shown"
    return f"the plugin answered error {error.code}: {text[:_MAX_ERROR_CHARACTERS]}"


def _lenient_reply(result: bytes) -> PluginReply:
    try:
        loose = msgspec.json.decode(result)
        if not isinstance(loose, dict):
            raise PluginError("result: expected an object")
        return msgspec.convert(_normalised(loose, PluginReply), PluginReply, strict=False)
    except _UNREADABLE as error:
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


@cache
def _fields_of(kind: type[Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if hint is not Raw}


@cache
def _is_map(kind: Any) -> bool:
    return any(getattr(each, "__origin__", each) is dict for each in (kind, *get_args(kind)))


@cache
def _structs_in(kind: Any) -> tuple[type[Struct], ...]:
    """Return the Struct that a type is made of: itself, optional, in a list or as map value."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return (kind,)
    for each in get_args(kind):
        if found := _structs_in(each):
            return found
    return ()
