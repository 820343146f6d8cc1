"""Query strings as rich plugins see them.

Tyk re-encodes the whole query with sorted names after any edit; here the parameters that a plugin
did not name keep their bytes and their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from propylon.pipeline.query import decoded_pairs, edit_query
from propylon.plugins.rich.wiretext import to_text


def parameters(query: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the first value and all values of each parameter, decoded."""
    first: dict[str, str] = {}
    every: dict[str, list[str]] = {}
    for name, value in decoded_pairs(query, to_text):
        first.setdefault(name, value)
        every.setdefault(name, []).append(value)
    return first, every


def edited(query: str, delete: Iterable[str], replace: Mapping[str, str]) -> str:
    """Drop the parameters named in `delete`, then give those of `replace` one value each."""
    return edit_query(
        query, delete=delete, replace=replace, append={}, decode=to_text, encode=_to_bytes
    )


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
