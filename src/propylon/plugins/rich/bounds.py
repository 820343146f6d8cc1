"""How much one reply may change: the limits on what a plugin writes into the head of a message.

Edits are applied on the loop that serves every API, so their number and size must be bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized

from propylon.errors import PluginError

# Tenfold what real messages carry; past it a plugin is in a loop of its own.
MAX_HEADER_EDITS = 1000
MAX_PARAMETER_EDITS = 1000
# More than any upstream takes in a head.
MAX_HEAD_BYTES = 256 * 1024

# What a field line has beside name and value: `: ` and CR LF.
_LINE_EXTRA_BYTES = 4


def require_few_headers(count: int, field: str) -> None:
    if count > MAX_HEADER_EDITS:
        raise PluginError(
            f"{field}: {count} header edits, a reply may name {MAX_HEADER_EDITS} at most"
        )


def require_few_parameters(count: int, field: str) -> None:
    if count > MAX_PARAMETER_EDITS:
        raise PluginError(
            f"{field}: {count} parameter edits, a reply may name {MAX_PARAMETER_EDITS} at most"
        )


def require_small_block(lines: Iterable[tuple[bytes, bytes]], field: str) -> None:
    """Refuse field lines that are larger together than a head may be."""
    size = 0
    for name, value in lines:
        size += len(name) + len(value) + _LINE_EXTRA_BYTES
    if size > MAX_HEAD_BYTES:
        raise PluginError(
            f"{field}: a header block of {size} bytes, a reply may hold {MAX_HEAD_BYTES} at most"
        )


def require_short(text: Sized, field: str) -> None:
    if len(text) > MAX_HEAD_BYTES:
        raise PluginError(f"{field}: {len(text)} characters, {MAX_HEAD_BYTES} at most")
