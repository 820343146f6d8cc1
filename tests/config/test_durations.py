"""Go durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.config.durations import parse_nanoseconds, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("-2s", -2),
        ("0", 0),
        ("+1s", 1),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        (".5s", 0.5),
        ("1.s", 1),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "1x", "1 s", "1s ", "--1s", "1d", ".s", "9e9h", "99999999999h", "-", "1s1"],
)
def test_no_durations(text: str) -> None:
    assert parse_seconds(text) is None


@given(st.integers(0, 10**5), st.integers(0, 59), st.integers(0, 10**9 - 1))
def test_terms_add_up(hours: int, minutes: int, nanoseconds: int) -> None:
    total = (hours * 3600 + minutes * 60) * 10**9 + nanoseconds
    assert parse_nanoseconds(f"{hours}h{minutes}m{nanoseconds}ns") == total
