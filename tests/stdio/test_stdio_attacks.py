"""Replies made to hurt the gateway: too many edits, too deep, no text, no JSON-RPC."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from stdio_kit import make_exchange, program, running
from structlog.testing import capture_logs

from propylon.errors import Refusal
from propylon.http.headers import Headers
from propylon.http.message import Response

MIB = 1024 * 1024
ECHO = "return {'request': {'set_headers': {'X-Seen': '1'}}}"


async def reason_of(awaitable: Any) -> str:
    """Return why the hook refused with 500."""
    with pytest.raises(Refusal) as refused:
        await awaitable
    assert refused.value.status == 500
    return refused.value.reason


def attack(case: str) -> str:
    """Return a hook body that hurts at /hurt only."""
    many = "MANY = {f'X-{n}': '1' for n in range(15000)}"
    return f"{many}\nif call['request']['url'] == '/hurt':\n    {case}\n{ECHO}"


async def serves(gateway: Any) -> bool:
    exchange = make_exchange(url="/fine")
    await gateway.pre(exchange)
    return exchange.request.headers.get(b"X-Seen") == b"1"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- what one reply may change ----------------------------------------------------------------

EXCESSES = [
    ("'set_headers': {f'X-{n}': '1' for n in range(1001)}", "1001 header edits"),
    ("'set_headers': {f'X-{n}': '1' for n in range(15000)}", "15000 header edits"),
    ("'delete_headers': [f'X-{n}' for n in range(1001)]", "1001 header edits"),
    ("'set_headers': {f'X-{n}': 'x' * 300 for n in range(900)}", "header block of 27"),
    ("'set_headers': {'X': 'x' * 262144}", "header block of 262149 bytes"),
    ("'add_params': {str(n): '1' for n in range(15000)}", "15000 parameter edits"),
    ("'delete_params': [str(n) for n in range(1001)]", "1001 parameter edits"),
    ("'add_params': {'a': 'é' * 300000}", "300001 characters"),
    ("'url': '/' + ' ' * 300000", "request.url: 300001 characters"),
    ("'method': 'A' * 300000", "request.method: 300000 characters"),
    ("'return_overrides': {'response_code': 200, 'headers': MANY}", "15000 header edits"),
]


@pytest.mark.parametrize("verbatim", [False, True])
@pytest.mark.parametrize(("edits", "words"), EXCESSES)
async def test_row_010_edits_are_bounded(
    start: Any, edits: str, words: str, verbatim: bool
) -> None:
    gateway = await start.hook(attack(f"return {{'request': {{{edits}}}}}"), verbatim=verbatim)
    assert words in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    assert await serves(gateway)
    assert gateway.owner.status()["restarts"] == 0


@pytest.mark.parametrize("verbatim", [False, True])
async def test_as_many_edits_as_allowed_are_applied_in_order(start: Any, verbatim: bool) -> None:
    case = (
        "return {'request': {'set_headers': {f'x-{n}': str(n) for n in range(998)}, "
        "'delete_headers': ['x-A', 'X-999'], "
        "'add_params': {str(n): '1' for n in range(1000)}}}"
    )
    gateway = await start.hook(attack(case), verbatim=verbatim)
    lines = [(b"X-A", b"a"), (b"X-5", b"old"), (b"X-B", b"b"), (b"X-5", b"older")]
    exchange = make_exchange(url="/hurt", headers=lines)
    await gateway.pre(exchange)
    names = [name for name, _ in exchange.request.headers]
    if verbatim:
        assert names == [b"X-B", *(b"x-%d" % n for n in range(998))]
    else:
        assert names == [b"X-5", b"X-B", *(b"X-%d" % n for n in range(998) if n != 5)]
    assert exchange.request.url == "/hurt?" + "&".join(f"{n}=1" for n in range(1000))


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ("'headers': {f'X-{n}': '1' for n in range(15000)}", "15000 header edits"),
        ("'headers': {'X': 'x' * 262144}", "header block of 262149 bytes"),
        (
            "'multivalue_headers': [{'key': 'X', 'values': ['1'] * 15000}]",
            "15000 header edits",
        ),
    ],
)
async def test_row_010_answers_are_bounded(start: Any, edits: str, words: str) -> None:
    gateway = await start.hook(f"return {{'response': {{{edits}}}}}")
    exchange = make_exchange()
    exchange.response = Response(200, Headers([(b"X-A", b"1")]), b"body")
    assert words in await reason_of(gateway.response(exchange))


@pytest.mark.parametrize("scheme", ["tyk", "TYK", "Tyk"])
async def test_internal_redirects_are_refused_in_any_case(start: Any, scheme: str) -> None:
    gateway = await start.hook(attack(f"return {{'request': {{'url': '{scheme}://self/x'}}}}"))
    assert "internal redirect" in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    gateway = await start.hook(f"return {{'request': {{'url': '{scheme}://self/x'}}}}")
    rewritten = make_exchange(rewritten_url="http://upstream.test/y")
    assert "internal redirect" in await reason_of(gateway.pre(rewritten))


# --- replies that cannot be read --------------------------------------------------------------

DEEP = "('[' * 5000 + ']' * 5000)"

UNREADABLE = [
    (f'\'{{"jsonrpc": "2.0", "id": %d, "result": \' % id + {DEEP} + "}}"', "cannot be read"),
    (f'\'{{"result": \' + {DEEP} + \', "id": "%d"}}\' % id', "cannot be read"),
    ('\'{"id": %d, "result": {"a": \' % id', "cannot be read"),
    ('\'{"id": %d, "result": {"request": NaN}}\' % id', "cannot be read"),
    ('\'{"id": %d, "error": "boom"}\' % id', "boom"),
    ('\'{"id": %d, "error": {"code": "E7", "message": 5}}\' % id', "E7 5"),
    ('\'{"id": %d, "error": {"message": "%s"}}\' % (id, \'x\' * 9000)', "error 0: xxx"),
    ("'{\"id\": %d}' % id", "neither result nor error"),
    ('\'{"id": %d, "method": 5, "result": {}}\' % id', "odd shape"),
    ('\'{"id": %d, "result": null}\' % id', "expected an object"),
    (f'\'{{"id": %d, "result": {{"request": %s}}}}\' % (id, {DEEP}[4100:5900])', "result"),
]


@pytest.mark.parametrize(("line", "words"), UNREADABLE)
async def test_row_014_unreadable_reply_fails_its_call_at_once(
    start: Any, line: str, words: str
) -> None:
    body = attack(f"id = message['id']; print({line}); return None")
    gateway = await start.hook(body, coprocess_timeout_ms=60_000)
    # More often than the child may write garbage: these are replies.
    for _ in range(12):
        assert words in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    assert await serves(gateway)
    assert gateway.owner.status()["restarts"] == 0


NAMELESS = [
    f"'{{\"result\": ' + {DEEP} + '}}'",
    f"'[{{\"result\": ' + {DEEP} + '}}]'",
    f'\'{{"id": \' + {DEEP} + \', "method": "GetData"}}\'',
]


@pytest.mark.parametrize("line", NAMELESS)
async def test_deep_reply_without_an_id_ends_the_child(start: Any, line: str) -> None:
    gateway = await start.hook(attack(f"print({line}); return None"), coprocess_timeout_ms=60_000)
    assert "without an id" in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    await gateway.until(lambda status: status["state"] == "ready" and status["restarts"] == 1)
    assert await serves(gateway)


@pytest.mark.parametrize("depth", [400, 900, 990, 5000])
async def test_deep_messages_of_the_plugin_do_no_harm(start: Any, depth: int) -> None:
    case = f"""
    deep = '[' * {depth} + ']' * {depth}
    print('{{"method": "Log", "params": {{"message": "m", "fields": {{"a": %s}}}}}}' % deep)
    print('{{"method": "TriggerEvent", "params": {{"name": "a", "payload": %s}}}}' % deep)
    if {depth} < 950:
        print('{{"id": %s, "method": "GetData", "params": {{"key": "a"}}}}' % deep)
    return {{'request': {{'set_headers': {{'X-Seen': '2'}}}}}}
"""
    gateway = await start.hook(attack(case.strip()))
    exchange = make_exchange(url="/hurt")
    await gateway.pre(exchange)
    assert exchange.request.headers.get(b"X-Seen") == b"2"
    assert await serves(gateway)
    assert gateway.owner.status()["restarts"] == 0


async def test_lone_surrogates_become_replacement_characters(start: Any) -> None:
    case = r"""
    text = '"a\\ud83d", "\\ude00b", "\\ud83d\\ude00", "\\\\ud83d"'.split(", ")
    set_headers = ", ".join(f'"X-{n}": {each}' for n, each in enumerate(text))
    reply = '{"set_headers": {%s}, "body": "cut \\ud83d"}' % set_headers
    print('{"id": %d, "result": {"request": %s}}' % (message["id"], reply))
    return None
"""
    gateway = await start.hook(attack(case.strip()))
    for _ in range(12):
        exchange = make_exchange("POST", url="/hurt", body=b"x")
        await gateway.pre(exchange)
        values = [exchange.request.headers.get(b"X-%d" % n) for n in range(4)]
        assert [(value or b"").decode() for value in values] == [
            "a\ufffd",
            "\ufffdb",
            "\U0001f600",
            "\\ud83d",
        ]
        assert exchange.request.body == "cut \ufffd".encode()
    assert gateway.owner.status()["restarts"] == 0


# --- pipes that end, or do not ----------------------------------------------------------------


@pytest.mark.parametrize("policy", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("sys.stdout.flush(); os.close(1); time.sleep(60)", "closed its stdout"),
        ("os.close(0); time.sleep(60)", "closed its stdin"),
    ],
)
def test_closed_pipe_ends_the_child_at_once(
    policy: Callable[[], asyncio.AbstractEventLoop], case: str, words: str
) -> None:
    async def scenario() -> None:
        async with running(program(attack(case)), coprocess_timeout_ms=60_000) as gateway:
            assert await serves(gateway)
            calls = [gateway.pre(make_exchange(url="/hurt")) for _ in range(3)]
            reasons = await asyncio.gather(*map(reason_of, calls))
            assert [words in reason for reason in reasons] == [True] * 3
            await gateway.until(lambda s: s["state"] == "ready" and s["restarts"] == 1)
            assert await serves(gateway)

    with asyncio.Runner(loop_factory=policy) as runner:
        runner.run(scenario())


async def test_exit_status_is_known_though_the_pipes_end_first(
    start: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = await start.hook(attack("os.close(1); time.sleep(0.05); os._exit(3)"))
    await reason_of(gateway.pre(make_exchange(url="/hurt")))
    await gateway.until(lambda status: status["restarts"] == 1)
    printed = "".join(capfd.readouterr())
    assert "exit status 3" in printed


async def test_half_a_line_ends_at_the_deadline(start: Any) -> None:
    case = "sys.stdout.write('{\"id\":'); sys.stdout.flush(); time.sleep(60)"
    gateway = await start.hook(attack(case), coprocess_timeout_ms=300)
    assert "no answer within" in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    assert "no answer within" in await reason_of(gateway.pre(make_exchange(url="/fine")))


async def test_plugin_that_stops_reading_is_bounded_in_memory_and_time(start: Any) -> None:
    case = "time.sleep(60)"
    gateway = await start.hook(attack(case), coprocess_timeout_ms=1500)
    assert await serves(gateway)
    before = resident_bytes()
    body = b"x" * (60 * MIB)
    calls = [gateway.pre(make_exchange("POST", url="/hurt", body=body)) for _ in range(8)]
    reasons = await asyncio.gather(*map(reason_of, calls))
    assert all("no answer" in each or "wait already" in each for each in reasons)
    # Four messages of the largest size may wait, and one is at the child.
    assert sum("wait already" in each for each in reasons) == 3
    gc.collect()
    assert resident_bytes() - before < 4 * 64 * MIB
    assert gateway.owner.status()["queued"] == 0


async def test_grandchild_with_the_pipes_does_not_stop_the_restart(start: Any) -> None:
    case = """
    import subprocess
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(8)"], start_new_session=True)
    os._exit(4)
"""
    gateway = await start.hook(attack(case.strip("\n").strip()))
    assert await serves(gateway)
    fds = open_fds()
    for restarts in (1, 2, 3):
        assert "down" in await reason_of(gateway.pre(make_exchange(url="/hurt")))
        await gateway.until(lambda s, n=restarts: s["state"] == "ready" and s["restarts"] == n)
        assert await serves(gateway)
    assert open_fds() <= fds


async def test_plugin_that_ends_at_once_is_restarted_with_growing_waits() -> None:
    command = [sys.executable, "-c", ""]
    with capture_logs() as lines:
        async with running(
            command, coprocess_restart={"initial_ms": 10, "max_ms": 80, "jitter": 0}
        ) as gateway:
            await gateway.until(lambda status: status["restarts"] >= 6)
            assert gateway.owner.status()["state"] in ("failed", "starting")
    waits = [line["seconds"] for line in lines if "seconds" in line]
    assert waits[:5] == [0.01, 0.02, 0.04, 0.08, 0.08]
    starts = [line for line in lines if "requests that need it are refused" in line["event"]]
    # One report and one wait for each start: nothing restarts in between.
    assert len(starts) - len(waits) in (0, 1)
