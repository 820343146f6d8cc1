"""A worker as the supervisor sees it: a child process and the channel to it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from propylon.observe.logs import get_logger
from propylon.processes.channel import Channel
from propylon.processes.messages import (
    Abort,
    Commit,
    Committed,
    Failed,
    Ping,
    Pong,
    Prepare,
    Prepared,
    Ready,
    Start,
    ToSupervisor,
)

log = get_logger("main")

T = TypeVar("T")

# Thousands of definitions whose bundles are still to be fetched.
BUILD_SECONDS = 300.0
# A swap is one assignment; a worker that cannot do it in this time is stuck.
COMMIT_SECONDS = 30.0
# Between the end of the channel and the end of the process.
EXIT_SECONDS = 5.0

# Sent to the whole group by a terminal or a service manager; workers hear from the supervisor.
GROUP_SIGNALS = frozenset(
    {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2}
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended. `failed` is its own last word about a start that did not succeed."""

    exit_code: int
    lived_seconds: float
    was_ready: bool
    failed: Failed | None

    @property
    def reason(self) -> str:
        if self.failed is not None:
            return self.failed.reason
        if self.exit_code < 0:
            return f"killed by {_signal_name(-self.exit_code)}"
        return f"exited with status {self.exit_code}"


class WorkerProcess:
    """Starts one worker, carries its answers to whoever waits for them, and sees it end."""

    def __init__(self, slot: int, process: subprocess.Popen[bytes], generation: int) -> None:
        self.slot = slot
        self.generation = generation
        "The last reload this worker has taken part in, or that was over when it started."
        self.is_ready = False
        self.last_heard = time.monotonic()
        self._process = process
        self._started_at = time.monotonic()
        self._ended_at = 0.0
        self._was_ready = False
        self._failed: Failed | None = None
        self._channel: Channel[ToSupervisor] | None = None
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[bool] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._prepared: asyncio.Future[str] | None = None
        self.failed_files: frozenset[str] = frozenset()
        "Files that its last build could not use as they are."
        self._committed: asyncio.Future[bool] | None = None
        self._reload = 0

    def __repr__(self) -> str:
        state = "ready" if self.is_ready else "starting"
        return f"<WorkerProcess slot={self.slot} pid={self.pid} {state}>"

    @classmethod
    async def spawn(cls, command: Sequence[str], start: Start, *, generation: int) -> WorkerProcess:
        """Start the program and send it `start`; the listeners in it are inherited."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = [theirs.fileno(), *(each.descriptor for each in start.listeners)]
            process = _popen([*command, str(theirs.fileno())], descriptors)
        worker = cls(start.slot, process, generation)
        worker._channel = await Channel.open(
            ours, ToSupervisor, worker._on_message, worker._on_close
        )
        worker.send(start)
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: msgspec.Struct) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def kill(self) -> None:
        self._process.kill()

    def ping(self) -> None:
        self.send(Ping())

    # --- waiting for it ---

    async def ready(self) -> bool:
        """Wait for the first snapshot; False when there will be none."""
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            log.warning("worker did not become ready", worker=self.slot, seconds=BUILD_SECONDS)
            self.kill()
            return False

    async def ended(self) -> Ending:
        """Wait for the end of the process."""
        await asyncio.shield(self._closed)
        loop = asyncio.get_running_loop()
        try:
            code = await loop.run_in_executor(None, self._process.wait, EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            code = await loop.run_in_executor(None, self._process.wait)
        lived = self._ended_at - self._started_at
        return Ending(code, lived, self._was_ready, self._failed)

    # --- reload ---

    async def prepare(self, number: int, sources: msgspec.Raw) -> str:
        """Let the worker build beside; return why that failed, or an empty string."""
        self._reload = number
        self._prepared = asyncio.get_running_loop().create_future()
        if self._closed.done():
            return self._gone()
        self.send(Prepare(number, sources))
        try:
            async with asyncio.timeout(BUILD_SECONDS):
                return await self._prepared
        except TimeoutError:
            return f"worker {self.slot} did not finish its build in {BUILD_SECONDS:.0f} s"
        finally:
            self._prepared = None

    async def commit(self, number: int) -> None:
        """Let the prepared snapshot serve. A worker that cannot is replaced: it is outdated."""
        self._committed = asyncio.get_running_loop().create_future()
        if self._closed.done():
            return
        self.send(Commit(number))
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                if await self._committed:
                    self.generation = number
        except TimeoutError:
            log.warning("worker did not take over the new APIs", worker=self.slot)
            self.kill()
        finally:
            self._committed = None

    def abort(self, number: int, reason: str) -> None:
        self.send(Abort(number, reason))

    # --- what it says ---

    def _on_message(self, message: ToSupervisor) -> None:
        self.last_heard = time.monotonic()
        match message:
            case Ready():
                self.is_ready = True
                self.failed_files = message.failed
                _settle(self._ready, True)
            case Failed():
                self._failed = message
                _settle(self._ready, False)
            case Prepared() if message.reload == self._reload:
                self.failed_files = message.failed
                _settle(self._prepared, message.reason)
            case Committed() if message.reload == self._reload:
                _settle(self._committed, True)
            case Prepared() | Committed() | Pong():
                pass

    def _on_close(self) -> None:
        self._ended_at = time.monotonic()
        self._was_ready, self.is_ready = self.is_ready, False
        _settle(self._ready, False)
        _settle(self._prepared, self._gone())
        _settle(self._committed, False)
        _settle(self._closed, None)

    def _gone(self) -> str:
        return f"worker {self.slot} ended during the reload"


def _settle(future: asyncio.Future[T] | None, result: T) -> None:
    if future is not None and not future.done():
        future.set_result(result)


# glibc gives memory back to the kernel, and has it zeroed again, each time a buffer of 128 KiB at
# the top of the heap is freed: once per piece of a body. Kept, a 1 MiB answer costs 390 us instead
# of 1,270. Other C libraries do not read these; what the operator has set wins.
_ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),
}


def _popen(command: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start a worker in which group signals wait until it has its own handlers for them."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            env={**_ALLOCATOR, **os.environ},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
