"""Query strings as Go's `url.ParseQuery` reads them, edited without touching what stays.

Tyk re-encodes the whole query with sorted names after any edit; here the parameters that a plugin
did not name keep their bytes and their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus, unquote_to_bytes

from propylon.plugins.rich.wiretext import to_text

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def parameters(query: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the first value and all values of each parameter, decoded."""
    first: dict[str, str] = {}
    every: dict[str, list[str]] = {}
    for piece in query.split("&"):
        pair = _decoded(piece)
        if pair is None:
            continue
        name, value = pair
        if name in first:
            every[name].append(value)
        else:
            first[name] = value
            every[name] = [value]
    return first, every


def edited(query: str, delete: Iterable[str], replace: Mapping[str, str]) -> str:
    """Drop the parameters named in `delete`, then give those of `replace` one value each.

    A replaced parameter takes the place of its first occurrence; new ones come last. A name in
    both ends up set.
    """
    gone = set(delete)
    waiting = dict(replace)
    pieces = []
    for piece in query.split("&"):
        pair = _decoded(piece)
        name = None if pair is None else pair[0]
        if name in waiting:
            pieces.append(_encoded(name, waiting.pop(name)))
        elif piece and name not in gone and name not in replace:
            pieces.append(piece)
    pieces.extend(_encoded(name, value) for name, value in waiting.items())
    return "&".join(pieces)


def _decoded(piece: str) -> tuple[str, str] | None:
    """Return name and value, or None for what Go does not count as a parameter."""
    if not piece or ";" in piece:
        return None
    name, _, value = piece.partition("=")
    if piece.isascii() and "%" not in piece and "+" not in piece:
        return name, value
    if _BAD_ESCAPE.search(piece):
        return None
    return _unescaped(name), _unescaped(value)


def _unescaped(text: str) -> str:
    return to_text(unquote_to_bytes(text.replace("+", " ").encode("latin-1")))


def _encoded(name: str, value: str) -> str:
    return f"{quote_plus(name, errors='replace')}={quote_plus(value, errors='replace')}"
