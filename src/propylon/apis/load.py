"""Decode definition files: every file becomes a definition or a named failure.

One broken file never stops the others, and the text of it that served before stands in for it. A
failure says file, JSON path, value and what was expected; several mistakes in one file are reported
together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.apis.listen_paths import in_order, normalise, rename_collisions
from propylon.apis.source_files import DefinitionFile
from propylon.apis.support import check_support
from propylon.config.decode import Notes, decode, member_path
from propylon.config.json_text import REPEATED, describe, parse_object
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
    kept: frozenset[str] = frozenset()
    "Files that failed and are served as they were before."


def load_definitions(
    config: Config, environ: Mapping[str, str], files: Sequence[DefinitionFile]
) -> LoadedDefinitions:
    """Decode `files`; a later file with the `api_id` of an earlier one is refused."""
    references = References(environ, config.secrets, config.kv.file.base_path)
    reading = _Reading(config, references, {file.name: file for file in files})
    for file in files:
        reading.read(file)
    # Last, so that a name given in a file as it is now goes before one of an older text.
    kept = [file.source for file in reading.broken if reading.restore(file)]
    with_domains = config.enable_custom_domains
    definitions, renamed = rename_collisions(reading.definitions, with_domains=with_domains)
    notices = (*reading.notices, *reading.grouped_notices(), *renamed)
    return LoadedDefinitions(
        in_order(definitions, with_domains=with_domains),
        tuple(reading.failures),
        tuple(dict.fromkeys(notices)),
        frozenset(kept),
    )


@dataclass(slots=True)
class _Reading:
    """What has been read of a folder so far."""

    config: Config
    references: References
    files: Mapping[str, DefinitionFile]
    "All files by name."
    definitions: list[ApiDefinition] = field(default_factory=list)
    failures: list[DefinitionFailure] = field(default_factory=list)
    broken: list[DefinitionFile] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _sources: dict[str, str] = field(default_factory=dict)
    "File by api_id."
    _concerned: dict[str, list[str]] = field(default_factory=dict)
    "Files by the text of a notice that may concern many."

    def read(self, file: DefinitionFile) -> None:
        raw: dict[str, Any] = {}
        try:
            if file.problem:
                raise ConfigError(file.problem, source=file.source)
            raw = self._parse(file, file.text)
            if _is_openapi(raw):
                self._read_openapi(file)
            else:
                self.definitions.append(self._read_classic(file, raw))
        except ConfigError as error:
            self.failures.append(_failure(file.source, raw, error))
            self.broken.append(file)

    def restore(self, file: DefinitionFile) -> bool:
        """Take the text that served before in the place of a broken one, if that still can be."""
        if file.last_good is None:
            return False
        try:
            raw = self._parse(file, file.last_good)
            if _is_openapi(raw):
                return False
            # Its companion was in order when it began to serve; the one of now belongs to the
            # text of now.
            self.definitions.append(self._read_classic(file, raw, checks_companion=False))
        except ConfigError:
            return False
        return True

    def _parse(self, file: DefinitionFile, text: str) -> dict[str, Any]:
        repeated: list[str] = []
        raw = parse_object(text, source=file.source, repeated=repeated)
        self.notices += [f"{file.source}: {path}: {REPEATED}" for path in repeated]
        return raw

    def grouped_notices(self) -> list[str]:
        return [f"{text}: {', '.join(files)}" for text, files in self._concerned.items()]

    def _read_openapi(self, file: DefinitionFile) -> None:
        companion = _COMPANION.fullmatch(file.name)
        if companion is not None and f"{companion[1]}.json" in self.files:
            return
        raise ConfigError(
            "an OpenAPI document without a classic definition beside it is not supported by this "
            "release",
            source=file.source,
        )

    def _read_classic(
        self, file: DefinitionFile, raw: dict[str, Any], *, checks_companion: bool = True
    ) -> ApiDefinition:
        problems = Problems(file.source)
        definition = self._decode(file, raw, problems)
        _check_proxy(definition, problems)
        ignored = check_support(definition, self.config, problems)
        companion = self.files.get(f"{Path(file.source).stem}-oas.json")
        if definition.is_oas and checks_companion and companion is not None:
            _check_companion(companion, problems)
        owner = self._sources.get(definition.api_id)
        if owner is not None:
            problems.add("$.api_id", f"{describe(definition.api_id)}, which {owner} has already")
        problems.raise_if_any()
        self._sources[definition.api_id] = file.source
        self._note(file, definition, ignored)
        return definition

    def _decode(
        self, file: DefinitionFile, raw: dict[str, Any], problems: Problems
    ) -> ApiDefinition:
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
                    f"{file.source}: {where}: unknown key, ignored; did you mean {near[0]}?"
                )
        if not definition.api_id:
            self._add_notice("$.api_id is missing; the name of the file stands in", file)
        listen_path = definition.proxy.listen_path
        proxy = msgspec.structs.replace(
            definition.proxy, listen_path=normalise(listen_path) if listen_path else ""
        )
        return msgspec.structs.replace(
            definition,
            source=file.source,
            api_id=definition.api_id or Path(file.source).stem,
            proxy=proxy,
        )

    def _note(
        self, file: DefinitionFile, definition: ApiDefinition, ignored: Iterable[str]
    ) -> None:
        texts = [f"{path} is not supported by this release and ignored" for path in ignored]
        if not definition.active:
            texts.append("$.active is not true; served nevertheless, as files always are")
        if definition.active_domain and not self.config.enable_custom_domains:
            texts.append("$.domain is ignored while enable_custom_domains of tyk.conf is false")
        for text in texts:
            self._add_notice(text, file)

    def _add_notice(self, text: str, file: DefinitionFile) -> None:
        self._concerned.setdefault(text, []).append(file.source)


def _failure(source: str, raw: dict[str, Any], error: ConfigError) -> DefinitionFailure:
    errors = error.errors if isinstance(error, ConfigErrors) else (error,)
    messages = []
    for each in errors:
        # A syntax error carries its line and column in the source.
        where = each.source.removeprefix(source).lstrip(":")
        messages.append(": ".join(part for part in (where, each.path, each.message) if part))
    return DefinitionFailure(
        source, _text(raw.get("api_id")), _text(raw.get("name")), "; ".join(messages)
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


def _check_companion(companion: DefinitionFile, problems: Problems) -> None:
    """Refuse an API whose OpenAPI document validates or answers requests: nobody reads it yet."""
    if companion.problem:
        raise ConfigError(companion.problem, source=companion.source)
    document = parse_object(companion.text, source=companion.source)
    extension = document.get("x-tyk-api-gateway")
    operations = _member(_member(extension, "middleware"), "operations")
    for name, operation in operations.items():
        for section in ("validateRequest", "mockResponse"):
            if _member(operation, section).get("enabled") is True:
                where = member_path("$.x-tyk-api-gateway.middleware.operations", name)
                problems.errors.append(
                    ConfigError(
                        "true, not supported by this release",
                        source=companion.source,
                        path=f"{where}.{section}.enabled",
                    )
                )


def _member(value: Any, key: str) -> dict[str, Any]:
    member = value.get(key) if isinstance(value, dict) else None
    return member if isinstance(member, dict) else {}
