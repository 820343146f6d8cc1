"""Several workers, one child: calls cross a unix socket to the owner."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stdio_kit import ALL_HOOKS, Gateway, make_config, make_definition, make_exchange, program
from stdio_kit import refusal_of as refusal

from propylon.plugins.stdio.host import StdioHost
from propylon.plugins.stdio.owner import StdioOwner

WHO = "return {'request': {'set_headers': {'X-Pid': str(os.getpid())}}}"


@asynccontextmanager
async def workers(
    count: int, body: str, **options: Any
) -> AsyncIterator[tuple[StdioOwner, list[Gateway], Path]]:
    config = make_config(program(body), **options)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "plugin" / "owner.sock"
        owner = StdioOwner(config.coprocess_options, "0.0", str(path))
        await owner.start()
        gateways = []
        try:
            for slot in range(count):
                host = StdioHost(config, str(path), slot)
                await host.start()
                definition = make_definition()
                gateways.append(Gateway(owner, host, host.load(definition, ALL_HOOKS)))
                host.snapshot_changed((definition,))
            yield owner, gateways, path
        finally:
            for gateway in gateways:
                await gateway.host.stop()
            await owner.stop()


async def pid_seen(gateway: Gateway) -> bytes | None:
    exchange = make_exchange()
    await gateway.pre(exchange)
    return exchange.request.headers.get(b"X-Pid")


async def test_all_workers_share_one_child() -> None:
    async with workers(3, WHO) as (owner, gateways, path):
        pids = await asyncio.gather(*(pid_seen(each) for each in gateways * 50))
        assert set(pids) == {str(owner.status()["pid"]).encode()}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


async def test_worker_that_leaves_frees_its_calls() -> None:
    async with workers(2, "if call['request']['url'] == '/hang': return None\n" + WHO) as (
        owner,
        (first, second),
        _,
    ):
        hanging = asyncio.ensure_future(refusal(first.pre(make_exchange(url="/hang"))))
        await second.until(lambda status: status["in_flight"] == 1)
        await first.host.stop()
        assert await hanging == (500, "Middleware error")
        await second.until(lambda status: status["in_flight"] == 0)
        assert await pid_seen(second) == str(owner.status()["pid"]).encode()


async def test_killed_child_refuses_in_every_worker() -> None:
    async with workers(2, "return None") as (_owner, gateways, _):
        calls = [asyncio.ensure_future(refusal(each.pre(make_exchange()))) for each in gateways]
        status = await gateways[0].until(lambda status: status["in_flight"] == 2)
        os.kill(status["pid"], 9)
        assert await asyncio.gather(*calls) == [(500, "Middleware error")] * 2


async def test_lost_owner_refuses_at_once() -> None:
    async with workers(1, "return None") as (owner, (gateway,), _):
        waiting = asyncio.ensure_future(refusal(gateway.pre(make_exchange())))
        await gateway.until(lambda status: status["in_flight"] == 1)
        await owner.stop()
        assert await waiting == (500, "Middleware error")
        assert await refusal(gateway.auth(make_exchange())) == (403, "Key not authorised")


async def test_deadline_holds_across_the_socket() -> None:
    async with workers(1, "return None", coprocess_timeout_ms=100) as (_, (gateway,), _path):
        assert await refusal(gateway.pre(make_exchange())) == (500, "Middleware error")


DEEP_OR_LATE = """
if call["request"]["url"] == "/deep":
    deep = "[" * 5000 + "]" * 5000
    print('{"method": "Log", "params": {"message": "m", "fields": {"a": %s}}}' % deep)
    print('{"id": %d, "result": {"request": %s}}' % (message["id"], deep))
    return None
if call["request"]["url"] == "/metadata":
    deep = "[" * 900 + "]" * 900
    print('{"id": %d, "result": {"metadata": {"a": %s}}}' % (message["id"], deep))
    return None
if call["request"]["url"] == "/closed":
    os.close(1)
    time.sleep(60)
"""


async def test_unreadable_replies_and_lost_pipes_refuse_in_every_worker() -> None:
    async with workers(2, DEEP_OR_LATE + WHO, coprocess_timeout_ms=60_000) as (_, gateways, _path):
        for url in ("/deep", "/metadata", "/closed"):
            calls = [refusal(each.pre(make_exchange(url=url))) for each in gateways]
            assert await asyncio.gather(*calls) == [(500, "Middleware error")] * 2
        # Both calls of the last kind were at the same child.
        await gateways[0].until(lambda s: s["restarts"] >= 1 and s["state"] == "ready")
        assert len({await pid_seen(each) for each in gateways}) == 1


async def test_foreign_bytes_on_the_socket_end_that_connection_only() -> None:
    async with workers(1, WHO) as (_, (gateway,), path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1_000_000)
        writer.close()
        assert await pid_seen(gateway) is not None
