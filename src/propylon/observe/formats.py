"""The shapes of a log line: logrus text, its legacy variant, and JSON (gateway-core 10.3)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

LineFormat = Callable[[str, str, Mapping[str, Any]], bytes]
"""Render (level, message, fields) as one line, newline included."""

# logrus leaves values of these characters bare and quotes every other.
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/@^+")

_JSON_CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


class Clock:
    """Wall time as text, formatted once per second.

    `time.strftime` with the zone costs 3 us; an access log asks for it per request.
    """

    __slots__ = ("_offset", "_pattern", "_second", "_text")

    def __init__(self, pattern: str, *, with_offset: bool) -> None:
        self._pattern = pattern
        self._second = -1
        self._text = ""
        self._offset = "" if not with_offset else "Z"

    def second(self, now: float) -> str:
        """Return the local time at `now`, to the second."""
        whole = int(now)
        if whole != self._second:
            self._second = whole
            local = time.localtime(whole)
            self._text = time.strftime(self._pattern, local)
            if self._offset:
                self._offset = _rfc3339_offset(local.tm_gmtoff)
        return self._text + self._offset

    def millisecond(self, now: float) -> str:
        """Return the local time at `now`, to the millisecond."""
        self.second(now)
        return f"{self._text}.{int(now * 1000) % 1000:03d}{self._offset}"


def rfc3339_clock() -> Clock:
    return Clock("%Y-%m-%dT%H:%M:%S", with_offset=True)


def _rfc3339_offset(seconds_east: int) -> str:
    if seconds_east == 0:
        return "Z"
    sign = "+" if seconds_east > 0 else "-"
    minutes = abs(seconds_east) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def text_format(*, legacy: bool = False) -> LineFormat:
    """Return the logrus text format: `time="..." level=info message="..." key=value`, sorted."""
    message_key = "msg" if legacy else "message"
    clock = Clock("%b %d %H:%M:%S", with_offset=False) if legacy else rfc3339_clock()

    def render(level: str, message: str, fields: Mapping[str, Any]) -> bytes:
        parts = [f'time="{clock.second(time.time())}" level={level} {message_key}={quote(message)}']
        parts += [f"{key}={quote(as_text(fields[key]))}" for key in sorted(fields)]
        return (" ".join(parts) + "\n").encode("utf-8", "backslashreplace")

    return render


def json_format() -> LineFormat:
    """Return the JSON format: one object per line with `time`, `level`, `message` and fields."""
    clock = rfc3339_clock()
    encoder = msgspec.json.Encoder(enc_hook=str)

    def render(level: str, message: str, fields: Mapping[str, Any]) -> bytes:
        entry: dict[str, Any] = {
            "time": clock.millisecond(time.time()),
            "level": level,
            "message": message,
        }
        for key, value in fields.items():
            entry[key] = value.decode("latin-1") if isinstance(value, bytes) else value
        try:
            return escape_controls(encoder.encode(entry)) + b"\n"
        except (TypeError, ValueError, RecursionError):
            # A lone surrogate, a cycle, a key that is no string: worth a line all the same.
            plain = {key: _printable(as_text(value)) for key, value in entry.items()}
            return escape_controls(encoder.encode(plain)) + b"\n"

    return render


def escape_controls(line: bytes) -> bytes:
    """Escape what JSON allows raw and a terminal or a line reader acts on: DEL, C1, U+2028/9."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _JSON_CONTROLS.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), line)


def as_text(value: object) -> str:
    """Spell one value for the text format."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode("latin-1")
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case int() | float():
            return str(value)
        case list() | tuple() | dict():
            return _json_or_repr(value)
        case _:
            return str(value)


def _json_or_repr(value: object) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def quote(text: str) -> str:
    """Quote as Go's `%q` does where logrus would; no character can start a new line or colour."""
    if _BARE.issuperset(text):
        return text
    if text.isprintable():
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"' + "".join([_escape(char) for char in text]) + '"'


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join([_escape(char) for char in text])


def _escape(char: str) -> str:
    short = _SHORT_ESCAPES.get(char)
    if short is not None:
        return short
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def format_named(log_format: str) -> LineFormat:
    """Return the format that `log_format` names; everything unknown is text, as in Tyk."""
    match log_format:
        case "json":
            return json_format()
        case "legacy":
            return text_format(legacy=True)
        case _:
            return text_format()
