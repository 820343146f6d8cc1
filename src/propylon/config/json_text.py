"""Read JSON files the way operators need it: mistakes by line and column, keys in file order.

The last of several equal keys wins, and it also takes the last place, which decides between two
spellings of one key (`monitor`, `Monitor`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from propylon.errors import ConfigError

# What to say about a key that stands twice in one object.
REPEATED = "listed twice, the last counts"


def read_object(path: Path, *, repeated: list[str] | None = None) -> dict[str, Any]:
    """Read a file that must hold one JSON object; raise `ConfigError` when it does not."""
    return parse_object(read_text(path), source=str(path), repeated=repeated)


def read_text(path: Path) -> str:
    try:
        # Editors on Windows put a byte order mark in front; it means nothing in UTF-8.
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}", source=str(path)) from error


def parse_object(text: str, *, source: str, repeated: list[str] | None = None) -> dict[str, Any]:
    value = parse(text, source=source, repeated=repeated)
    if not isinstance(value, dict):
        raise ConfigError(f"{describe(value)}, expected an object", source=source, path="$")
    return value


def parse(text: str, *, source: str, repeated: list[str] | None = None) -> Any:
    """Parse one JSON text; every failure names line and column.

    The paths of keys that stand twice in one object are added to `repeated`.
    """
    has_repeated = False

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_repeated
        value = _object(pairs)
        has_repeated = has_repeated or len(value) < len(pairs)
        return value

    try:
        value = json.loads(text, object_pairs_hook=make_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"{source}:{error.lineno}:{error.colno}"
        raise ConfigError(f"not JSON: {error.msg}", source=where) from error
    except _ConstantError as error:
        raise ConfigError(f"not JSON: {error.name} is no number", source=source) from error
    except RecursionError as error:
        raise ConfigError("not usable: nested too deeply", source=source) from error
    except ValueError as error:  # an integer of thousands of digits
        raise ConfigError(f"not usable: {error}", source=source) from error
    if has_repeated and repeated is not None:
        # A second pass, because only the whole text tells where an object is.
        repeated += _find_repeated(json.loads(text, object_pairs_hook=_Pairs), "$")
    return _without_lone_surrogates(value) if "\\ud" in text.lower() else value


def describe(value: Any) -> str:
    """Name a JSON value in an error message: short, and never a whole object."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= 80 else f"{text[:77]}..."


class _ConstantError(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


class _Pairs(list[tuple[str, Any]]):
    """An object with all its members, equal keys too."""


def _find_repeated(value: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, member in value:
            where = f"{path}.{key}"
            if key in seen and where not in found:
                found.append(where)
            seen.add(key)
            found += _find_repeated(member, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _find_repeated(item, f"{path}[{index}]")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, member in pairs:
        value.pop(key, None)
        value[key] = member
    return value


def _without_lone_surrogates(value: Any) -> Any:
    # Half of a surrogate pair cannot be encoded; U+FFFD takes its place, as in Go.
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_lone_surrogates(item) for item in value]
        case dict():
            return {
                _without_lone_surrogates(key): _without_lone_surrogates(member)
                for key, member in value.items()
            }
        case _:
            return value
