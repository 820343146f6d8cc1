"""Go's decoding rules, with every mistake named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.apis.definition import ApiDefinition, Seconds
from propylon.config.decode import Notes, decode
from propylon.config.problems import Problems


class Inner(msgspec.Struct, frozen=True):
    path: str = "/"
    on: bool = False


class Outer(msgspec.Struct, frozen=True):
    name: str = "none"
    count: int = 1
    share: float = 0.5
    wait: Seconds = 0.0
    any: Any = None
    inner: Inner = msgspec.field(default_factory=Inner)
    items: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()
    by_name: dict[str, Inner] = {}


def read(value: dict[str, Any]) -> tuple[Outer, list[str], list[tuple[str, str]]]:
    notes = Notes(Problems("f"))
    result = decode(Outer, value, notes)
    unknown = [(path, key) for path, key, _ in notes.unknown]
    return result, [str(error) for error in notes.problems.errors], unknown


def test_row_004_key_case_is_irrelevant_and_unknown_keys_are_no_mistake() -> None:
    result, errors, unknown = read({"NAME": "x", "Inner": {"ON": True}, "nmae": 1})
    assert result == Outer(name="x", inner=Inner(on=True))
    assert errors == []
    assert unknown == [("$", "nmae")]


def test_null_is_absent_and_zero_inside_collections() -> None:
    result, errors, _ = read(
        {"name": None, "inner": None, "words": [None], "items": [None], "by_name": {"a": None}}
    )
    assert result == Outer(words=("",), items=(Inner(),), by_name={"a": Inner()})
    assert errors == []


def test_the_later_spelling_wins() -> None:
    assert read({"name": "a", "Name": "b"})[0].name == "b"


def test_map_keys_keep_their_case() -> None:
    assert list(read({"by_name": {"Ab": {}}})[0].by_name) == ["Ab"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"name": 5}, "f: $.name: 5, expected a string"),
        ({"count": 1.0}, "f: $.count: 1.0, expected a whole number"),
        ({"count": True}, "f: $.count: true, expected a whole number"),
        ({"count": 2**63}, f"f: $.count: {2**63}, expected a whole number"),
        ({"share": "1"}, 'f: $.share: "1", expected a number'),
        ({"inner": []}, "f: $.inner: a list, expected an object"),
        ({"inner": {"on": 1}}, "f: $.inner.on: 1, expected true or false"),
        ({"items": [{}, {"path": 1}]}, "f: $.items[1].path: 1, expected a string"),
        ({"words": "a"}, 'f: $.words: "a", expected a list'),
        ({"by_name": {"a b": 1}}, 'f: $.by_name["a b"]: 1, expected an object'),
        ({"wait": "soon"}, 'f: $.wait: "soon", expected a duration such as "1m30s"'),
        ({"wait": "-1s"}, 'f: $.wait: "-1s", expected a duration such as "1m30s"'),
    ],
)
def test_mistakes_name_path_value_and_expectation(value: dict[str, Any], error: str) -> None:
    assert read(value)[1] == [error]


def test_all_mistakes_are_found_and_the_rest_is_kept() -> None:
    result, errors, _ = read({"name": 1, "count": "x", "share": 2, "wait": "1m30s"})
    assert len(errors) == 2
    assert result == Outer(share=2.0, wait=90.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(["name", "PROXY", "version_data", "auth_configs", "cors", "x", "tags"])


@given(st.dictionaries(KEYS | st.text(), JSON, max_size=6))
def test_any_json_decodes_or_is_refused_by_name(value: dict[str, Any]) -> None:
    notes = Notes(Problems("f"))
    assert isinstance(decode(ApiDefinition, value, notes), ApiDefinition)
    assert all(error.path.startswith("$") for error in notes.problems.errors)
