"""Print the table of keys for `docs/reference/configuration.md`.

`python -m propylon.config.reference docs/reference/configuration.md` renews it in the file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from propylon.config.keys import ALL_KEYS, Feature, Key, Status
from propylon.config.model import Config

MARKER = "<!-- What follows is printed by propylon.config.reference. -->\n"


def render() -> str:
    """Return the table as Markdown, one row per key, in the order of the key table."""
    rows = [
        "| Key | Variable | Type | Default | Status |",
        "|---|---|---|---|---|",
        *(_row(key) for key in ALL_KEYS),
    ]
    return "\n".join(rows) + "\n"


def renew(file: Path) -> None:
    """Replace everything behind the marker of `file` by the table."""
    text = file.read_text(encoding="utf-8")
    head, marker, _ = text.partition(MARKER)
    assert marker, f"{file} has no marker"
    file.write_text(f"{head}{MARKER}\n{render()}", encoding="utf-8")


def _row(key: Key) -> str:
    status = key.status
    match status:
        case Feature():
            shown = f"missing: {status.name}" + (", refused" if status.is_refused else "")
        case Status.HONOURED:
            shown = "honoured"
        case Status.ACCEPTED:
            shown = "accepted, no effect"
    return f"| `{key.path}` | `{key.env}` | {key.kind.value} | {_default(key)} | {shown} |"


def _default(key: Key) -> str:
    value: Any = Config()
    for name in key.path.split("."):
        value = getattr(value, name, None)
    if value is None or isinstance(value, msgspec.Struct):
        return ""
    return f"`{msgspec.json.encode(value).decode()}`"


if __name__ == "__main__":
    renew(Path(sys.argv[1]))
