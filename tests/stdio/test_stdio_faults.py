"""A plugin that dies, hangs, babbles or drowns: every request ends, none passes unplugged."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop
from stdio_kit import make_exchange, program, refusal_of, running

from propylon.errors import Refusal
from propylon.plugins.stdio.supervisor import WatchSettings

ECHO = "return {'request': {'set_headers': {'X-Seen': '1'}}}"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def outcome(gateway: Any) -> str:
    """Send one request through the Pre hook; say how it ended."""
    exchange = make_exchange()
    try:
        await gateway.pre(exchange)
    except Exception as error:
        return str(getattr(error, "status", error))
    assert exchange.request.headers.get(b"X-Seen") == b"1", "a request passed unplugged"
    return "ok"


async def test_killed_under_load_refuses_or_serves_and_comes_back(start: Any) -> None:
    gateway = await start.hook(ECHO)
    assert await outcome(gateway) == "ok"
    seen = set()
    for _ in range(5):
        pid = (await gateway.until(lambda s: s["state"] == "ready"))["pid"]
        calls = [asyncio.ensure_future(outcome(gateway)) for _ in range(200)]
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        seen.update(await asyncio.gather(*calls))
    assert seen <= {"ok", "500"}
    assert "500" in seen
    await gateway.until(lambda s: s["state"] == "ready")
    assert await outcome(gateway) == "ok"
    assert gateway.owner.status()["restarts"] == 5
    assert gateway.owner.status()["in_flight"] == 0


async def test_kill_storm_leaks_nothing() -> None:
    async with running(program(ECHO)) as gateway:
        await gateway.until(lambda s: s["state"] == "ready")
    fds, tasks = open_fds(), len(asyncio.all_tasks())
    pids = set()
    async with running(program(ECHO)) as gateway:
        for _ in range(5):
            pid = (await gateway.until(lambda s: s["state"] == "ready"))["pid"]
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
            await gateway.until(lambda s, gone=pid: s["pid"] != gone)
    assert not any(is_alive(pid) for pid in pids)
    assert len(asyncio.all_tasks()) == tasks
    assert open_fds() <= fds


async def test_garbage_is_skipped(start: Any) -> None:
    gateway = await start.hook("print('debug: here'); print('{}'); " + ECHO)
    assert [await outcome(gateway) for _ in range(20)] == ["ok"] * 20


async def test_ten_lines_of_garbage_in_a_row_end_the_child(start: Any) -> None:
    gateway = await start.hook("print('\\n'.join(['garbage'] * 10)); return None")
    assert await outcome(gateway) == "500"
    await gateway.until(lambda s: s["restarts"] >= 1)


async def test_row_014_never_answering_times_out(start: Any) -> None:
    gateway = await start.hook("return None", coprocess_timeout_ms=200)
    exchange = make_exchange()
    assert await refusal_of(gateway.pre(exchange)) == (500, "Middleware error")
    assert [each.outcome for each in exchange.hook_timings or ()] == ["timeout"]
    assert await refusal_of(gateway.auth(make_exchange())) == (403, "Key not authorised")


async def test_late_answer_is_dropped(start: Any) -> None:
    body = """
if call["request"]["url"] == "/slow":
    time.sleep(0.4)
return {'request': {'set_headers': {'X-Seen': call["request"]["url"]}}}
"""
    gateway = await start.hook(body, coprocess_timeout_ms=200)
    assert (await refusal_of(gateway.pre(make_exchange(url="/slow"))))[0] == 500
    # The plugin is still asleep: the next call may time out, and must never see the old answer.
    for _ in range(5):
        exchange = make_exchange(url="/fast")
        try:
            await gateway.pre(exchange)
        except Refusal as error:
            if error.status != 500:
                raise
            continue
        assert exchange.request.headers.get(b"X-Seen") == b"/fast"
    assert exchange.request.headers.get(b"X-Seen") == b"/fast"


async def test_flood_on_stderr_does_not_stop_the_hooks(start: Any) -> None:
    body = "sys.stderr.write('WARN ' + 'x' * 2000 + '\\n' * 50); sys.stderr.flush(); "
    flood = "[sys.stderr.write('noise ' * 100 + '\\n') for _ in range(2000)]; "
    gateway = await start.hook(body + flood + ECHO)
    assert [await outcome(gateway) for _ in range(10)] == ["ok"] * 10


async def test_answer_over_the_limit_ends_the_child(start: Any) -> None:
    body = 'out.write(\'{"jsonrpc": "2.0", "id": 1, "result": "\' + \'x\' * 100_000_000); return {}'
    gateway = await start.hook(body)
    assert await outcome(gateway) == "500"
    await gateway.until(lambda s: s["restarts"] >= 1)


async def test_call_over_the_limit_is_refused_and_harmless(start: Any) -> None:
    gateway = await start.hook(ECHO, coprocess_max_message_size=100_000)
    big = make_exchange("POST", body=b"x" * 200_000)
    assert await refusal_of(gateway.pre(big)) == (500, "Middleware error")
    assert await outcome(gateway) == "ok"


async def test_row_009_large_body_passes(start: Any) -> None:
    gateway = await start.hook("return {'request': {'body': call['request']['body'] + '!'}}")
    exchange = make_exchange("POST", body=b"x" * 20_000_000)
    await gateway.pre(exchange)
    assert isinstance(exchange.request.body, bytes)
    assert len(exchange.request.body) == 20_000_001
    assert exchange.request.headers.get(b"Content-Length") == b"20000001"


async def test_row_015_client_gone_cancels_the_call(start: Any) -> None:
    body = """
if call["request"]["url"] == "/hang":
    next(stream)
    send(id=message["id"], error={"code": -32800, "message": "cancelled"})
    return None
return {'request': {}}
"""
    gateway = await start.hook(body)
    await gateway.until(lambda s: s["state"] == "ready")
    waiting = asyncio.ensure_future(gateway.pre(make_exchange(url="/hang")))
    await gateway.until(lambda s: s["in_flight"] == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert gateway.owner.status()["in_flight"] == 0
    # The plugin waits for the notice of cancellation before it serves anything else.
    assert await gateway.pre(make_exchange(url="/next")) is None


async def test_queue_is_bounded(start: Any) -> None:
    gateway = await start.hook(
        "time.sleep(0.3); " + ECHO, coprocess_max_in_flight=1, coprocess_max_queue=2
    )
    await gateway.until(lambda s: s["state"] == "ready")
    outcomes = await asyncio.gather(*(outcome(gateway) for _ in range(6)))
    assert sorted(outcomes) == ["500", "500", "500", "ok", "ok", "ok"]


async def test_concurrency_of_the_plugin_lowers_the_limit(start: Any) -> None:
    gateway = await start.hook(
        "time.sleep(0.02); " + ECHO, initialize={"name": "one", "max_concurrency": 1}
    )
    await gateway.until(lambda s: s["state"] == "ready")
    calls = [asyncio.ensure_future(outcome(gateway)) for _ in range(5)]
    status = await gateway.until(lambda s: s["queued"] > 0)
    assert status["in_flight"] == 1
    assert await asyncio.gather(*calls) == ["ok"] * 5


async def test_program_that_cannot_run_refuses(start: Any) -> None:
    gateway = await start(["/no/such/program"])
    assert await outcome(gateway) == "500"
    await gateway.until(lambda s: s["state"] == "failed")
    assert await outcome(gateway) == "500"


async def test_silent_plugin_is_restarted_after_three_pings(start: Any) -> None:
    body = "time.sleep(3600)"
    watch = WatchSettings(idle_seconds=0.05, ping_seconds=0.05)
    gateway = await start.hook(body, watch=watch)
    assert await outcome(gateway) == "500"
    await gateway.until(lambda s: s["restarts"] >= 1)


async def test_stop_ends_the_whole_process_group(start: Any) -> None:
    body = """
import subprocess
child = subprocess.Popen(["sleep", "3600"])
return {'request': {'set_headers': {'X-Seen': str(child.pid)}}}
"""
    async with running(program(body)) as gateway:
        exchange = make_exchange()
        await gateway.pre(exchange)
        grandchild = int(exchange.request.headers.get(b"X-Seen") or b"0")
        pid = gateway.owner.status()["pid"]
    assert not is_alive(pid)
    while is_alive(grandchild) and not is_zombie(grandchild):
        await asyncio.sleep(0.005)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


async def test_plugin_that_ignores_sigterm_is_killed() -> None:
    body = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
    async with running(program(body), coprocess_stop_timeout_s=0) as gateway:
        call = asyncio.ensure_future(outcome(gateway))
        pid = (await gateway.until(lambda s: s["in_flight"] == 1))["pid"]
    assert await call == "500"
    assert not is_alive(pid)


GATEWAY = """
import asyncio, sys
from stdio_kit import running
async def main():
    async with running(["sleep", "3600"]) as gateway:
        status = await gateway.until(lambda s: s["pid"])
        print(status["pid"], flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's death signal")
async def test_killed_gateway_leaves_no_orphan() -> None:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        GATEWAY,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent,
    )
    assert gateway.stdout is not None
    lines = [await gateway.stdout.readline()]
    while not lines[-1].strip().isdigit():
        lines.append(await gateway.stdout.readline())
    pid = int(lines[-1])
    # The launcher becomes the plugin within a few milliseconds; until then it has the signal too.
    while b"sleep" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
        await asyncio.sleep(0.005)
    gateway.kill()
    await gateway.wait()
    await gateway.stdout.read()
    while is_alive(pid) and not is_zombie(pid):
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("policy", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_both_loops_serve_and_recover(policy: Any) -> None:
    async def scenario() -> None:
        async with running(program(ECHO)) as gateway:
            assert await asyncio.gather(*(outcome(gateway) for _ in range(300))) == ["ok"] * 300
            os.kill(gateway.owner.status()["pid"], signal.SIGKILL)
            await gateway.until(lambda s: s["restarts"] == 1 and s["state"] == "ready")
            assert await outcome(gateway) == "ok"

    with asyncio.Runner(loop_factory=policy) as runner:
        runner.run(scenario())
