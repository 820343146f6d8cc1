"""Keeps one plugin running: starts it, watches it, starts it again after a while, ends it.

One task owns the child from start to end, so there is always exactly one, and none after `stop`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from propylon.errors import PluginError
from propylon.observe.logs import get_logger
from propylon.plugins.stdio.backoff import Backoff
from propylon.plugins.stdio.callbacks import Callbacks
from propylon.plugins.stdio.calls import ChildFacts
from propylon.plugins.stdio.child import Child
from propylon.plugins.stdio.dispatcher import Dispatcher
from propylon.plugins.stdio.process import exit_text
from propylon.plugins.stdio.protocol import PROTOCOL_VERSION
from propylon.plugins.stdio.settings import StdioSettings
from propylon.plugins.stdio.stderr import LineLog
from propylon.plugins.stdio.store import PluginStore

log = get_logger("coprocess")

_MAX_UNANSWERED_PINGS = 3


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """When silence becomes suspicious, in seconds."""

    idle_seconds: float = 30.0
    "Silence before the first ping (A.4)."
    ping_seconds: float = 10.0
    "Between the pings after it."
    table_seconds: float = 1.0
    "How long the first handshake waits for the APIs, so that plugins learn of them there."


class Supervisor:
    """Owns the child of one gateway instance. `start` and `stop` are called once each."""

    __slots__ = (
        "_announced",
        "_backoff",
        "_callbacks",
        "_child",
        "_gateway_version",
        "_lines",
        "_listener",
        "_settings",
        "_stopping",
        "_table_known",
        "_task",
        "_watch",
        "dispatcher",
        "facts",
        "restarts",
    )

    def __init__(
        self,
        settings: StdioSettings,
        gateway_version: str,
        listener: Callable[[ChildFacts], None],
        watch: WatchSettings,
    ) -> None:
        self._settings = settings
        self._gateway_version = gateway_version
        self._listener = listener
        self._watch = watch
        self._lines = LineLog(settings.command)
        self._callbacks = Callbacks(PluginStore(), self._lines)
        self._backoff = Backoff(settings.restart)
        self._stopping = asyncio.Event()
        self._table_known = asyncio.Event()
        self._announced = b"[]"
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self.dispatcher = Dispatcher(settings)
        self.facts = ChildFacts("starting")
        self.restarts = 0

    def start(self) -> None:
        self.dispatcher.child_starting()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="stdio plugin")

    async def stop(self) -> None:
        """End the child and everything that waits for it."""
        self._stopping.set()
        if self._child is not None and self.facts.state != "ready":
            # It serves nobody yet, so it is not worth the wait for its handshake.
            self._child.condemn("the gateway is stopping")
        if self._task is not None:
            await self._task
        self.dispatcher.close()

    def announce(self, table: bytes) -> None:
        """Take the APIs that use the plugin, as JSON, and tell a running plugin."""
        if table == self._announced and self._table_known.is_set():
            return
        self._announced = table
        self._table_known.set()
        if self._child is not None and self.facts.state == "ready":
            self._child.notify("Reload", {"apis": json.loads(table)})

    def status(self) -> dict[str, Any]:
        child = self._child
        return {
            "state": self.facts.state,
            "plugin": self.facts.plugin,
            "pid": None if child is None else child.process.pid,
            "restarts": self.restarts,
            "in_flight": self.dispatcher.in_flight,
            "queued": self.dispatcher.queued,
            "p50_ms": round(self.dispatcher.latency_ms(0.5), 3),
            "p99_ms": round(self.dispatcher.latency_ms(0.99), 3),
        }

    async def _run(self) -> None:
        while not self._stopping.is_set():
            ready_for = await self._run_once()
            if self._stopping.is_set():
                break
            # Chance spreads restarts over time; nothing secret hangs on it.
            delay = self._backoff.next_delay(ready_for, random.random())  # noqa: S311
            self._show("failed" if self._backoff.is_failed else "backoff")
            log.info("the plugin is started again", seconds=round(delay, 2))
            await _first_of(self._stopping.wait(), timeout=delay)
            self.restarts += 1
        self.dispatcher.child_lost("the gateway is stopping")
        self._show("stopped")

    async def _run_once(self) -> float | None:
        """Run one child to its end; return for how long it was ready, None for never."""
        self._show("starting")
        child = Child(self._settings, self.dispatcher, self._callbacks, self._lines)
        try:
            await child.start()
        except OSError as error:
            self._report(f"cannot start the plugin: {error}")
            return None
        self._child = child
        self.dispatcher.child_starting()
        ready_at: float | None = None
        reason = ""
        try:
            if await self._shake_hands(child):
                ready_at = monotonic()
                reason = await self._watch_over(child)
            if not reason:
                await child.stop()
        except PluginError as error:
            reason = str(error)
        finally:
            self._child = None
            # Its end may take a moment; it does not serve in that moment.
            self._show("backoff")
            self.dispatcher.child_lost(f"the plugin is down: {reason or 'the gateway is stopping'}")
            code = await child.finish()
        if not self._stopping.is_set():
            self._report(reason, exit=exit_text(code), stderr=child.stderr_tail)
        return None if ready_at is None else monotonic() - ready_at

    async def _shake_hands(self, child: Child) -> bool:
        """Bring the child into service; False when the gateway stops before."""
        await _first_of(
            self._table_known.wait(),
            self._stopping.wait(),
            child.doom,
            timeout=self._watch.table_seconds,
        )
        if self._stopping.is_set():
            return False
        announced = self._announced
        await child.initialize(self._initialize_params(announced))
        handshake = child.handshake
        limit = self._settings.max_in_flight
        if handshake.max_concurrency is not None and handshake.max_concurrency > 0:
            limit = min(limit, handshake.max_concurrency)
        self._show(
            "ready",
            hooks=None if handshake.hooks is None else tuple(handshake.hooks),
            plugin=f"{handshake.name} {handshake.version}".strip(),
        )
        log.info(
            "the plugin is ready",
            plugin=self.facts.plugin or self._settings.command,
            pid=child.process.pid,
            max_in_flight=limit,
            is_minimal=child.is_minimal,
        )
        if announced != self._announced:
            child.notify("Reload", {"apis": json.loads(self._announced)})
        self.dispatcher.child_ready(child.send, limit=limit, can_cancel=not child.is_minimal)
        return True

    async def _watch_over(self, child: Child) -> str:
        """Wait until the child is doomed; return why, or nothing when the gateway stops."""
        unanswered = 0
        pinged_at = 0.0
        wait = self._watch.idle_seconds
        while True:
            await _first_of(self._stopping.wait(), child.doom, timeout=wait)
            if self._stopping.is_set():
                return ""
            if child.doom.done():
                return child.doom.result()
            if child.heard_at >= pinged_at:
                unanswered = 0
            silence = monotonic() - child.heard_at
            if silence < self._watch.idle_seconds:
                wait = self._watch.idle_seconds - silence
                continue
            if unanswered >= _MAX_UNANSWERED_PINGS:
                return f"{unanswered} pings unanswered in {silence:.0f} s"
            child.ping()
            pinged_at = monotonic()
            unanswered += 1
            wait = self._watch.ping_seconds

    def _initialize_params(self, table: bytes) -> dict[str, Any]:
        settings = self._settings
        return {
            "protocol_version": PROTOCOL_VERSION,
            "gateway": {"name": "propylon", "version": self._gateway_version},
            "framing": "content-length" if settings.with_headers else "newline",
            "limits": {
                "max_message_size": settings.max_message_bytes,
                "timeout_ms": settings.timeout_ms,
            },
            "apis": json.loads(table),
            "capabilities": {"cancel": True, "store": True, "events": True, "log": True},
        }

    def _report(self, reason: str, **facts: Any) -> None:
        log.error(
            "the plugin is down; requests that need it are refused",
            plugin=self._settings.command,
            reason=reason,
            **facts,
        )
        self.dispatcher.child_lost(f"the plugin is down: {reason}")

    def _show(self, state: str, *, hooks: tuple[str, ...] | None = None, plugin: str = "") -> None:
        self.facts = ChildFacts(state, hooks, plugin)
        self._listener(self.facts)


async def _first_of(*waits: Any, timeout: float) -> None:  # noqa: ASYNC109 - it is the feature
    """Wait until one of them is done or the time is up. Futures survive, coroutines do not."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            if isinstance(task, asyncio.Task):
                task.cancel()
        await asyncio.gather(
            *(task for task in tasks if isinstance(task, asyncio.Task)), return_exceptions=True
        )
