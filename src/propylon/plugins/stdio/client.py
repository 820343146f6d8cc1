"""A worker's end of the calls: ids, deadlines, waiting requests.

All calls of a worker have the same time-out, so they expire in the order in which they began: one
timer for the oldest replaces a timer for each (asyncio's cost 2 us per call here).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from time import monotonic

from propylon.errors import PluginError
from propylon.plugins.rich.objects import PluginObject, PluginReply, PluginTimeoutError
from propylon.plugins.stdio.calls import OWNER_SLOT, SLOTS, ChildFacts, Port
from propylon.plugins.stdio.protocol import dispatch_frame, reply_in
from propylon.plugins.stdio.settings import StdioSettings

# A worker that takes over the slot of a dead one must not meet its ids: it starts anywhere below
# 2**31, which leaves room for 2**42 calls before ids outgrow a double.
_FIRST_ID_BITS = 31


class StdioClient:
    """Implements `Dispatcher` of the envelope and `Caller` of the queue."""

    __slots__ = (
        "_known_hooks",
        "_listener",
        "_loop",
        "_max_pending",
        "_next_id",
        "_pending",
        "_port",
        "_timeout_seconds",
        "_timer",
        "facts",
    )

    def __init__(
        self, settings: StdioSettings, slot: int, listener: Callable[[ChildFacts], None]
    ) -> None:
        if not 0 <= slot < OWNER_SLOT:
            raise ValueError(f"worker slot {slot} is not between 0 and {OWNER_SLOT - 1}")
        self._timeout_seconds = settings.timeout_ms / 1000
        self._max_pending = settings.max_in_flight + settings.max_queue
        self._next_id = random.getrandbits(_FIRST_ID_BITS) * SLOTS + slot
        self._pending: dict[int, tuple[asyncio.Future[bytes], float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._known_hooks: frozenset[str] | None = None
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._port: Port | None = None
        self.facts = ChildFacts("starting")

    def __repr__(self) -> str:
        return f"<StdioClient pending={len(self._pending)} {self.facts.state}>"

    @property
    def pending(self) -> int:
        return len(self._pending)

    def connect(self, port: Port | None) -> None:
        """Send calls through `port` from now on; None while there is no way to the owner."""
        self._loop = asyncio.get_running_loop()
        self._port = port

    async def dispatch(self, sent: PluginObject) -> PluginReply:
        """Call the plugin. Raises `PluginError`; cancelling cancels the call."""
        port, loop = self._port, self._loop
        if port is None or loop is None:
            raise PluginError("the plugin is not reachable: its owner process is gone")
        if self._known_hooks is not None and sent.hook_name not in self._known_hooks:
            raise PluginError(
                f"the plugin has no hook {sent.hook_name!r}; "
                f"it named {', '.join(sorted(self._known_hooks)) or 'none'} in initialize"
            )
        if len(self._pending) >= self._max_pending:
            raise PluginError(f"{len(self._pending)} calls wait already (coprocess_max_queue)")
        call_id = self._next_id
        self._next_id = call_id + SLOTS
        frame = dispatch_frame(call_id, sent)
        result: asyncio.Future[bytes] = loop.create_future()
        self._pending[call_id] = (result, monotonic() + self._timeout_seconds)
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_seconds, self._expire)
        port.submit(call_id, frame)
        try:
            return reply_in(await result)
        except asyncio.CancelledError:
            self.cancel(call_id)
            raise

    def cancel(self, call_id: int) -> None:
        if self._pending.pop(call_id, None) is not None and self._port is not None:
            self._port.cancel(call_id)

    def close(self) -> None:
        """Fail what still waits, end the timer."""
        self.fail_all("the gateway is stopping")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fail_all(self, reason: str) -> None:
        for call_id in list(self._pending):
            self.take_failure(call_id, reason)

    # from the queue

    def take_result(self, call_id: int, result: bytes) -> None:
        pending = self._pending.pop(call_id, None)
        if pending is not None and not pending[0].done():
            pending[0].set_result(result)

    def take_failure(self, call_id: int, reason: str) -> None:
        pending = self._pending.pop(call_id, None)
        if pending is not None and not pending[0].done():
            pending[0].set_exception(PluginError(reason))

    def take_facts(self, facts: ChildFacts) -> None:
        self.facts = facts
        self._known_hooks = None if facts.hooks is None else frozenset(facts.hooks)
        self._listener(facts)

    def _expire(self) -> None:
        """Time out the calls whose deadline has passed, then wait for the next."""
        self._timer = None
        now = monotonic()
        for call_id, (result, deadline) in list(self._pending.items()):
            if deadline > now:
                assert self._loop is not None
                self._timer = self._loop.call_later(deadline - now, self._expire)
                return
            self.cancel(call_id)
            if not result.done():
                result.set_exception(
                    PluginTimeoutError(
                        f"no answer within {self._timeout_seconds:g} s (coprocess_timeout_ms)"
                    )
                )
