"""JSON text spelled as Go's `encoding/json` spells it, where plugins compare or hash it."""

from __future__ import annotations

from typing import Any

import msgspec

from propylon.errors import PluginError

_encoder = msgspec.json.Encoder(order="sorted")
_ESCAPES = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)
# Beyond this Go switches to an exponent, as JavaScript does.
_LARGEST_PLAIN = 1e21


def go_json(value: Any) -> str:
    """Encode `value` compactly: keys sorted, `<`, `>` and `&` escaped, whole floats plain.

    Raises `PluginError` for a value too deep to be written.
    """
    try:
        return _encoder.encode(_plain_numbers(value)).decode().translate(_ESCAPES)
    except RecursionError as error:
        raise PluginError("a value is nested too deep to be written as JSON") from error


def _plain_numbers(value: Any) -> Any:
    match value:
        case float() if value.is_integer() and abs(value) < _LARGEST_PLAIN:
            return int(value)
        case dict():
            return {str(key): _plain_numbers(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain_numbers(each) for each in value]
    return value
