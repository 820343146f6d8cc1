"""Reloads: in two phases over all workers, one at a time, requests for more joined into one.

Every worker builds beside what it serves. Only when all have succeeded does any of them swap, so
the workers never disagree for longer than the swap takes, and a failure changes nothing anywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from propylon.observe.logs import get_logger

log = get_logger("main")


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """How a reload ended; `reason` is empty when the new snapshot serves."""

    reason: str = ""

    @property
    def is_done(self) -> bool:
        return not self.reason


class ReloadTarget(Protocol):
    """A worker as a reload sees it. `prepare` returns why it failed, or an empty string."""

    async def prepare(self, number: int, sources: msgspec.Raw) -> str: ...

    async def commit(self, number: int) -> None: ...

    def abort(self, number: int, reason: str) -> None: ...


async def reload_all(
    targets: Sequence[ReloadTarget], number: int, sources: msgspec.Raw
) -> ReloadOutcome:
    """Prepare all targets with the definition files `sources`, then commit all or abort all."""
    if not targets:
        return ReloadOutcome("no worker is running")
    reasons = await asyncio.gather(*(target.prepare(number, sources) for target in targets))
    # Workers that read the same broken file give the same reason: say it once.
    failed = list(dict.fromkeys(reason for reason in reasons if reason))
    if failed:
        reason = "; ".join(failed)
        for target in targets:
            target.abort(number, reason)
        return ReloadOutcome(reason)
    await asyncio.gather(*(target.commit(number) for target in targets))
    return ReloadOutcome()


class ReloadLoop:
    """Performs requested reloads, at most one per `interval_seconds` (gateway-core 8)."""

    def __init__(
        self, perform: Callable[[], Awaitable[ReloadOutcome]], interval_seconds: float
    ) -> None:
        self._perform = perform
        self._interval_seconds = interval_seconds
        self._requested = asyncio.Event()
        self._waiting: list[asyncio.Future[ReloadOutcome]] = []

    def request(self) -> None:
        """Ask for a reload that begins after this call; those already asked for are joined."""
        self._requested.set()

    def wait(self) -> asyncio.Future[ReloadOutcome]:
        """Ask for a reload and return its outcome as a future."""
        future: asyncio.Future[ReloadOutcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.request()
        return future

    async def run(self) -> None:
        """Serve requests until cancelled; the owner runs this as a task."""
        while True:
            await self._requested.wait()
            # Cleared first: what is asked for from now on may be about files we have read already.
            self._requested.clear()
            waiting, self._waiting = self._waiting, []
            outcome = await self._reload()
            for future in waiting:
                if not future.done():
                    future.set_result(outcome)
            await asyncio.sleep(self._interval_seconds)

    async def _reload(self) -> ReloadOutcome:
        log.info("reload: initiating")
        started = time.monotonic()
        try:
            outcome = await self._perform()
        except Exception as error:  # the loop outlives a reload that went wrong in any way
            log.exception("reload failed")
            outcome = ReloadOutcome(f"{type(error).__name__}: {error}")
        seconds = round(time.monotonic() - started, 3)
        if outcome.is_done:
            log.info("API reload complete")
            log.info("reload: complete")
        else:
            log.error("reload failed, the previous APIs go on serving", error=outcome.reason)
        log.info(f"reload: cycle completed in {seconds}s", seconds=seconds, ok=outcome.is_done)
        return outcome
