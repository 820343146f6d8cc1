"""Go's duration notation (`1m30s`, `250ms`), which definitions and variables use."""

from __future__ import annotations

import re
from fractions import Fraction

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
}
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_MAX_NANOSECONDS = 2**63 - 1


def parse_nanoseconds(text: str) -> int | None:
    """Return the duration in nanoseconds, or None when `text` is none."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = Fraction(0)
    position = 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None:
            return None
        total += Fraction(term[1].rstrip(".")) * _NANOSECONDS[term[2]]
        position = term.end()
    if position == 0 or total > _MAX_NANOSECONDS:
        return None
    return sign * int(total)


def parse_seconds(text: str) -> float | None:
    """Return the duration in seconds, or None when `text` is none."""
    nanoseconds = parse_nanoseconds(text)
    return None if nanoseconds is None else nanoseconds / 1_000_000_000
