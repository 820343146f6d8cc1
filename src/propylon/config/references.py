"""Values that stand elsewhere: `secrets://name`, `env://NAME`, `file://path` instead of a secret.

The same three forms may stand in `tyk.conf` (for a few keys) and in API definitions (anywhere
inside a string). A reference that leads nowhere is a mistake, never an empty secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Names end where a string of the definition does, or at what cannot belong to one.
_REFERENCE = re.compile(r"\b(env|secrets|file)://([^\s\"']+)")
_UNSUPPORTED = re.compile(r"\b(consul|vault|kv)://|\$kv\{")
_NAME = re.compile(r"[A-Za-z0-9_.\-]+")

_MAX_SECRET_BYTES = 1024 * 1024


class UnresolvedError(Exception):
    """A reference leads nowhere; the message says which and why."""


@dataclass(frozen=True, slots=True)
class References:
    """Where references lead. `env_prefix` stands before upper-cased names of `env://`."""

    environ: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    file_base_path: str = ""
    env_prefix: str = ""

    def resolve(self, text: str) -> str:
        """Return what a whole value refers to, or the value itself when it is no reference."""
        if _UNSUPPORTED.match(text):
            raise UnresolvedError("secret stores are not supported by this release")
        match = _REFERENCE.fullmatch(text)
        if match is None:
            return text
        value = self._look_up(match[1], match[2])
        if value is None:
            raise UnresolvedError(f"{text} leads nowhere: {self._reason(match[1], match[2])}")
        return value

    def substitute(self, text: str) -> str:
        """Return `text` with every reference inside it replaced."""
        if "://" not in text and "$kv{" not in text:
            return text
        if _UNSUPPORTED.search(text):
            raise UnresolvedError("secret stores are not supported by this release")
        return _REFERENCE.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        # `https://env://HOST/path` has its name up to the slash, `secrets://a/b` to the end.
        kind, rest = match[1], match[2]
        whole = self._look_up(kind, rest)
        if whole is not None:
            return whole
        name = _NAME.match(rest)
        value = self._look_up(kind, name[0]) if name is not None else None
        if name is None or value is None:
            raise UnresolvedError(f"{match[0]} leads nowhere: {self._reason(kind, rest)}")
        return value + rest[name.end() :]

    def _look_up(self, kind: str, name: str) -> str | None:
        match kind:
            case "env":
                return self.environ.get(self._variable(name)) or None
            case "secrets":
                return self.secrets.get(name)
            case _:
                return self._read_file(name)

    def _variable(self, name: str) -> str:
        return self.env_prefix + name.upper() if self.env_prefix else name

    def _read_file(self, name: str) -> str | None:
        if not self.file_base_path:
            return None
        base = Path(self.file_base_path).resolve()
        path = (base / name.lstrip("/")).resolve()
        # A definition must not be able to read any file of the machine.
        if not path.is_relative_to(base) or not path.is_file():
            return None
        try:
            if path.stat().st_size > _MAX_SECRET_BYTES:
                return None
            return path.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError):
            return None

    def _reason(self, kind: str, name: str) -> str:
        match kind:
            case "env":
                return f"environment variable {self._variable(name)} is not set"
            case "secrets":
                return f"secrets of tyk.conf has no {name!r}"
            case _ if not self.file_base_path:
                return "kv.file.base_path of tyk.conf is not set"
            case _:
                return f"no readable file {name!r} under {self.file_base_path}"


def substitute_all(value: Any, references: References) -> Any:
    """Replace references in every string inside a JSON value; keys stay as they are."""
    match value:
        case str():
            return references.substitute(value)
        case list():
            return [substitute_all(item, references) for item in value]
        case dict():
            return {key: substitute_all(member, references) for key, member in value.items()}
        case _:
            return value
