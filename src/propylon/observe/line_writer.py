"""Lines on their way to a file descriptor, written by a thread of their own.

A request must never wait for whoever reads our log. Writing from the event loop would: a pipe whose
reader has stalled blocks after 64 KiB, and making stderr non-blocking would change it for every
process that shares it. So lines wait in a bounded buffer; when it is full they are dropped and
counted, and the count is written as soon as there is room again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

MAX_WAITING_BYTES = 4 * 1024 * 1024
# A write of at most PIPE_BUF bytes into a pipe is never mixed with one of another worker.
BATCH_BYTES = 4096
# Lines that come in one breath go out in one wake-up: the thread takes the interpreter lock from
# the event loop each time, and at 20,000 lines/s waking per line cost 30 us instead of 1.
LINGER_SECONDS = 0.005
FLUSH_SECONDS = 2.0


def _plain_drop_note(dropped: int) -> bytes:
    return b"%d log lines dropped\n" % dropped


class LineWriter:
    """Write whole lines to `descriptor`; `write` never blocks and may be called from any thread."""

    def __init__(
        self,
        descriptor: int,
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        drop_note: Callable[[int], bytes] = _plain_drop_note,
    ) -> None:
        self._descriptor = descriptor
        self._max_waiting_bytes = max_waiting_bytes
        self._drop_note = drop_note
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._dropped = 0
        self._total_dropped = 0
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<LineWriter fd={self._descriptor} waiting={self._waiting_bytes}>"

    @property
    def dropped(self) -> int:
        """How many lines were lost because the reader was too slow, since the start."""
        return self._total_dropped

    @property
    def is_closed(self) -> bool:
        """Whether lines are dropped from now on: after `close`, or when the reader is gone."""
        return self._is_closing

    def write(self, line: bytes) -> None:
        """Queue one line, newline included."""
        with self._lock:
            if self._is_closing or self._waiting_bytes + len(line) > self._max_waiting_bytes:
                self._dropped += 1
                self._total_dropped += 1
                return
            self._waiting_bytes += len(line)
            self._lines.append(line)
            is_first = len(self._lines) == 1
        if is_first:
            self._wake.set()

    def close(self, timeout_seconds: float = FLUSH_SECONDS) -> None:
        """Write what waits and end the thread; gives up on a reader that takes nothing."""
        with self._lock:
            self._is_closing = True
        self._wake.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if not self._is_closing:
                time.sleep(LINGER_SECONDS)
            self._wake.clear()
            lines = self._take()
            if lines and not self._write_batches(lines):
                return
            if self._is_closing and not self._lines:
                return

    def _take(self) -> list[bytes]:
        """Take over what waits. It counts as waiting until it is written, so the bound holds."""
        with self._lock:
            lines, self._lines = self._lines, []
            if self._dropped:
                lines.append(self._drop_note(self._dropped))
                self._waiting_bytes += len(lines[-1])
                self._dropped = 0
        return lines

    def _write_batches(self, lines: list[bytes]) -> bool:
        """Write the lines in batches that stay whole in a pipe; False when nobody can read."""
        batch: list[bytes] = []
        size = 0
        for line in lines:
            if batch and size + len(line) > BATCH_BYTES:
                if not self._write_all(b"".join(batch)):
                    return False
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        return self._write_all(b"".join(batch))

    def _write_all(self, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Somebody else made the descriptor non-blocking; this thread may wait.
                time.sleep(LINGER_SECONDS)
            except OSError:
                self._give_up()
                return False
        with self._lock:
            self._waiting_bytes -= len(data)
        return True

    def _give_up(self) -> None:
        """The reader is gone for good (EPIPE, EBADF, ENOSPC): serving goes on without a log."""
        with self._lock:
            self._is_closing = True
            self._total_dropped += len(self._lines)
            self._lines = []
