"""Turn parsed JSON into our frozen structs by the rules of Go's decoder, but naming every mistake.

Key case is irrelevant, `null` is absent, the last of several spellings wins. A value of the wrong
type is recorded with its path and leaves the default, so that the rest is still checked.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec

from propylon.config.durations import parse_seconds
from propylon.config.json_text import describe
from propylon.config.problems import Problems

S = TypeVar("S", bound=msgspec.Struct)

_INT64 = range(-(2**63), 2**63)


class _Absent:
    """The value is unusable or not there: the default stays."""


ABSENT = _Absent()


class Notes:
    """Where a decode reports to: `problems`, and the members that no struct knows.

    `unknown` holds (path of the object, key, keys that the object knows).
    """

    __slots__ = ("problems", "unknown")

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.unknown: list[tuple[str, str, tuple[str, ...]]] = []

    def expected(self, path: str, value: Any, expectation: str) -> _Absent:
        self.problems.add(path, f"{describe(value)}, expected {expectation}")
        return ABSENT


Reader = Callable[[Any, str, Notes], Any]


def decode(type_: type[S], value: dict[str, Any], notes: Notes, *, path: str = "$") -> S:
    """Build `type_` from a JSON object; what is wrong with it lands in `notes`."""
    result = _reader(type_)(value, path, notes)
    assert isinstance(result, type_)
    return result


def member_path(path: str, key: str) -> str:
    """Extend a JSON path: `$.proxy`, or `$.versions["v 1"]` where a dot would mislead."""
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{describe(key)}]"


def read_string(value: Any, path: str, notes: Notes) -> Any:
    return value if isinstance(value, str) else notes.expected(path, value, "a string")


def read_bool(value: Any, path: str, notes: Notes) -> Any:
    return value if isinstance(value, bool) else notes.expected(path, value, "true or false")


def read_int(value: Any, path: str, notes: Notes) -> Any:
    if type(value) is int and value in _INT64:
        return value
    return notes.expected(path, value, "a whole number")


def read_float(value: Any, path: str, notes: Notes) -> Any:
    if type(value) is int or type(value) is float:
        return float(value)
    return notes.expected(path, value, "a number")


def read_object(value: Any, path: str, notes: Notes) -> Any:
    return value if isinstance(value, dict) else notes.expected(path, value, "an object")


def read_any(value: Any, path: str, notes: Notes) -> Any:
    return value


def read_duration(value: Any, path: str, notes: Notes) -> Any:
    if value == "":
        return 0.0
    seconds = parse_seconds(value) if isinstance(value, str) else None
    if seconds is None or seconds < 0:
        return notes.expected(path, value, 'a duration such as "1m30s"')
    return seconds


_SCALARS: dict[Any, Reader] = {
    str: read_string,
    bool: read_bool,
    int: read_int,
    float: read_float,
    Any: read_any,
}
_ZEROES: dict[Any, Any] = {str: "", bool: False, int: 0, float: 0.0, Any: None}


@cache
def _reader(annotation: Any) -> Reader:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return read_duration
    if origin is tuple:
        return _list_reader(typing.get_args(annotation)[0])
    if origin is dict:
        return _map_reader(typing.get_args(annotation)[1])
    assert isinstance(annotation, type)
    assert issubclass(annotation, msgspec.Struct)
    return _struct_reader(annotation)


def _zero(annotation: Any) -> Any:
    """What Go leaves for a `null` inside a list or a map."""
    if annotation in _ZEROES:
        return _ZEROES[annotation]
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return 0.0
    return origin() if origin is not None else annotation()


def _list_reader(item_type: Any) -> Reader:
    read_item = _reader(item_type)
    zero = _zero(item_type)

    def read(value: Any, path: str, notes: Notes) -> Any:
        if not isinstance(value, list):
            return notes.expected(path, value, "a list")
        items = []
        for index, raw in enumerate(value):
            item = zero if raw is None else read_item(raw, f"{path}[{index}]", notes)
            if item is not ABSENT:
                items.append(item)
        return tuple(items)

    return read


def _map_reader(member_type: Any) -> Reader:
    read_member = _reader(member_type)
    zero = _zero(member_type)

    def read(value: Any, path: str, notes: Notes) -> Any:
        if not isinstance(value, dict):
            return notes.expected(path, value, "an object")
        members = {}
        for key, raw in value.items():
            member = zero if raw is None else read_member(raw, member_path(path, key), notes)
            if member is not ABSENT:
                members[key] = member
        return members

    return read


def _struct_reader(type_: type[msgspec.Struct]) -> Reader:
    annotations = typing.get_type_hints(type_, include_extras=True)
    fields = {
        field.encode_name.lower(): (field.name, _reader(annotations[field.name]))
        for field in msgspec.structs.fields(type_)
    }

    def read(value: Any, path: str, notes: Notes) -> Any:
        if not isinstance(value, dict):
            return notes.expected(path, value, "an object")
        values: dict[str, Any] = {}
        for key, raw in value.items():
            field = fields.get(key) or fields.get(key.lower())
            if field is None:
                notes.unknown.append((path, key, tuple(fields)))
            elif raw is not None:
                read_field = field[1](raw, member_path(path, key), notes)
                if read_field is not ABSENT:
                    values[field[0]] = read_field
        return type_(**values)

    return read
