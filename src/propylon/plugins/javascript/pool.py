"""The processes that run long JavaScript calls: few, bounded, and killed at the deadline.

One API may occupy all but one of them, waiting counts against a call's deadline, and a call that
finds the queue full is refused at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter, OrderedDict, deque
from pathlib import Path

import propylon
from propylon.errors import PropylonError
from propylon.plugins.javascript.engine import EngineLimits, OutOfMemory, ScriptError, ScriptTimeout
from propylon.plugins.javascript.program import HookRef, Program
from propylon.plugins.javascript.wire import (
    HEADER,
    MAX_PROGRAMS,
    CallMessage,
    ReplyMessage,
    decode_reply,
    frame,
)

# Callers that may wait for a process; more than this cannot be served within any usual deadline.
MAX_WAITING = 256

# A script that the engine can stop stops itself; the kill is for what the engine cannot.
_KILL_GRACE_SECONDS = 0.05


class PoolBusy(PropylonError):  # noqa: N818 - names the state that refused the call
    """Every process is taken and the queue is full."""


class ProcessDied(PropylonError):  # noqa: N818 - names what happened
    """The process ended by itself in the middle of a call."""


class ProcessPool:
    """Runs calls of all APIs in at most `max_processes` processes, started on demand."""

    def __init__(self, max_processes: int, limits: EngineLimits) -> None:
        self._max_processes = max_processes
        self._max_per_api = max(1, max_processes - 1)
        self._limits = limits
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._taken = 0
        self._taken_by: Counter[str] = Counter()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def call(
        self, key: str, program: Program, ref: HookRef, pending: str, deadline: float
    ) -> ReplyMessage:
        """Run one hook until `deadline` (loop time).

        Raises `ScriptTimeout`, `OutOfMemory`, `ScriptError`, `PoolBusy` or `ProcessDied`.
        """
        api_id = program.api_id
        await self._take_slot(api_id, deadline)
        try:
            return await self._run(key, program, ref, pending, deadline)
        finally:
            self._give_slot(api_id)

    async def close(self) -> None:
        """Kill every process and wait until it is gone."""
        processes = [*self._idle, *self._busy]
        self._idle.clear()
        for process in processes:
            await process.kill()

    # --- slots ---------------------------------------------------------------------------------

    def _may_run(self, api_id: str) -> bool:
        return self._taken < self._max_processes and self._taken_by[api_id] < self._max_per_api

    async def _take_slot(self, api_id: str, deadline: float) -> None:
        if not self._may_run(api_id):
            if len(self._waiting) >= MAX_WAITING:
                raise PoolBusy(f"{MAX_WAITING} calls wait for a JavaScript process")
            loop = asyncio.get_running_loop()
            turn: asyncio.Future[None] = loop.create_future()
            entry = (api_id, turn)
            self._waiting.append(entry)
            try:
                async with asyncio.timeout_at(deadline):
                    await turn
            except (TimeoutError, asyncio.CancelledError) as error:
                self._leave_queue(entry)
                if isinstance(error, TimeoutError):
                    raise ScriptTimeout("no JavaScript process became free in time") from None
                raise
            return  # whoever woke us has counted us
        self._taken += 1
        self._taken_by[api_id] += 1

    def _leave_queue(self, entry: tuple[str, asyncio.Future[None]]) -> None:
        api_id, turn = entry
        if turn.done() and not turn.cancelled():
            self._give_slot(api_id)
        elif entry in self._waiting:
            self._waiting.remove(entry)

    def _give_slot(self, api_id: str) -> None:
        self._taken -= 1
        self._taken_by[api_id] -= 1
        if not self._taken_by[api_id]:
            del self._taken_by[api_id]
        for entry in self._waiting:
            waiting_api, turn = entry
            if self._may_run(waiting_api):
                self._waiting.remove(entry)
                self._taken += 1
                self._taken_by[waiting_api] += 1
                turn.set_result(None)
                return

    # --- processes -----------------------------------------------------------------------------

    async def _run(
        self, key: str, program: Program, ref: HookRef, pending: str, deadline: float
    ) -> ReplyMessage:
        loop = asyncio.get_running_loop()
        process = self._idle.pop() if self._idle else None
        try:
            if process is None:
                process = await _Process.start()
            self._busy.add(process)
            seconds = deadline - loop.time()
            if seconds <= 0:
                raise TimeoutError
            message = CallMessage(
                key=key,
                ref=ref,
                pending=pending,
                seconds=seconds,
                memory_bytes=self._limits.memory_bytes,
                stack_bytes=self._limits.stack_bytes,
                program=program if process.remember(key) else None,
            )
            async with asyncio.timeout_at(deadline + _KILL_GRACE_SECONDS):
                reply = await process.exchange(message)
        except BaseException as error:
            if process is not None:
                self._busy.discard(process)
                await process.kill()
            if isinstance(error, TimeoutError):
                raise ScriptTimeout("the JavaScript process was killed at its deadline") from None
            raise
        self._busy.discard(process)
        self._idle.append(process)
        if reply.failure == "timeout":
            raise ScriptTimeout("the script was stopped at its deadline")
        if reply.failure == "memory":
            raise OutOfMemory("the script used up its memory")
        if reply.failure:
            raise ScriptError("", reply.message)
        return reply


class _Process:
    """One helper process and the programs it has loaded."""

    __slots__ = ("_known", "_process")

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._known: OrderedDict[str, None] = OrderedDict()

    @classmethod
    async def start(cls) -> _Process:
        paths = [str(Path(propylon.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "propylon.plugins.javascript.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
            start_new_session=True,
        )
        return cls(process)

    def remember(self, key: str) -> bool:
        """Tell whether `key` is new to the process; the order mirrors the process's own."""
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > MAX_PROGRAMS:
            self._known.popitem(last=False)
        return True

    async def exchange(self, message: CallMessage) -> ReplyMessage:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(frame(message))
            await stdin.drain()
            (size,) = HEADER.unpack(await stdout.readexactly(HEADER.size))
            return decode_reply(await stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ProcessDied(f"the JavaScript process ended: {error}") from error

    async def kill(self) -> None:
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
