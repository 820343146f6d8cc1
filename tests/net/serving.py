"""A gateway within the test's own event loop, whose steps the test chooses."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from propylon.apis.source_files import read_source_files
from propylon.build import Builder
from propylon.config.load import load_config
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.router_build import Route, build_router
from propylon.pipeline.snapshot import Snapshot
from propylon.pipeline.step import ResponseStep, Step
from propylon.server import Server
from support.gateway_process import base_config, keyless


class NoEndpoints:
    """A gateway without system endpoints."""

    paths = frozenset[str]()

    def answer(self, request: object) -> None:
        return None


class Ended:
    """Remembers every exchange that is over."""

    def __init__(self) -> None:
        self.exchanges: asyncio.Queue[Exchange] = asyncio.Queue()

    def log(self, exchange: Exchange) -> None:
        self.exchanges.put_nowait(exchange)


@dataclass
class Serving:
    port: int
    server: Server
    snapshot: Snapshot
    ended: Ended

    async def next_ended(self) -> Exchange:
        async with asyncio.timeout(20):
            return await self.ended.exchanges.get()


class AStep:
    """A step made of a function."""

    name = "test"

    def __init__(self, work: Callable[[Exchange], Any], *, needs_body: bool = False) -> None:
        self._work = work
        self.needs_body = needs_body

    def __call__(self, exchange: Exchange) -> Any:
        return self._work(exchange)


@asynccontextmanager
async def serving(
    folder: Path,
    target_url: str,
    *,
    steps: Sequence[Step] = (),
    response_steps: Sequence[ResponseStep] = (),
    config: dict[str, Any] | None = None,
    max_body_bytes: int = 1000,
) -> AsyncIterator[Serving]:
    """Serve one keyless API on `/plain/`; at the end nothing may be left running."""
    before = asyncio.all_tasks()
    (folder / "apps").mkdir()
    (folder / "apps" / "plain.json").write_text(json.dumps(keyless(target_url)))
    (folder / "tyk.conf").write_text(json.dumps({**base_config(folder), **(config or {})}))
    loaded = load_config(str(folder / "tyk.conf"), {}, port=None).config
    ended = Ended()
    loop = asyncio.get_running_loop()
    server = Server(loaded, loop, endpoints=NoEndpoints(), access_log=ended)
    built = await Builder(loaded, {}, {}, server.pools).build(read_source_files(loaded).files)
    api = replace(
        built.apis[0],
        steps=tuple(steps),
        response_steps=tuple(response_steps),
        max_body_bytes=max_body_bytes,
    )
    router = build_router([Route(api.definition, api)], loaded)
    snapshot = Snapshot((api,), router, built.error_pages)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    await server.serve(snapshot, [sock])
    try:
        yield Serving(sock.getsockname()[1], server, snapshot, ended)
        async with asyncio.timeout(20):
            while "in_flight=0" not in repr(snapshot):
                await asyncio.sleep(0.01)
    finally:
        await server.stop()
    async with asyncio.timeout(20):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
