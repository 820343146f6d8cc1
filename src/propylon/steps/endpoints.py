"""Endpoint rules: entries of `extended_paths` that a step looks up by path and method.

One table per section and version; the first entry that fits wins (gateway-core 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from propylon.apis.definition import ApiDefinition, Endpoint, VersionInfo
from propylon.config.model import Config
from propylon.pipeline.path_patterns import Candidates, Matching, compile_entry, matches

E = TypeVar("E", bound=Endpoint)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class EndpointRule(Generic[R]):
    pattern: re.Pattern[str]
    method: str
    "Upper case; empty for any method."
    value: R


@dataclass(frozen=True, slots=True)
class EndpointTable(Generic[R]):
    rules: tuple[EndpointRule[R], ...]
    candidates: Candidates

    def __bool__(self) -> bool:
        return bool(self.rules)

    def find(self, path: str, method: str) -> R | None:
        """Return the value of the first rule that fits; `path` is the path as sent."""
        if not self.rules:
            return None
        texts = self.candidates(path)
        for rule in self.rules:
            if rule.method in ("", method) and matches(rule.pattern, texts):
                return rule.value
        return None


def active_entries(entries: Iterable[E], section: str, version: str) -> Iterator[tuple[str, E]]:
    """Yield the entries that are not disabled, each with its JSON path for errors."""
    for index, entry in enumerate(entries):
        if not entry.disabled:
            yield f"{version_path(version)}.extended_paths.{section}[{index}]", entry


def version_path(version: str) -> str:
    """Name a version in errors; the empty name is one of the allowed ones."""
    return "$.version_data.versions." + (version or '""')


def build_table(
    entries: Iterable[E],
    value_of: Callable[[E, str], R],
    *,
    section: str,
    version: str,
    matching: Matching,
    candidates: Candidates,
) -> EndpointTable[R]:
    """Compile one section; `value_of` gets each entry and its JSON path."""
    return EndpointTable(
        tuple(
            EndpointRule(
                compile_entry(entry.path, matching, field=field + ".path"),
                entry.method.upper(),
                value_of(entry, field),
            )
            for field, entry in active_entries(entries, section, version)
        ),
        candidates,
    )


def versions_of(
    definition: ApiDefinition, config: Config
) -> Iterator[tuple[str, VersionInfo, Matching]]:
    """Yield each version with its key and its way of matching paths."""
    for name, version in definition.version_data.versions.items():
        yield name, version, Matching.of(config, version)
