"""The two phases of a reload, and the joining of requests for one."""

from __future__ import annotations

import asyncio

import msgspec

from propylon.processes.reload import ReloadLoop, ReloadOutcome, reload_all

NO_FILES = msgspec.Raw(b'{"files":[]}')


class Target:
    """A worker that writes down what it is told."""

    def __init__(self, said: list[str], name: str, reason: str = "") -> None:
        self._said = said
        self._name = name
        self._reason = reason

    async def prepare(self, number: int, sources: msgspec.Raw) -> str:
        self._said.append(f"{self._name} prepare {number}")
        return self._reason

    async def commit(self, number: int) -> None:
        self._said.append(f"{self._name} commit {number}")

    def abort(self, number: int, reason: str) -> None:
        self._said.append(f"{self._name} abort {number}: {reason}")


async def test_all_prepare_before_any_commits() -> None:
    said: list[str] = []
    outcome = await reload_all([Target(said, "a"), Target(said, "b")], 7, NO_FILES)
    assert outcome.is_done
    assert said == ["a prepare 7", "b prepare 7", "a commit 7", "b commit 7"]


async def test_one_failure_aborts_all_and_is_said_once() -> None:
    said: list[str] = []
    targets = [Target(said, "a", "bad"), Target(said, "b"), Target(said, "c", "bad")]
    outcome = await reload_all(targets, 1, NO_FILES)
    assert outcome.reason == "bad"
    assert said[3:] == ["a abort 1: bad", "b abort 1: bad", "c abort 1: bad"]


async def test_without_workers_there_is_nothing_to_reload() -> None:
    assert not (await reload_all([], 1, NO_FILES)).is_done


async def test_requests_during_a_reload_lead_to_exactly_one_more() -> None:
    begun = 0
    may_end = asyncio.Event()
    has_begun = asyncio.Event()

    async def perform() -> ReloadOutcome:
        nonlocal begun
        begun += 1
        has_begun.set()
        await may_end.wait()
        return ReloadOutcome()

    loop = ReloadLoop(perform, 0)
    task = asyncio.create_task(loop.run())
    first = loop.wait()
    await has_begun.wait()
    others = [loop.wait() for _ in range(10)]
    may_end.set()
    async with asyncio.timeout(5):
        assert (await first).is_done
        await asyncio.gather(*others)
    assert begun == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_loop_outlives_a_reload_that_raises() -> None:
    outcomes = iter([ValueError("odd"), None])

    async def perform() -> ReloadOutcome:
        error = next(outcomes)
        if error is not None:
            raise error
        return ReloadOutcome()

    loop = ReloadLoop(perform, 0)
    task = asyncio.create_task(loop.run())
    async with asyncio.timeout(5):
        assert (await loop.wait()).reason == "ValueError: odd"
        assert (await loop.wait()).is_done
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
