"""JSON files: where mistakes are, and which of several equal keys wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from propylon.config.json_text import describe, parse, parse_object, read_object
from propylon.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b" 2}', "x:2:6: not JSON: Expecting ':' delimiter"),
        ("", "x:1:1: not JSON: Expecting value"),
        ("[1]", "x: $: a list, expected an object"),
        ('{"a": NaN}', "x: not JSON: NaN is no number"),
        ("[" * 100_000, "x: not usable: nested too deeply"),
        ('{"a": %s}' % ("9" * 5000), "x: not usable: Exceeds the limit"),
    ],
)
def test_mistakes_name_their_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_object(text, source="x")
    assert str(error.value).startswith(message)


def test_the_last_of_equal_keys_wins_and_stands_last() -> None:
    value = parse('{"a": 1, "A": 2, "a": 3}', source="x")
    assert list(value.items()) == [("A", 2), ("a", 3)]


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert parse('{"a": ["\\ud800x", "\\ud83d\\ude00"]}', source="x") == {"a": ["\ufffdx", "😀"]}


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert read_object(file) == {}


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_object(tmp_path / "none.json")
    file = tmp_path / "latin.json"
    file.write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(ConfigError, match="not UTF-8 at byte 7"):
        read_object(file)


def test_descriptions_are_short() -> None:
    assert describe({"a": 1}) == "an object"
    assert describe("x") == '"x"'
    assert describe(True) == "true"
    assert len(describe("x" * 500)) == 80


def test_keys_that_stand_twice_are_told_with_their_path() -> None:
    text = '{"a": 1, "b": [{"c": 1, "c": {"d": 1, "d": 2}}], "a": 2, "a": 3}'
    repeated: list[str] = []
    assert parse(text, source="x", repeated=repeated) == {
        "b": [{"c": {"d": 2}}],
        "a": 3,
    }
    assert repeated == ["$.b[0].c", "$.b[0].c.d", "$.a"]
