"""Query strings: decoded for scripts, edited in place so that nothing else in them changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus, unquote_to_bytes

from propylon.plugins.javascript.text import from_bytes, to_bytes

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def decode_query(query: str) -> dict[str, list[str]]:
    """Decode as Go does: a pair with a bad escape or a `;` is left out."""
    result: dict[str, list[str]] = {}
    for part in query.split("&"):
        pair = _decode_pair(part)
        if pair is not None:
            result.setdefault(pair[0], []).append(pair[1])
    return result


def _decode_pair(part: str) -> tuple[str, str] | None:
    if not part or ";" in part:
        return None
    name, _, value = part.partition("=")
    if "%" not in part and "+" not in part and part.isascii():
        return name, value
    if _BAD_ESCAPE.search(part):
        return None
    return _unquote(name), _unquote(value)


def _unquote(text: str) -> str:
    return from_bytes(unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")))


def edit_query(
    query: str,
    *,
    delete: Iterable[str],
    replace: Mapping[str, str],
    append: Mapping[str, list[str]],
) -> str:
    """Delete, then set, then append. Pairs that no edit names keep their place and spelling."""
    doomed = set(delete)
    placed: set[str] = set()
    kept: list[str] = []
    for part in query.split("&") if query else ():
        pair = _decode_pair(part)
        name = None if pair is None else pair[0]
        if name is None or (name not in doomed and name not in replace):
            kept.append(part)
        elif name in replace and name not in doomed and name not in placed:
            placed.add(name)
            edited = _pair(name, replace[name])
            kept.append(part if pair == _decode_pair(edited) else edited)
    kept += [_pair(name, value) for name, value in replace.items() if name not in placed]
    kept += [_pair(name, value) for name, values in append.items() for value in values]
    return "&".join(kept)


def _pair(name: str, value: str) -> str:
    return f"{quote_plus(to_bytes(name))}={quote_plus(to_bytes(value))}"
