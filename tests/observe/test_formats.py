"""Log line formats (gateway-core 10.3)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.observe.formats import Clock, format_named, quote

RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:\d\d)"


def line(log_format: str, message: str = "API Loaded", **fields: Any) -> str:
    rendered = format_named(log_format)("info", message, fields)
    assert rendered.endswith(b"\n")
    return rendered[:-1].decode()


def test_text_looks_like_logrus_with_sorted_keys() -> None:
    text = line("text", prefix="main", api_id="a-1", api_name="My API")
    pattern = (
        rf'time="{RFC3339}" level=info message="API Loaded"'
        r' api_id=a-1 api_name="My API" prefix=main'
    )
    assert re.fullmatch(pattern, text)


def test_legacy_has_the_short_time_and_key_msg() -> None:
    text = line("legacy", "hello")
    assert re.fullmatch(r'time="[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d" level=info msg=hello', text)


def test_unknown_format_is_text() -> None:
    assert line("fancy").startswith('time="')


def test_json_has_the_three_keys_and_the_fields() -> None:
    entry = json.loads(line("json", code=200, raw=b"\xff", nested={"a": [1]}))
    assert re.fullmatch(RFC3339, entry.pop("time"))
    assert entry == {
        "level": "info",
        "message": "API Loaded",
        "code": 200,
        "raw": "\xff",
        "nested": {"a": [1]},
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, '"<nil>"'),
        (1.5, "1.5"),
        (b"\x9b31m", '"\\x9b31m"'),
        ("two\nlines", '"two\\nlines"'),
        ('say "hi" \\', '"say \\"hi\\" \\\\"'),
        ("\u2028", '"\\u2028"'),
        ("\x1b[31m", '"\\x1b[31m"'),
        ({"a": 1}, '"{\\"a\\":1}"'),
        ("a/b.c-d_e@f^g+h", "a/b.c-d_e@f^g+h"),
        ("", ""),
        ("grün", '"grün"'),
    ],
)
def test_text_values(value: Any, text: str) -> None:
    assert line("text", "m", key=value).split(" key=")[1] == text


@given(st.text(), st.sampled_from(["text", "json", "legacy"]))
def test_no_value_can_start_a_new_line_or_send_a_control_character(
    value: str, log_format: str
) -> None:
    text = line(log_format, value, key=value)
    assert len(text.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f]", text)


@given(st.text(st.characters(codec="utf-8")))
def test_quoted_text_reads_back(value: str) -> None:
    quoted = quote(value)
    if value.isprintable() and quoted.startswith('"'):
        assert json.loads(quoted) == value


def test_json_survives_what_json_cannot_say() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    for value in ("\ud800", cycle, {1: 2, "x": object()}):
        assert json.loads(line("json", "m", key=value))["message"] == "m"


def test_clock_follows_the_second() -> None:
    clock = Clock("%S", with_offset=False)
    assert clock.second(1_000_000_000.9) == clock.second(1_000_000_000.1)
    assert clock.second(1_000_000_001.0) != clock.second(1_000_000_000.0)
    assert clock.millisecond(1_000_000_000.25).endswith(".250")
