"""Bytes of the wire as text for plugins, and back without loss (rich-plugins A.3).

Text that is UTF-8 is decoded as UTF-8, anything else as latin-1, so every value has a text. What
a plugin writes goes out as UTF-8, unless it is the text of a latin-1 value we sent.
"""

from __future__ import annotations

from propylon.errors import PluginError
from propylon.http.headers import canonical, is_field_value, is_token


def to_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def url_text(url: str) -> str:
    """Turn a target, in which each character is one byte, into text for a plugin."""
    return url if url.isascii() else to_text(url.encode("latin-1"))


def header_name(name: str, field: str, *, verbatim: bool) -> bytes:
    """Return `name` as it goes on the wire; `field` says in errors where the plugin wrote it."""
    raw = name.encode("utf-8", "replace")
    if not is_token(raw):
        raise PluginError(f"{field}: {name!r} is not a header name")
    return raw if verbatim else canonical(raw)


def header_value(value: str, field: str) -> bytes:
    try:
        raw = value.encode()
    except UnicodeEncodeError as error:
        raise PluginError(f"{field}: the value is not Unicode text ({error.reason})") from error
    if not is_field_value(raw):
        raise PluginError(f"{field}: a header value cannot hold CR, LF or NUL")
    return raw
