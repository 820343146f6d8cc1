"""Load the configuration: find the file, lay the environment over it, check it, freeze it.

Every mistake is collected and raised at once as `ConfigError` (or `ConfigErrors`), with the file or
variable, the JSON path, the value and what was expected. What is only worth knowing becomes a
notice: keys that this release does not act on, and keys that nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from propylon.config.checks import check, settle
from propylon.config.decode import (
    ABSENT,
    Notes,
    Reader,
    decode,
    read_any,
    read_bool,
    read_float,
    read_int,
    read_object,
    read_string,
)
from propylon.config.environment import omits_file, read_environment
from propylon.config.json_text import REPEATED
from propylon.config.json_text import read_object as read_file
from propylon.config.keys import BY_PATH, DEAD_KEYS, ROOT, Feature, Key, KeyGroup, Kind
from propylon.config.model import Config
from propylon.config.problems import Problems
from propylon.config.references import References, UnresolvedError

SEARCH_LIST = ("tyk.conf", "/etc/tyk/tyk.conf")

# Names under which a reference to a secret may stand (gateway-core 1.3).
_SECRET_KEYS = (
    "secret",
    "node_secret",
    "storage.password",
    "cache_storage.password",
    "analytics_storage.password",
    "security.private_certificate_encoding_secret",
)


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A usable configuration; `source` is the file it came from, empty without one."""

    config: Config
    source: str
    notices: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    "Where a value came from when not from the file, by its JSON path."


def load_config(
    conf_path: str | None, environ: Mapping[str, str], *, port: int | None = None
) -> LoadedConfig:
    """Load the configuration from `conf_path`, or from the first file of the search list.

    `port` stands for the flag `--port`, which overrides file and environment. Without any file the
    defaults and the environment count; no file is written. Raises `ConfigError`.
    """
    source = find_file(conf_path)
    problems = Problems(source or "defaults")
    repeated: list[str] = []
    reads_file = bool(source) and not omits_file(environ, problems)
    raw = read_file(Path(source), repeated=repeated) if reads_file else {}
    settings = _Settings(problems)
    settings.add_file(raw)
    overrides = read_environment(environ, problems)
    settings.add_overrides(overrides.values, overrides.variables)
    if port is not None:
        settings.add_overrides({"listen_port": port}, {"listen_port": "--port"})
    settings.resolve_references(environ)
    config = settings.freeze()
    problems.raise_if_any()
    notices = (
        *settings.notices(),
        *overrides.notices,
        *(f"{path}: {REPEATED}" for path in repeated),
    )
    return LoadedConfig(config, source, notices, problems.sources)


def find_file(conf_path: str | None) -> str:
    """Return the file to read: the given one, else the first readable of the search list."""
    if conf_path is not None:
        return conf_path
    for candidate in SEARCH_LIST:
        path = Path(candidate)
        try:
            if path.is_file():
                return candidate
        except OSError:
            continue
    return ""


@dataclass(slots=True)
class _Settings:
    """Values by key path, gathered from file and environment before they become a `Config`."""

    problems: Problems
    values: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def add_file(self, raw: dict[str, Any]) -> None:
        self._add_group(raw, ROOT, "")

    def add_overrides(self, values: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        """Lay values over those of the file; mistakes in them are reported under the variable."""
        for path, value in values.items():
            self.values[path] = value
            self.problems.sources[f"$.{path}"] = variables[path]

    def resolve_references(self, environ: Mapping[str, str]) -> None:
        secrets = self.values.get("secrets")
        base_path = self.values.get("kv.file.base_path")
        references = References(
            environ,
            secrets if isinstance(secrets, dict) else {},
            base_path if isinstance(base_path, str) else "",
            env_prefix="TYK_SECRET_",
        )
        for path in _SECRET_KEYS:
            value = self.values.get(path)
            if isinstance(value, str):
                try:
                    self.values[path] = references.resolve(value)
                except UnresolvedError as error:
                    self.problems.add(f"$.{path}", str(error))

    def freeze(self) -> Config:
        """Make the `Config`; every value is type-checked, also those that nothing here reads."""
        notes = Notes(self.problems)
        for path in [*self.values]:
            key = BY_PATH[path]
            value = _READERS[key.kind](self.values[path], f"$.{path}", notes)
            if value is ABSENT:
                del self.values[path]
        config = settle(decode(Config, self._as_object(), notes), frozenset(self.values))
        check(config, self.values, self.problems)
        self._refuse_unsafe()
        return config

    def notices(self) -> list[str]:
        """Name what was asked for and is not there, one line per feature, and unknown keys."""
        missing: dict[str, tuple[Feature, list[str]]] = {}
        for path in self.values:
            feature = self._missing_feature(BY_PATH[path])
            if feature is not None:
                missing.setdefault(feature.name, (feature, []))[1].append(path)
        lines = [
            f"{', '.join(sorted(paths))}: {feature.name} not supported by this release: "
            f"{feature.consequence}"
            for feature, paths in missing.values()
        ]
        return lines + [_unknown_key(path) for path in self.unknown]

    def _add_group(self, raw: dict[str, Any], group: KeyGroup, prefix: str) -> None:
        for spelling, value in raw.items():
            name = spelling if spelling in group.members else spelling.lower()
            path = prefix + name
            member = group.members.get(name)
            if value is None:
                continue
            if isinstance(member, Key):
                self.values[path] = value
            elif member is None:
                self._add_unknown(path)
            elif isinstance(value, dict):
                self._add_group(value, member, f"{path}.")
            else:
                Notes(self.problems).expected(f"$.{path}", value, "an object")

    def _add_unknown(self, path: str) -> None:
        # Comments in JSON are customarily written as keys.
        if path not in DEAD_KEYS and not path.rpartition(".")[2].startswith(("_", "//", "#")):
            self.unknown.append(path)

    def _as_object(self) -> dict[str, Any]:
        nested: dict[str, Any] = {}
        for path, value in self.values.items():
            *parents, name = path.split(".")
            group = nested
            for parent in parents:
                group = group.setdefault(parent, {})
            group[name] = value
        return nested

    def _missing_feature(self, key: Key) -> Feature | None:
        """Return what `key` asks for in vain, or None when it asks for nothing."""
        value = self.values[key.path]
        if not isinstance(key.status, Feature) or not value or value in key.neutral:
            return None
        if key.switch and not self.values.get(key.switch):
            return None
        return key.status

    def _refuse_unsafe(self) -> None:
        for path in self.values:
            feature = self._missing_feature(BY_PATH[path])
            if feature is not None and feature.is_refused:
                self.problems.add(
                    f"$.{path}",
                    f"{feature.name} is not supported by this release: {feature.consequence}",
                )


def _unknown_key(path: str) -> str:
    near = _nearest(path)
    hint = f"; did you mean {near}?" if near else ""
    return f"$.{path}: unknown key, ignored{hint}"


def _nearest(path: str) -> str:
    """Find the documented key that was probably meant: misspelt, or in the wrong object."""
    near = get_close_matches(path, BY_PATH, n=1, cutoff=0.8)
    if near:
        return near[0]
    name = path.rpartition(".")[2]
    elsewhere = [key for key in BY_PATH if key.rpartition(".")[2] == name]
    return elsewhere[0] if elsewhere else ""


def _read_list(value: Any, path: str, notes: Notes) -> Any:
    return value if isinstance(value, list) else notes.expected(path, value, "a list")


_READERS: dict[Kind, Reader] = {
    Kind.STRING: read_string,
    Kind.BOOL: read_bool,
    Kind.INT: read_int,
    Kind.FLOAT: read_float,
    Kind.LIST: _read_list,
    Kind.MAP: read_object,
    Kind.DURATION: read_int,
    Kind.JSON: read_any,
}
