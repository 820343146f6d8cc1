"""Edits of many fields at once do what the single ones do, one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from propylon.http.headers import Headers

NAMES = st.sampled_from([b"A", b"a", b"B", b"b", b"Te", b"tE", b"C", b"D", b"d", b"E"])
ITEMS = st.lists(st.tuples(NAMES, st.binary(max_size=2)), max_size=12)
FIELDS = st.dictionaries(NAMES, st.binary(max_size=2))


@given(ITEMS, FIELDS)
def test_set_all_is_set_for_each(
    items: list[tuple[bytes, bytes]], fields: dict[bytes, bytes]
) -> None:
    one_by_one, at_once = Headers(items), Headers(items)
    for name, value in fields.items():
        one_by_one.set(name, value)
    at_once.set_all(fields)
    assert at_once == one_by_one


@given(ITEMS, FIELDS)
def test_set_spellings_is_set_spelling_for_each(
    items: list[tuple[bytes, bytes]], fields: dict[bytes, bytes]
) -> None:
    one_by_one, at_once = Headers(items), Headers(items)
    for name, value in fields.items():
        one_by_one.set_spelling(name, value)
    at_once.set_spellings(fields)
    assert at_once == one_by_one


@given(ITEMS, st.sets(NAMES))
def test_removing_many_is_removing_each(
    items: list[tuple[bytes, bytes]], names: set[bytes]
) -> None:
    one_by_one, at_once = Headers(items), Headers(items)
    for name in names:
        one_by_one.remove(name)
    at_once.remove_all(frozenset(names))
    assert at_once == one_by_one
    for name in names:
        one_by_one.remove_spelling(name)
    at_once.remove_spellings(names)
    assert at_once == one_by_one
