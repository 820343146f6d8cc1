"""Read and edit a raw query string without touching the parameters nobody asked about."""

from __future__ import annotations

from urllib.parse import unquote_plus


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
