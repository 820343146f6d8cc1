"""Bytes as JavaScript text and back, without losing one (javascript-plugins 4.1).

Valid UTF-8 is decoded; each other byte 0xNN becomes the lone surrogate U+DCNN and is turned back
on the way out. A surrogate that a script made up itself leaves as U+FFFD, as Go would write it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re

_FOREIGN_SURROGATES = re.compile("[\ud800-\udc7f\udd00-\udfff]")

# Every character above ASCII leaves as \\uXXXX: the engine's binding takes nothing else.
to_json_text = json.encoder.encode_basestring_ascii


def from_bytes(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _FOREIGN_SURROGATES.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def convert_base64(mode: str, argument: str) -> str | None:
    """Serve `b64enc` and its kin: JSON text in, JSON text out, None for undecodable input."""
    text = to_bytes(json.loads(argument))
    if mode == "enc":
        return to_json_text(base64.b64encode(text).decode())
    if mode == "rawenc":
        return to_json_text(base64.b64encode(text).rstrip(b"=").decode())
    decoded = _decode_padded_or_not(text) if mode == "dec" else _decode_unpadded(text)
    return None if decoded is None else to_json_text(from_bytes(decoded))


def _decode_padded_or_not(text: bytes) -> bytes | None:
    # Go skips line ends; URL-safe letters are accepted on top of what Tyk takes.
    compact = text.translate(bytes.maketrans(b"-_", b"+/"), b"\r\n")
    if compact.endswith(b"="):
        return _strict(compact)
    return _decode_unpadded(compact)


def _decode_unpadded(text: bytes) -> bytes | None:
    compact = text.translate(bytes.maketrans(b"-_", b"+/"), b"\r\n")
    if b"=" in compact:
        return None
    return _strict(compact + b"=" * (-len(compact) % 4))


def _strict(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
