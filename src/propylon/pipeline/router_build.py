"""Make the router's tables from the APIs of a snapshot: the build half of routing.

Ranks follow gateway-core 3.2: APIs in the order given (that of 2.1), each first under its id, then
under its listen path. A literal prefix that an earlier one always beats is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.pipeline.listen_path import ListenPath, compile_host, is_template
from propylon.pipeline.router import (
    HostPattern,
    Literals,
    Match,
    PathTable,
    Router,
    Template,
    host_name,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """One API on its way into the router; `target` is what a match hands back."""

    definition: ApiDefinition
    target: T


def build_router(routes: Sequence[Route[T]], config: Config) -> Router[T]:
    """Build the tables. Raises `DefinitionError` for a listen path or domain that cannot match."""
    is_strict = config.http_server_options.enable_strict_routes
    tables: dict[str, _TableBuilder[T]] = {"": _TableBuilder(is_strict)}
    rank = 0
    for route in routes:
        definition = route.definition
        if definition.internal:
            continue
        host = _host_of(definition, config)
        table = tables.get(host)
        if table is None:
            table = tables[host] = _TableBuilder(is_strict)
        if definition.api_id:
            table.add(f"/{definition.api_id}/", route.target, rank)
        table.add(definition.proxy.listen_path, route.target, rank + 1)
        rank += 2
    return Router(
        tables.pop("").build(),
        {host_name(h): t.build() for h, t in tables.items() if not is_template(h)},
        tuple(HostPattern(compile_host(h), t.build()) for h, t in tables.items() if is_template(h)),
    )


def _host_of(definition: ApiDefinition, config: Config) -> str:
    if config.enable_custom_domains and definition.active_domain:
        domain = definition.active_domain
        return domain if is_template(domain) else domain.lower()
    return config.hostname.lower()


class _TableBuilder(Generic[T]):
    """Collects the routes of one host in rank order."""

    def __init__(self, is_strict: bool) -> None:
        self._is_strict = is_strict
        self._exact: dict[str, Match[T]] = {}
        self._prefixes: dict[str, Match[T]] = {}
        self._templates: list[Template[T]] = []

    def add(self, text: str, target: T, rank: int) -> None:
        listen_path = ListenPath.compile(text)
        if listen_path.pattern is not None:
            self._templates.append(Template(listen_path.pattern, target, rank))
        elif self._is_strict and not text.endswith("/"):
            # Strict: `/app` is the path itself and everything below `/app/`, not `/apple`.
            self._add_exact(text, Match(target, text, rank))
            self._add_prefix(text + "/", Match(target, text, rank))
        else:
            self._add_prefix(text, Match(target, text, rank))

    def build(self) -> PathTable[T]:
        heads: dict[str, dict[str, Match[T]]] = {}
        others: dict[str, Match[T]] = {}
        for prefix, match in self._prefixes.items():
            head_end = prefix.find("/", 1) + 1
            if head_end:
                heads.setdefault(prefix[:head_end], {})[prefix] = match
            else:
                others[prefix] = match
        return PathTable(
            self._exact,
            {head: _literals(matches) for head, matches in heads.items()},
            _literals(others),
            tuple(self._templates),
        )

    def _add_exact(self, path: str, match: Match[T]) -> None:
        if not self._is_shadowed(path):
            self._exact.setdefault(path, match)

    def _add_prefix(self, prefix: str, match: Match[T]) -> None:
        if not self._is_shadowed(prefix):
            self._prefixes[prefix] = match

    def _is_shadowed(self, path: str) -> bool:
        """Tell whether an earlier prefix already serves everything below `path`."""
        return any(path[:length] in self._prefixes for length in range(1, len(path) + 1))


def _literals(matches: dict[str, Match[T]]) -> Literals[T]:
    return Literals(matches, _lengths(matches))


def _lengths(prefixes: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True))
