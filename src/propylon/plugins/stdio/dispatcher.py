"""Which call goes to the child when: an in-flight limit, a bounded queue, and cancellation.

The child is a `send` function while it is ready and nothing otherwise. A cancelled call keeps its
place for a while, because the plugin is most likely still busy with it: giving the place away at
once would pile dead work on a plugin that is already too slow.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from time import monotonic

from propylon.plugins.stdio.calls import Caller
from propylon.plugins.stdio.protocol import notification_frame
from propylon.plugins.stdio.settings import StdioSettings

# How long a cancelled call holds its place when the plugin never acknowledges it.
CANCEL_GRACE_SECONDS = 5.0

# Enough calls for a steady 99th percentile, few enough to sort when somebody asks.
_LATENCY_SAMPLES = 1024

Send = Callable[[bytes], None]


class Dispatcher:
    """The queue before one child. Lives in the process that owns the child, on its loop."""

    __slots__ = (
        "_abandoned",
        "_can_cancel",
        "_down_reason",
        "_grace_seconds",
        "_in_flight",
        "_is_paused",
        "_latencies",
        "_limit",
        "_max_queue",
        "_max_queue_bytes",
        "_queue",
        "_queued_bytes",
        "_send",
        "_settings",
        "_timer",
    )

    def __init__(
        self, settings: StdioSettings, *, grace_seconds: float = CANCEL_GRACE_SECONDS
    ) -> None:
        self._settings = settings
        self._grace_seconds = grace_seconds
        self._max_queue = settings.max_queue
        # The count bounds small calls, this bounds a few large ones.
        self._max_queue_bytes = 4 * settings.max_message_bytes
        self._latencies: deque[float] = deque(maxlen=_LATENCY_SAMPLES)

        self._send: Send | None = None
        self._limit = settings.max_in_flight
        self._can_cancel = False
        self._is_paused = False
        self._down_reason = "the plugin is not running"

        self._in_flight: dict[int, tuple[Caller, float]] = {}
        self._abandoned: dict[int, float] = {}
        self._queue: OrderedDict[int, tuple[Caller, bytes]] = OrderedDict()
        self._queued_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return (
            f"<Dispatcher in_flight={len(self._in_flight)} abandoned={len(self._abandoned)} "
            f"queued={len(self._queue)} limit={self._limit}>"
        )

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def queued(self) -> int:
        return len(self._queue)

    def latency_ms(self, share: float) -> float:
        """Return the quantile `share` (0 to 1) of the last calls, in milliseconds."""
        ordered = sorted(self._latencies)
        if not ordered:
            return 0.0
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000

    # calls, from workers

    def submit(self, caller: Caller, call_id: int, frame: bytes) -> None:
        """Send the call now, or queue it, or fail it at once."""
        if len(frame) > self._settings.max_message_bytes:
            caller.take_failure(
                call_id,
                f"a call of {len(frame)} bytes is over coprocess_max_message_size "
                f"({self._settings.max_message_bytes})",
            )
        elif self._send is not None and self._has_place() and not self._queue:
            self._in_flight[call_id] = (caller, monotonic())
            self._send(frame)
        elif self._down_reason:
            caller.take_failure(call_id, self._down_reason)
        elif (
            len(self._queue) >= self._max_queue
            or self._queued_bytes + len(frame) > self._max_queue_bytes
        ):
            caller.take_failure(
                call_id, f"{len(self._queue)} calls wait already (coprocess_max_queue)"
            )
        else:
            self._queue[call_id] = (caller, frame)
            self._queued_bytes += len(frame)

    def cancel(self, call_id: int) -> None:
        """Forget a call: its deadline passed or its client left."""
        waiting = self._queue.pop(call_id, None)
        if waiting is not None:
            self._queued_bytes -= len(waiting[1])
            return
        if self._in_flight.pop(call_id, None) is None:
            return
        if self._send is not None and self._can_cancel:
            self._send(notification_frame("$/cancelRequest", {"id": call_id}))
        self._abandoned[call_id] = monotonic() + self._grace_seconds
        self._arm()

    def drop(self, caller: Caller) -> None:
        """Cancel everything that a caller waits for: its process is gone."""
        for call_id in [each for each, (who, _) in self._in_flight.items() if who is caller]:
            self.cancel(call_id)
        for call_id in [each for each, (who, _) in self._queue.items() if who is caller]:
            self.cancel(call_id)

    # replies, from the child

    def settle(self, call_id: int, result: bytes | None, failure: str) -> bool:
        """Hand an answer to its caller; return False for a call nobody waits for."""
        pending = self._in_flight.pop(call_id, None)
        if pending is None:
            is_late = self._abandoned.pop(call_id, None) is not None
            if is_late:
                self._send_queued()
            return is_late
        caller, sent_at = pending
        self._latencies.append(monotonic() - sent_at)
        if result is None:
            caller.take_failure(call_id, failure)
        else:
            caller.take_result(call_id, result)
        if self._queue:
            self._send_queued()
        return True

    # the child comes and goes

    def child_starting(self) -> None:
        """A child was started: calls wait in the queue until it is ready."""
        self._down_reason = ""

    def child_ready(self, send: Send, *, limit: int, can_cancel: bool) -> None:
        self._send = send
        self._limit = limit
        self._can_cancel = can_cancel
        self._is_paused = False
        self._down_reason = ""
        self._send_queued()

    def child_lost(self, reason: str) -> None:
        """Fail every call; new ones fail at once until the next child starts."""
        self._send = None
        self._down_reason = reason
        self._abandoned.clear()
        for call_id, caller in self._take_all():
            caller.take_failure(call_id, reason)

    def pause(self) -> None:
        """The child does not read: keep calls in the queue."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        self._send_queued()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _has_place(self) -> bool:
        return not self._is_paused and len(self._in_flight) + len(self._abandoned) < self._limit

    def _send_queued(self) -> None:
        while self._queue and self._send is not None and self._has_place():
            call_id, (caller, frame) = self._queue.popitem(last=False)
            self._queued_bytes -= len(frame)
            self._in_flight[call_id] = (caller, monotonic())
            self._send(frame)

    def _take_all(self) -> Iterator[tuple[int, Caller]]:
        calls = [(call_id, caller) for call_id, (caller, _) in self._in_flight.items()]
        calls += [(call_id, caller) for call_id, (caller, _) in self._queue.items()]
        self._in_flight.clear()
        self._queue.clear()
        self._queued_bytes = 0
        return iter(calls)

    def _arm(self) -> None:
        if self._timer is None and self._abandoned:
            first = next(iter(self._abandoned.values()))
            delay = max(0.0, first - monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._release_abandoned)

    def _release_abandoned(self) -> None:
        self._timer = None
        now = monotonic()
        for call_id, release_at in list(self._abandoned.items()):
            if release_at > now:
                break
            del self._abandoned[call_id]
        self._arm()
        self._send_queued()
