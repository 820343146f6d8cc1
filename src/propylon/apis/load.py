"""Read the definition files of `app_path`: every file becomes a definition or a named failure.

One broken file never stops the others. A failure says file, JSON path, value and what was expected;
several mistakes in one file are reported together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.apis.listen_paths import in_order, normalise, rename_collisions
from propylon.apis.support import check_support
from propylon.config.decode import Notes, decode, member_path
from propylon.config.json_text import describe, read_object
from propylon.config.model import Config
from propylon.config.problems import ConfigErrors, Problems
from propylon.config.references import References, UnresolvedError, substitute_all
from propylon.errors import ConfigError

_COMPANION = re.compile(r"(.+)-(?:oas|mcp)\.json")
_TARGET_SCHEMES = ("http", "https", "ws", "wss")


@dataclass(frozen=True, slots=True)
class DefinitionFailure:
    """A file that is not served, and why. `api_id` and `name` as far as they could be read."""

    source: str
    api_id: str
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class LoadedDefinitions:
    """All files of one folder; `definitions` in the order in which routes are tried."""

    definitions: tuple[ApiDefinition, ...]
    failures: tuple[DefinitionFailure, ...]
    notices: tuple[str, ...]


def load_definitions(config: Config, environ: Mapping[str, str]) -> LoadedDefinitions:
    """Load `<app_path>/*.json`. Raises `ConfigError` only when the folder cannot be read."""
    reading = _Reading(config, References(environ, config.secrets, config.kv.file.base_path))
    for file in _find_files(config, reading.notices):
        reading.read(file)
    with_domains = config.enable_custom_domains
    definitions, renamed = rename_collisions(reading.definitions, with_domains=with_domains)
    return LoadedDefinitions(
        in_order(definitions, with_domains=with_domains),
        tuple(reading.failures),
        (*reading.notices, *reading.grouped_notices(), *renamed),
    )


def _find_files(config: Config, notices: list[str]) -> list[Path]:
    folder = Path(config.app_path)
    if not folder.is_dir():
        if config.app_path != Config().app_path:
            raise ConfigError(
                f"{describe(config.app_path)}, expected a folder of API definitions",
                path="$.app_path",
            )
        notices.append(f"app_path: folder {config.app_path} does not exist, no API is loaded")
        return []
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".json")
    except OSError as error:
        raise ConfigError(
            f"{describe(config.app_path)} cannot be read: {error.strerror}", path="$.app_path"
        ) from error


@dataclass(slots=True)
class _Reading:
    """What has been read of a folder so far."""

    config: Config
    references: References
    definitions: list[ApiDefinition] = field(default_factory=list)
    failures: list[DefinitionFailure] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _sources: dict[str, str] = field(default_factory=dict)
    "File by api_id."
    _concerned: dict[str, list[str]] = field(default_factory=dict)
    "Files by the text of a notice that may concern many."

    def read(self, file: Path) -> None:
        raw: dict[str, Any] = {}
        try:
            raw = read_object(file)
            if _is_openapi(raw):
                self._read_openapi(file)
            else:
                self.definitions.append(self._read_classic(file, raw))
        except ConfigError as error:
            self.failures.append(_failure(file, raw, error))

    def grouped_notices(self) -> list[str]:
        return [f"{text}: {', '.join(files)}" for text, files in self._concerned.items()]

    def _read_openapi(self, file: Path) -> None:
        companion = _COMPANION.fullmatch(file.name)
        if companion is not None and file.with_name(f"{companion[1]}.json").is_file():
            return
        raise ConfigError(
            "an OpenAPI document without a classic definition beside it is not supported by this "
            "release",
            source=str(file),
        )

    def _read_classic(self, file: Path, raw: dict[str, Any]) -> ApiDefinition:
        problems = Problems(str(file))
        definition = self._decode(file, raw, problems)
        _check_proxy(definition, problems)
        ignored = check_support(definition, self.config, problems)
        if definition.is_oas:
            _check_companion(file, problems)
        owner = self._sources.get(definition.api_id)
        if owner is not None:
            problems.add("$.api_id", f"{describe(definition.api_id)}, which {owner} has already")
        problems.raise_if_any()
        self._sources[definition.api_id] = str(file)
        self._note(file, definition, ignored)
        return definition

    def _decode(self, file: Path, raw: dict[str, Any], problems: Problems) -> ApiDefinition:
        try:
            resolved = substitute_all(raw, self.references)
        except UnresolvedError as error:
            problems.add("", str(error))
            resolved = raw
        notes = Notes(problems)
        definition = decode(ApiDefinition, resolved, notes)
        for path, key, known in notes.unknown:
            near = get_close_matches(key.lower(), known, n=1, cutoff=0.85)
            if near:
                where = member_path(path, key)
                self.notices.append(
                    f"{file}: {where}: unknown key, ignored; did you mean {near[0]}?"
                )
        if not definition.api_id:
            self._add_notice("$.api_id is missing; the name of the file stands in", file)
        listen_path = definition.proxy.listen_path
        proxy = msgspec.structs.replace(
            definition.proxy, listen_path=normalise(listen_path) if listen_path else ""
        )
        return msgspec.structs.replace(
            definition, source=str(file), api_id=definition.api_id or file.stem, proxy=proxy
        )

    def _note(self, file: Path, definition: ApiDefinition, ignored: Iterable[str]) -> None:
        texts = [f"{path} is not supported by this release and ignored" for path in ignored]
        if not definition.active:
            texts.append("$.active is not true; served nevertheless, as files always are")
        if definition.active_domain and not self.config.enable_custom_domains:
            texts.append("$.domain is ignored while enable_custom_domains of tyk.conf is false")
        for text in texts:
            self._add_notice(text, file)

    def _add_notice(self, text: str, file: Path) -> None:
        self._concerned.setdefault(text, []).append(str(file))


def _failure(file: Path, raw: dict[str, Any], error: ConfigError) -> DefinitionFailure:
    errors = error.errors if isinstance(error, ConfigErrors) else (error,)
    messages = []
    for each in errors:
        # A syntax error carries its line and column in the source.
        where = each.source.removeprefix(str(file)).lstrip(":")
        messages.append(": ".join(part for part in (where, each.path, each.message) if part))
    return DefinitionFailure(
        str(file), _text(raw.get("api_id")), _text(raw.get("name")), "; ".join(messages)
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_openapi(raw: dict[str, Any]) -> bool:
    return bool(raw.get("openapi") or raw.get("swagger"))


def _check_proxy(definition: ApiDefinition, problems: Problems) -> None:
    path = definition.proxy.listen_path
    if not path:
        problems.add("$.proxy.listen_path", 'Listen path is empty, expected one such as "/api/"')
    elif any(char.isspace() for char in path):
        problems.add(
            "$.proxy.listen_path", f"{describe(path)}: Listen path contains spaces, is invalid"
        )
    for version in definition.version_data.versions:
        override = definition.version_data.versions[version].override_target
        if override:
            where = member_path("$.version_data.versions", version)
            _check_target(override, f"{where}.override_target", problems)
    proxy = definition.proxy
    if proxy.enable_load_balancing and proxy.target_list:
        for index, target in enumerate(proxy.target_list):
            _check_target(target, f"$.proxy.target_list[{index}]", problems)
    else:
        _check_target(proxy.target_url, "$.proxy.target_url", problems)


def _check_target(target: str, path: str, problems: Problems) -> None:
    try:
        parts = urlsplit(target if "://" in target else f"http://{target}")
        is_usable = bool(parts.hostname) and parts.scheme.lower() in _TARGET_SCHEMES
        _ = parts.port
    except ValueError:
        is_usable = False
    if not is_usable:
        problems.add(path, f"{describe(target)}, expected a URL such as http://host:8080/base")


def _check_companion(file: Path, problems: Problems) -> None:
    """Refuse an API whose OpenAPI document validates or answers requests: nobody reads it yet."""
    companion = file.with_name(f"{file.stem}-oas.json")
    if not companion.is_file():
        return
    extension = read_object(companion).get("x-tyk-api-gateway")
    operations = _member(_member(extension, "middleware"), "operations")
    for name, operation in operations.items():
        for section in ("validateRequest", "mockResponse"):
            if _member(operation, section).get("enabled") is True:
                where = member_path("$.x-tyk-api-gateway.middleware.operations", name)
                problems.errors.append(
                    ConfigError(
                        "true, not supported by this release",
                        source=str(companion),
                        path=f"{where}.{section}.enabled",
                    )
                )


def _member(value: Any, key: str) -> dict[str, Any]:
    member = value.get(key) if isinstance(value, dict) else None
    return member if isinstance(member, dict) else {}
