"""Find the API of a request: the hot half of routing. `router_build` makes the tables.

Rules, gateway-core 3.2 and 3.3: routes count in registration order, each API under `/<api_id>/`
and its listen path, custom domains before the rest. The tables hold that order as ranks. Literal
paths cost one dict look-up per distinct length that fits, however many APIs there are; templates
are tried in rank order, and only those that rank above the literal hit.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from propylon.pipeline.listen_path import decode_path, encode_path

T = TypeVar("T")

# Hosts seen, for gateways with domain patterns. Clients choose the Host field, hence the bound.
_MAX_KNOWN_HOSTS = 4096


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """The route of a request; `prefix` is the part of the decoded path that matched."""

    target: T
    prefix: str
    rank: int


@dataclass(frozen=True, slots=True)
class Literals(Generic[T]):
    """Literal prefixes. Shadowed ones are not here, so the longest hit is the one that counts."""

    matches: dict[str, Match[T]]
    lengths: tuple[int, ...]
    "Distinct lengths, longest first."

    def find(self, path: str) -> Match[T] | None:
        matches = self.matches
        for length in self.lengths:
            match = matches.get(path[:length])
            if match is not None:
                return match
        return None


@dataclass(frozen=True, slots=True)
class Template(Generic[T]):
    pattern: re.Pattern[str]
    target: T
    rank: int


@dataclass(frozen=True, slots=True)
class PathTable(Generic[T]):
    """All routes of one host.

    `by_head` holds the prefixes that fix the whole first segment (`/app/…`), under that segment
    with its slash: a gateway full of them looks at a handful of lengths. `open` holds the others
    (`/app`, which also serves `/apple`), `exact` the bare `/app` of strict routes.
    """

    exact: dict[str, Match[T]]
    by_head: dict[str, Literals[T]]
    open: Literals[T]
    templates: tuple[Template[T], ...]

    def find(self, path: str) -> Match[T] | None:
        best = self.exact.get(path)
        head = self.by_head.get(path[: path.find("/", 1) + 1])
        if head is not None:
            best = _first(best, head.find(path))
        if self.open.lengths:
            best = _first(best, self.open.find(path))
        for template in self.templates:
            if best is not None and best.rank < template.rank:
                break
            match = template.pattern.match(path)
            if match is not None:
                return Match(template.target, match.group(), template.rank)
        return best


@dataclass(frozen=True, slots=True)
class HostPattern(Generic[T]):
    pattern: re.Pattern[str]
    table: PathTable[T]


class Router(Generic[T]):
    """Look-up over frozen tables; made by `router_build.build_router`."""

    __slots__ = ("_known_hosts", "any_host", "host_patterns", "hosts")

    def __init__(
        self,
        any_host: PathTable[T],
        hosts: dict[str, PathTable[T]],
        host_patterns: tuple[HostPattern[T], ...],
    ) -> None:
        self.any_host = any_host
        self.hosts = hosts
        self.host_patterns = host_patterns
        self._known_hosts: dict[str, tuple[PathTable[T], ...]] = {}

    def __repr__(self) -> str:
        return f"<Router hosts={len(self.hosts)} host_patterns={len(self.host_patterns)}>"

    def find(self, host: str, path: str) -> Match[T] | None:
        """Return the route for a Host field and a decoded path, or None."""
        if not self.hosts and not self.host_patterns:
            return self.any_host.find(path)
        best: Match[T] | None = None
        for table in self._known_hosts.get(host) or self._tables_of(host):
            best = _first(best, table.find(path))
        return best

    def _tables_of(self, host: str) -> tuple[PathTable[T], ...]:
        name = host_name(host)
        tables = [entry.table for entry in self.host_patterns if entry.pattern.fullmatch(name)]
        exact = self.hosts.get(name)
        if exact is not None:
            tables.append(exact)
        tables.append(self.any_host)
        if len(self._known_hosts) >= _MAX_KNOWN_HOSTS:
            self._known_hosts.clear()
        found = self._known_hosts[host] = tuple(tables)
        return found


def host_name(host: str) -> str:
    """Return a Host field in lower case, without its port and without a final dot."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0].rstrip(".")


def clean_redirect(path: str) -> str | None:
    """Return the path to redirect to (301) when `path`, as sent, is not clean; None when it is.

    Unclean are `//`, `/./` and `/../`, plain or percent-encoded.
    """
    if "//" not in path and "/." not in path and "%" not in path:
        return None
    decoded = decode_path(path)
    cleaned = posixpath.normpath("/" + decoded.lstrip("/"))
    if decoded.endswith("/") and cleaned != "/":
        cleaned += "/"
    return None if cleaned == decoded else encode_path(cleaned)


def _first(one: Match[T] | None, other: Match[T] | None) -> Match[T] | None:
    if one is None or (other is not None and other.rank < one.rank):
        return other
    return one
