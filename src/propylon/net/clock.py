"""One coarse clock for a worker: deadlines are looked at per tick, not armed per request.

A timer per request costs more than the rest of a deadline's work; connections therefore keep a
`deadline` and are asked once per tick whether it has passed. The Date line is made here as well.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import Protocol

from propylon.observe.logs import get_logger

log = get_logger("http")

# How late a deadline may be noticed. Documented limits are whole seconds.
TICK_SECONDS = 0.25


class Watched(Protocol):
    """Something with a deadline: `check` is called on every tick while it is watched."""

    def check(self, now: float) -> None: ...


class Clock:
    """The time of the last tick: `now` in the loop's seconds, `date_line` as a header line."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: set[Watched] = set()
        self._handle: asyncio.TimerHandle | None = None
        self._tick()

    def watch(self, watched: Watched) -> None:
        self._watched.add(watched)

    def forget(self, watched: Watched) -> None:
        self._watched.discard(watched)

    def stop(self) -> None:
        """End the ticks; nothing is watched any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._watched.clear()

    def _tick(self) -> None:
        self.now = self._loop.time()
        self.date_line = b"Date: " + formatdate(time.time(), usegmt=True).encode("ascii") + b"\r\n"
        self._handle = self._loop.call_later(TICK_SECONDS, self._tick)
        for watched in list(self._watched):
            try:
                watched.check(self.now)
            except Exception:  # one connection's bug must not take the others' deadlines
                log.exception("a deadline could not be enforced", watched=repr(watched))
