"""All APIs as they serve at one moment; a reload makes a new one and swaps it in one assignment.

A request keeps the snapshot it began with; the last one to leave an old snapshot retires it, which
is when its plugins are unloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition
from propylon.pipeline.api import Api
from propylon.pipeline.error_pages import ErrorPages
from propylon.pipeline.router import Router


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A definition that is not served, and why."""

    source: str
    api_id: str
    name: str
    message: str


class Snapshot:
    """The router over every API, and what could not be loaded."""

    __slots__ = (
        "_in_flight",
        "_is_retired",
        "_on_retired",
        "apis",
        "error_pages",
        "failures",
        "router",
    )

    def __init__(
        self,
        apis: tuple[Api, ...],
        router: Router[Api],
        error_pages: ErrorPages,
        failures: tuple[LoadFailure, ...] = (),
    ) -> None:
        self.apis = apis
        self.router = router
        self.error_pages = error_pages
        self.failures = failures
        self._in_flight = 0
        self._is_retired = False
        self._on_retired: Callable[[Snapshot], None] | None = None

    def __repr__(self) -> str:
        return f"<Snapshot apis={len(self.apis)} in_flight={self._in_flight}>"

    @property
    def definitions(self) -> tuple[ApiDefinition, ...]:
        return tuple(api.definition for api in self.apis)

    def acquire(self) -> None:
        """A request begins on this snapshot."""
        self._in_flight += 1

    def release(self) -> None:
        """A request that began here has ended."""
        self._in_flight -= 1
        if self._is_retired and not self._in_flight:
            self._close()

    def retire(self, on_retired: Callable[[Snapshot], None]) -> None:
        """No request begins here any more; call back once the last one has ended."""
        self._is_retired = True
        self._on_retired = on_retired
        if not self._in_flight:
            self._close()

    def _close(self) -> None:
        on_retired, self._on_retired = self._on_retired, None
        if on_retired is not None:
            on_retired(self)
