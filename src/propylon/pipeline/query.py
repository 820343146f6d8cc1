"""Read and edit a raw query string without touching the parameters nobody asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote_plus, unquote_plus, unquote_to_bytes

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def first_value(query: str, name: str) -> str | None:
    """Return the decoded first value of a parameter, or None."""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if _decode(key) == name:
            return _decode(value)
    return None


def without(query: str, name: str) -> str:
    """Return the query without a parameter; the others keep their bytes and their order."""
    return "&".join([p for p in query.split("&") if _decode(p.partition("=")[0]) != name])


def with_query(url: str, query: str) -> str:
    """Return the URL with its query replaced; an empty one goes together with its `?`."""
    path = url.partition("?")[0]
    return f"{path}?{query}" if query else path


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text, errors="surrogateescape")


def decoded_pairs(query: str, decode: Callable[[bytes], str]) -> list[tuple[str, str]]:
    """Return names and values as Go's `url.ParseQuery` reads them.

    `decode` turns bytes into the text that a plugin sees. A pair with a bad escape or a `;` does
    not count.
    """
    pairs = [_decode_pair(part, decode) for part in query.split("&")]
    return [pair for pair in pairs if pair is not None]


def edit_query(
    query: str,
    *,
    delete: Iterable[str],
    replace: Mapping[str, str],
    append: Mapping[str, list[str]],
    decode: Callable[[bytes], str],
    encode: Callable[[str], bytes],
) -> str:
    """Delete, then set, then append. Pairs that no edit names keep their place and spelling.

    A replaced name takes the place of its first occurrence, a new one comes last.
    """
    doomed = set(delete).difference(replace)
    placed: set[str] = set()
    kept: list[str] = []
    for part in query.split("&") if query else ():
        pair = _decode_pair(part, decode)
        name = None if pair is None else pair[0]
        if name is None or (name not in doomed and name not in replace):
            kept.append(part)
        elif name in replace and name not in placed:
            placed.add(name)
            edited = _encode_pair(name, replace[name], encode)
            kept.append(part if pair == _decode_pair(edited, decode) else edited)
    new = [(name, value) for name, value in replace.items() if name not in placed]
    new += [(name, value) for name, values in append.items() for value in values]
    return "&".join(kept + [_encode_pair(name, value, encode) for name, value in new])


def _decode_pair(part: str, decode: Callable[[bytes], str]) -> tuple[str, str] | None:
    if not part or ";" in part:
        return None
    name, _, value = part.partition("=")
    if part.isascii() and "%" not in part and "+" not in part:
        return name, value
    if _BAD_ESCAPE.search(part):
        return None
    return _unescape(name, decode), _unescape(value, decode)


def _unescape(text: str, decode: Callable[[bytes], str]) -> str:
    return decode(unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")))


def _encode_pair(name: str, value: str, encode: Callable[[str], bytes]) -> str:
    return f"{quote_plus(encode(name))}={quote_plus(encode(value))}"
