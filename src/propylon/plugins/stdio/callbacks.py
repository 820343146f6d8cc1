"""What a plugin may ask of the gateway while it serves (rich-plugins A.4)."""

from __future__ import annotations

from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from propylon.errors import PluginError
from propylon.observe.logs import get_logger
from propylon.plugins.stdio.protocol import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Message,
    error_frame,
    result_frame,
)
from propylon.plugins.stdio.stderr import MAX_LINE_BYTES, LineLog
from propylon.plugins.stdio.store import PluginStore

log = get_logger("coprocess")

_STORE_FULL = -32000
_LOG_METHODS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "fatal": "error",
}


class _StoreParams(Struct):
    key: str
    value: str
    ttl: float = 0


class _KeyParams(Struct):
    key: str


class _EventParams(Struct):
    name: str
    payload: Any = None


class _LogParams(Struct):
    message: str
    level: str = "info"
    fields: dict[str, Any] | None = None


class Callbacks:
    """Answers the plugin's requests. The store outlives a restart of the plugin."""

    __slots__ = ("_lines", "_store")

    def __init__(self, store: PluginStore, lines: LineLog) -> None:
        self._store = store
        self._lines = lines

    def answer(self, message: Message) -> bytes | None:
        """Serve a request or notification; return the frame to send, None for a notification."""
        try:
            result = self._serve(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _refused(message, INVALID_PARAMS, f"{message.method}: {error}")
        except PluginError as error:
            return _refused(message, _STORE_FULL, str(error))
        if result is None:
            return _refused(message, METHOD_NOT_FOUND, f"the gateway has no {message.method}")
        return None if message.id is None else result_frame(message.id, result)

    def _serve(self, message: Message) -> dict[str, Any] | None:
        """Return the result, None for a method that does not exist."""
        params = message.params or b"{}"
        match message.method:
            case "GetData":
                key = msgspec.json.decode(params, type=_KeyParams).key
                return {"value": self._store.get(key, monotonic())}
            case "StoreData":
                entry = msgspec.json.decode(params, type=_StoreParams)
                self._store.put(entry.key, entry.value, entry.ttl, monotonic())
            case "DeleteData":
                self._store.delete(msgspec.json.decode(params, type=_KeyParams).key)
            case "TriggerEvent":
                event = msgspec.json.decode(params, type=_EventParams)
                self._lines.write("info", "plugin event", {"name": event.name[:MAX_LINE_BYTES]})
            case "Log":
                line = msgspec.json.decode(params, type=_LogParams)
                level = _LOG_METHODS.get(line.level.lower(), "info")
                # Fields are not cut, for half a value misleads: large ones are left out.
                fields = line.fields if len(params) <= MAX_LINE_BYTES else None
                self._lines.write(level, line.message[:MAX_LINE_BYTES], fields)
            case _:
                return None
        return {}


def _refused(message: Message, code: int, reason: str) -> bytes | None:
    if message.id is not None:
        return error_frame(message.id, code, reason)
    if not (message.method or "").startswith("$/"):
        log.warning("plugin notification refused", method=message.method, reason=reason)
    return None
