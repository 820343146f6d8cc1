"""The two sides of a call to the plugin, and the ids that tell workers apart.

A `Caller` is a worker's end, a `Port` the way to the process that owns the child. Both are
implemented in process (one worker) and over a unix socket (several).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# Ids are `n * SLOTS + slot`: unique among workers without a translation table, and below 2**53, so
# that JavaScript echoes them exactly.
SLOTS = 1024
OWNER_SLOT = SLOTS - 1


@dataclass(frozen=True, slots=True)
class ChildFacts:
    """What workers must know of the child. `hooks` is None where the plugin named none."""

    state: str
    hooks: tuple[str, ...] | None = None
    plugin: str = ""


class Caller(Protocol):
    """Who waits for results. Results of calls it no longer knows are dropped by it."""

    def take_result(self, call_id: int, result: bytes) -> None: ...

    def take_failure(self, call_id: int, reason: str) -> None: ...

    def take_facts(self, facts: ChildFacts) -> None: ...


class Port(Protocol):
    """Where calls go. `submit` never blocks; a call ends in exactly one result or failure."""

    def submit(self, call_id: int, frame: bytes) -> None: ...

    def cancel(self, call_id: int) -> None: ...

    def announce(self, table: bytes) -> None:
        """Tell the plugin the APIs that use it, as JSON."""
        ...
