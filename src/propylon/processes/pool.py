"""The workers: started together, each replaced when it dies, reloaded and drained as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from propylon.errors import ConfigError
from propylon.observe.logs import get_logger
from propylon.processes.errors import EXIT_SOFTWARE, StartError
from propylon.processes.messages import Drain, Start
from propylon.processes.released import Released
from propylon.processes.reload import ReloadOutcome, reload_all
from propylon.processes.respawn import RespawnPolicy
from propylon.processes.worker_process import Ending, WorkerProcess

log = get_logger("main")

# Beyond the drain time: the worker's own clean-up.
DRAIN_MARGIN_SECONDS = 5.0
# A loop that has not turned for so long will not turn again; the slowest legal plugin call on the
# loop takes milliseconds.
UNRESPONSIVE_SECONDS = 60.0


class MakeStart(Protocol):
    """Makes the first message to the worker of a slot."""

    def __call__(self, slot: int, sources: msgspec.Raw, *, is_replacement: bool) -> Start: ...


class WorkerPool:
    """Keeps `size` workers alive, all of them with the definition files in `released`."""

    def __init__(
        self,
        command: Sequence[str],
        make_start: MakeStart,
        size: int,
        released: Released,
    ) -> None:
        self._command = tuple(command)
        self._make_start = make_start
        self._size = size
        self._released = released
        self._reloading = asyncio.Lock()
        "Held while workers are told to build anew: one reload, or one worker catching up."
        self._workers: dict[int, WorkerProcess] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._reloads_begun = 0
        self._generation = 0
        self._greeting: msgspec.Struct | None = None

    def __repr__(self) -> str:
        return f"<WorkerPool {list(self._workers.values())!r}>"

    @property
    def keepers(self) -> Sequence[asyncio.Task[None]]:
        """The tasks that keep the slots filled; one that ends before `stop` is a fault."""
        return self._keepers

    async def start(self) -> None:
        """Start all workers; raises `StartError` when one of them has no first snapshot."""
        candidate = await self._released.read()
        try:
            first = await asyncio.gather(
                *(self._spawn(slot, candidate.encoded) for slot in range(self._size))
            )
            is_ready = await asyncio.gather(*(worker.ready() for worker in first))
            if not all(is_ready):
                await self._fail_start(first)
        except OSError as error:
            self.kill()
            raise StartError(f"cannot start a worker: {error.strerror}") from error
        except BaseException:
            self.kill()
            raise
        self._released.commit(candidate, _failed_files(first))
        self._keepers = [asyncio.create_task(self._keep(worker)) for worker in first]

    async def _fail_start(self, workers: Sequence[WorkerProcess]) -> None:
        """All workers have the same files: the first reason is the reason."""
        failed = [worker for worker in workers if not worker.is_ready]
        for worker in workers:
            if worker.is_ready:
                worker.kill()
        endings = await asyncio.gather(*(worker.ended() for worker in failed))
        told = next((ending.failed for ending in endings if ending.failed is not None), None)
        if told is not None:
            raise StartError(told.reason, exit_code=told.exit_code)
        raise StartError(f"a worker {endings[0].reason}", exit_code=EXIT_SOFTWARE)

    def broadcast(self, message: msgspec.Struct) -> None:
        for worker in self._workers.values():
            worker.send(message)

    def greet(self, message: msgspec.Struct) -> None:
        """Send `message` to all workers, and to every later one as it becomes ready."""
        self._greeting = message
        self.broadcast(message)

    def check_responsive(self) -> None:
        """Kill ready workers that have stopped answering and ask the others for a sign of life."""
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.is_ready and now - worker.last_heard > UNRESPONSIVE_SECONDS:
                log.error("worker does not answer, killing it", worker=worker.slot, pid=worker.pid)
                worker.kill()
            else:
                worker.ping()

    async def reload(self) -> ReloadOutcome:
        """Read the folder and reload every worker that serves; others catch up when they do."""
        async with self._reloading:
            self._reloads_begun += 1
            number = self._reloads_begun
            targets = [worker for worker in self._workers.values() if worker.is_ready]
            try:
                candidate = await self._released.read()
            except ConfigError as error:
                for worker in targets:
                    worker.abort(number, str(error))
                return ReloadOutcome(str(error))
            outcome = await reload_all(targets, number, candidate.encoded)
            if outcome.is_done:
                self._generation = number
                self._released.commit(candidate, _failed_files(targets))
            return outcome

    async def drain(self, timeout_seconds: float) -> None:
        """Let every worker finish what it has begun; those that do not in time are killed."""
        self._stopping.set()
        workers = list(self._workers.values())
        self.broadcast(Drain(timeout_seconds))
        endings = [asyncio.ensure_future(worker.ended()) for worker in workers]
        if endings:
            _, late = await asyncio.wait(endings, timeout=timeout_seconds + DRAIN_MARGIN_SECONDS)
            if late:
                log.warning("workers did not end in time, killing them", count=len(late))
            self.kill()
            await asyncio.gather(*endings)

    def kill(self) -> None:
        """End every worker at once, and never replace one again."""
        self._stopping.set()
        for worker in self._workers.values():
            worker.kill()

    async def stop(self) -> None:
        """Wait for the end of all workers and of the tasks that kept them; after `kill`."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.ended() for worker in self._workers.values()))

    # --- one slot ---

    async def _spawn(
        self, slot: int, sources: msgspec.Raw, *, is_replacement: bool = False
    ) -> WorkerProcess:
        start = self._make_start(slot, sources, is_replacement=is_replacement)
        worker = await WorkerProcess.spawn(self._command, start, generation=self._generation)
        self._workers[slot] = worker
        return worker

    async def _keep(self, worker: WorkerProcess) -> None:
        """Keep one slot filled, beginning with `worker`."""
        slot, policy = worker.slot, RespawnPolicy()
        while True:
            ending = await worker.ended()
            if self._stopping.is_set():
                return
            delay = policy.delay_after_death(ending.lived_seconds)
            _log_ending(worker, ending, delay)
            await asyncio.sleep(delay)
            if self._stopping.is_set():
                return
            try:
                worker = await self._spawn(slot, self._released.encoded, is_replacement=True)
            except OSError as error:
                # Out of processes or descriptors: the old handle stays, which has ended already,
                # so the next turn waits a little longer and tries again.
                log.exception("cannot start a worker", worker=slot, error=error.strerror)
                continue
            if await worker.ready():
                log.info("worker replaced", worker=slot, pid=worker.pid)
                if self._greeting is not None:
                    worker.send(self._greeting)
                await self._catch_up(worker)

    async def _catch_up(self, worker: WorkerProcess) -> None:
        """Give `worker` what was released while it started; the folder is not read for it."""
        async with self._reloading:
            if not worker.is_ready or worker.generation >= self._generation:
                return
            self._reloads_begun += 1
            outcome = await reload_all([worker], self._reloads_begun, self._released.encoded)
        if not outcome.is_done:
            log.error("worker cannot catch up", worker=worker.slot, error=outcome.reason)
            worker.kill()


def _failed_files(workers: Iterable[WorkerProcess]) -> frozenset[str]:
    """Return the files that any worker could not use: none may take them for good."""
    return frozenset().union(*(worker.failed_files for worker in workers))


def _log_ending(worker: WorkerProcess, ending: Ending, delay: float) -> None:
    log.error(
        "worker ended, replacing it",
        worker=worker.slot,
        pid=worker.pid,
        error=ending.reason,
        lived_seconds=round(ending.lived_seconds, 3),
        delay_seconds=delay,
    )
