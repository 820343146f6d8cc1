"""Scripts that do not end, eat memory or break: the documented answer, and nobody else waits."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from typing import Any

import pytest

from propylon.errors import Refusal
from propylon.plugins.hook import Hook, HookType


async def refusal(call: Any, step: Any, exchange: Any = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call(step, exchange)
    return caught.value


async def test_row_009_endless_loop_is_stopped_at_the_timeout(scene: Any, call: Any) -> None:
    scene.start(jsvm_timeout=1)
    loaded = scene.body("for (;;);")
    exchange_error = await refusal(call, loaded.pre[0])
    assert (exchange_error.status, exchange_error.message) == (500, "Internal Server Error")
    assert "JS middleware timed out after 1s" in scene.messages("error")


def test_row_010_the_default_timeout_is_five_seconds() -> None:
    from propylon.config.model import Config
    from propylon.plugins.javascript.limits import read_limits

    assert read_limits(Config()).timeout_seconds == 5
    assert read_limits(Config(jsvm_timeout=0)).timeout_seconds == 5
    assert read_limits(Config(jsvm_timeout=-3)).timeout_seconds == 5


@pytest.mark.parametrize(
    "statements",
    [
        "try { for (;;); } catch (e) {} finally { for (;;); }",
        "/^(a+)+$/.test('a'.repeat(40) + 'b');",
        "'a'.repeat(2000000).indexOf('a'.repeat(1000000) + 'b');",
        "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1);",
        "var a = new Array(1e5).fill(1); for (;;) [...a];",
        "var x = 3n; for (var i = 0; i < 24; i++) x = x * x;",
    ],
)
async def test_row_121_timeout_covers_regex_and_native_work(
    scene: Any, call: Any, statements: str
) -> None:
    scene.start(jsvm_timeout=1)
    loaded = scene.body(statements)
    started = time.monotonic()
    error = await refusal(call, loaded.pre[0])
    assert error.status == 500
    assert time.monotonic() - started < 10  # against an endless wait, not a measurement


async def test_row_122_memory_bomb_is_stopped(scene: Any, call: Any) -> None:
    loaded = scene.body("var a = []; for (;;) a.push('x'.repeat(1000) + a.length);")
    error = await refusal(call, loaded.pre[0])
    assert error.status == 500
    assert "JS middleware used more than 64 MiB (the body has 0 bytes)" in scene.messages("error")


async def test_a_long_call_is_repeated_apart_and_logs_once(scene: Any, call: Any) -> None:
    loaded = scene.body(
        "log('once'); var t = Date.now(); while (Date.now() - t < 60); request.SetHeaders.A = '1';"
    )
    exchange, _ = await call(loaded.pre[0])
    assert exchange.request.headers.get(b"A") == b"1"
    assert scene.messages("info") == ["once"]
    exchange, _ = await call(loaded.pre[0])
    assert exchange.request.headers.get(b"A") == b"1"


async def test_other_apis_are_served_while_one_runs_apart(
    scene: Any, call: Any, script: Any
) -> None:
    scene.start(jsvm_timeout=3)
    slow = scene.load(Hook(HookType.PRE, "m", scene.file(script("for (;;);"), "slow.js")))
    quick = scene.load(Hook(HookType.PRE, "m", scene.file(script(""), "quick.js")), api_id="api2")
    waiting = [asyncio.ensure_future(refusal(call, slow.pre[0])) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(20):
        await call(quick.pre[0])
        await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    assert [each.status for each in await asyncio.gather(*waiting)] == [500, 500, 500]


async def test_a_cancelled_call_frees_its_process(scene: Any, call: Any, new_exchange: Any) -> None:
    scene.start(jsvm_timeout=30)
    loaded = scene.body("if (request.Params.slow) for (;;); request.SetHeaders.A = '1';")
    waiting = asyncio.ensure_future(call(loaded.pre[0], new_exchange(url="/?slow=1")))
    pool = scene.host._pool
    while not pool._busy:
        await asyncio.sleep(0.01)
    pid = next(iter(pool._busy))._process.pid
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    exchange, _ = await call(loaded.pre[0], new_exchange(url="/"))
    assert exchange.request.headers.get(b"A") == b"1"


async def test_a_killed_process_refuses_its_call_and_is_replaced(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    scene.start(jsvm_timeout=30)
    loaded = scene.body("if (request.Params.slow) for (;;);")
    waiting = asyncio.ensure_future(refusal(call, loaded.pre[0], new_exchange(url="/?slow=1")))
    pool = scene.host._pool
    while not pool._busy:
        await asyncio.sleep(0.01)
    next(iter(pool._busy))._process.kill()
    assert (await waiting).status == 500
    await call(loaded.pre[0], new_exchange(url="/"))


async def test_calls_beyond_the_queue_bound_are_refused_at_once(
    scene: Any, call: Any, new_exchange: Any, monkeypatch: Any
) -> None:
    from propylon.plugins.javascript import pool

    monkeypatch.setattr(pool, "MAX_WAITING", 1)
    scene.start(jsvm_timeout=1, javascript={"max_processes": 1})
    loaded = scene.body("for (;;);")
    answers = await asyncio.gather(*(refusal(call, loaded.pre[0]) for _ in range(4)))
    assert [each.status for each in answers] == [500] * 4
    refused = [text for text in scene.messages("error") if "calls wait" in text]
    assert len(refused) == 2


async def test_deep_recursion_fails_the_call_only(scene: Any, call: Any, new_exchange: Any) -> None:
    loaded = scene.body("if (request.Params.deep) (function d() { return d() + 1 })();")
    assert (await refusal(call, loaded.pre[0], new_exchange(url="/?deep=1"))).status == 500
    await call(loaded.pre[0], new_exchange())


async def test_endless_top_level_code_is_a_refusing_hook(scene: Any, call: Any) -> None:
    scene.start(jsvm_timeout=1)
    loaded = scene.load(Hook(HookType.PRE, "m", scene.file("for (;;);")))
    assert (await refusal(call, loaded.pre[0])).status == 500


async def test_unloading_frees_the_runtimes(scene: Any, call: Any) -> None:
    def resident_kib() -> int:
        with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file of ours
            return int(file.read().split()[1]) * 4

    scene.start()
    path = scene.file(
        "var m = new TykJS.TykMiddleware.NewMiddleware({});"
        "m.NewProcessRequest(function (r) { return m.ReturnData(r, {}) });"
    )
    before = 0
    for cycle in range(120):
        loaded = scene.host.load(scene.definition(), (Hook(HookType.PRE, "m", path),))
        await call(loaded.pre[0])
        scene.host.unload(loaded)
        if cycle == 40:
            before = resident_kib()
    assert resident_kib() - before < 8 * 1024


@pytest.mark.parametrize(
    "statements",
    [
        "var s = []; s.length = 3e6; [].concat(s);",
        "var s = []; s.length = 3e6; Array.prototype.concat.call([], s);",
        "var s = {length: 3e6}; s[Symbol.isConcatSpreadable] = true; [].concat(s);",
        "var s = []; s.length = 3e6; s.forEach(function () {});",
        "var s = []; s.length = 3e6; [s].flat();",
        "var a = []; for (var i = 0; i < 18; i++) a = [a, a]; a.flat(Infinity);",
        "var s = []; s.length = 3e6; Array.from(s);",
        "var s = []; s.length = 3e6; [...s];",
    ],
)
async def test_long_native_work_moves_to_a_process_before_it_begins(
    scene: Any, new_exchange: Any, statements: str
) -> None:
    """On the loop each of these would run to its end: the result would be no awaitable."""
    scene.start(jsvm_timeout=10)
    step = scene.body(statements).pre[0]
    result = step(new_exchange())
    assert inspect.isawaitable(result)
    assert await result is None
    assert not step._pace.is_banned


async def test_a_hook_that_held_the_loop_never_returns_to_it(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    """Copying objects is an operator: nothing can be charged, and the clock is read too late."""
    scene.start(jsvm_timeout=10, javascript={"loop_budget_ms": 2})
    loaded = scene.body(
        "if (!request.Params.slow) return m.ReturnData(request, {});"
        "var o = {}; for (var i = 0; i < 5000; i++) o['k' + i] = i;"
        "for (i = 0; i < 500; i++) ({...o});"
    )
    step = loaded.pre[0]
    await call(step, new_exchange(url="/?slow=1"))
    assert step._pace.is_banned
    message = "the hook held the event loop: it runs in a process until the next reload"
    assert scene.messages("warning").count(message) == 1
    line = next(each for each in scene.logs.entries if each["event"] == message)
    assert line["hook"] == "pre:m"
    assert line["at"].endswith("plugin.js")
    for _ in range(60):
        result = step(new_exchange())
        assert inspect.isawaitable(result)
        await result


async def test_a_hook_that_was_a_little_late_returns_after_fifty_quick_calls(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    scene.start(jsvm_timeout=10)
    loaded = scene.body("if (request.Params.slow) for (var t = Date.now(); Date.now() - t < 30; );")
    step = loaded.pre[0]
    await call(step, new_exchange(url="/?slow=1"))
    assert step._pace.overran
    assert not step._pace.is_banned
    for _ in range(51):
        await call(step)
    assert step(new_exchange()) is None


async def test_top_level_code_is_bounded_on_the_loop_too(
    scene: Any, new_exchange: Any, script: Any
) -> None:
    """A runtime per call runs the files anew; their deadline at load is seconds."""
    scene.start(jsvm_timeout=10)
    before = "for (var t = Date.now(); Date.now() - t < 60; );"
    text = script("return Promise.resolve(m.ReturnData(request, {}));", before=before)
    step = scene.load(Hook(HookType.PRE, "m", scene.file(text))).pre[0]
    result = step(new_exchange())
    assert inspect.isawaitable(result)
    await result


async def test_underscore_stays_on_the_loop(scene: Any, new_exchange: Any) -> None:
    step = scene.body(
        "var o = _.pick({a: 1, b: 2, c: 3}, ['a', ['b']]), p = _.omit(o, [['a']]);"
        "request.SetHeaders.A = JSON.stringify([o, p, _.flatten([1, [2, [3, [4]]]]),"
        " _.flatten([1, [2, [3]]], true)]);"
    ).pre[0]
    exchange = new_exchange()
    assert step(exchange) is None
    found = exchange.request.headers.get(b"A")
    assert found == b'[{"a":1,"b":2},{"b":2},[1,2,3,4],[1,2,[3]]]'
