"""Read `TYK_GW_` variables: their names are those of Appendix A, their values Go's notations.

Pure: takes the environment as a mapping and returns JSON-like values by key path, ready to be laid
over the file. A value that cannot be read is a mistake that names the variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from propylon.config.durations import parse_nanoseconds
from propylon.config.json_text import parse
from propylon.config.keys import BY_ENV, ENV_PREFIX, Key, Kind
from propylon.config.problems import Problems
from propylon.errors import ConfigError

OMIT_FILE = "TYK_GW_OMITCONFIGFILE"

# Outside the prefix: the logger of Tyk reads these two itself, and they win.
_LOGGER_VARIABLES = {"TYK_LOGLEVEL": "log_level", "TYK_LOGFORMAT": "log_format"}

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_INT = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Overrides:
    """What the environment sets: values by key path, and the variable each came from."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        self.notices: list[str] = []

    def _set(self, path: str, value: Any, variable: str) -> None:
        self.values[path] = value
        self.variables[path] = variable


def read_environment(environ: Mapping[str, str], problems: Problems) -> Overrides:
    """Parse every variable that concerns the configuration; mistakes go to `problems`."""
    overrides = Overrides()
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or variable == OMIT_FILE:
            continue
        key = BY_ENV.get(variable)
        if key is None:
            overrides.notices.append(_unknown_variable(variable))
            continue
        value = _parse(key, environ[variable], problems)
        if value is not None:
            overrides._set(key.path, value, variable)
    for variable, path in _LOGGER_VARIABLES.items():
        if environ.get(variable):
            overrides._set(path, environ[variable].lower(), variable)
    return overrides


def omits_file(environ: Mapping[str, str], problems: Problems) -> bool:
    """Tell whether the file's content is thrown away, so that only the environment counts."""
    text = environ.get(OMIT_FILE, "")
    if not text:
        return False
    value = parse_bool(text)
    if value is None:
        problems.errors.append(_mistake(OMIT_FILE, repr(text), "true or false"))
    return bool(value)


def parse_bool(text: str) -> bool | None:
    """Read a boolean as Go's `ParseBool` does; None when it is none."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def parse_int(text: str) -> int | None:
    """Read an integer with Go's base prefixes; None when it is none or exceeds 64 bits."""
    if not _INT.fullmatch(text):
        return None
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    is_old_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    value = sign * (int(digits, 8) if is_old_octal else int(digits, 0))
    return value if -(2**63) <= value < 2**63 else None


def parse_float(text: str) -> float | None:
    return float(text) if _FLOAT.fullmatch(text) else None


def parse_list(text: str) -> list[str]:
    """Split at commas, without trimming; an empty text is an empty list."""
    return text.split(",") if text.strip() else []


def parse_map(text: str) -> dict[str, str] | None:
    """Read `key:value,key:value`; a value may hold colons, and a pair without one is a mistake."""
    if not text.strip():
        return {}
    pairs = [pair.split(":", 1) for pair in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        return None
    return {key: value for key, value in pairs}  # noqa: C416 - the pairs are lists


def _unknown_variable(variable: str) -> str:
    near = get_close_matches(variable, BY_ENV, n=1, cutoff=0.85)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{variable}: no such setting, ignored{hint}"


_PARSERS: dict[Kind, tuple[Callable[[str], Any], str]] = {
    Kind.STRING: (str, "a string"),
    Kind.BOOL: (parse_bool, "true or false"),
    Kind.INT: (parse_int, "a whole number"),
    Kind.FLOAT: (parse_float, "a number"),
    Kind.LIST: (parse_list, "values separated by commas"),
    Kind.MAP: (parse_map, "key:value pairs separated by commas"),
    Kind.DURATION: (parse_nanoseconds, "a duration such as 10s"),
}


def _parse(key: Key, text: str, problems: Problems) -> Any:
    if key.kind is Kind.JSON:
        return _parse_json(key, text, problems)
    parser, expectation = _PARSERS[key.kind]
    value = parser(text)
    if value is None:
        is_secret = key.path == "secrets"
        shown = "a value not shown here" if is_secret else repr(text)
        problems.errors.append(_mistake(key.env, shown, expectation))
    return value


def _parse_json(key: Key, text: str, problems: Problems) -> Any:
    try:
        return parse(text, source=key.env)
    except ConfigError as error:
        problems.errors.append(error)
        return None


def _mistake(variable: str, shown: str, expectation: str) -> ConfigError:
    return ConfigError(f"{shown}, expected {expectation}", source=variable)
