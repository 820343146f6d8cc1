"""Query strings as scripts see them: text in which undecodable bytes survive."""

from __future__ import annotations

from functools import partial

from propylon.pipeline import query as raw
from propylon.plugins.javascript.text import from_bytes, to_bytes


def decode_query(query: str) -> dict[str, list[str]]:
    """Return all values by name."""
    result: dict[str, list[str]] = {}
    for name, value in raw.decoded_pairs(query, from_bytes):
        result.setdefault(name, []).append(value)
    return result


edit_query = partial(raw.edit_query, decode=from_bytes, encode=to_bytes)
