"""CPU per stdio hook call in the gateway, 32 calls in flight.

Measures the CPU time of this process (and of the owner process in relay mode) over a fixed number
of calls, against a few-line child in Node and one in Python. The child's own CPU is not counted.

    python bench/stdio_host.py [--calls N] [--plain]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
import uvloop

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.http.headers import Headers
from propylon.http.message import Request
from propylon.pipeline.exchange import Exchange
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.stdio.host import StdioHost
from propylon.plugins.stdio.owner import StdioOwner

IN_FLIGHT = 32

NODE = """
require("readline").createInterface({input: process.stdin}).on("line", (line) => {
  const id = JSON.parse(line).id; if (id !== undefined) process.stdout.write(`{"jsonrpc":"2.0",
  "id":${id},"result":{"request":{"set_headers":{"X-Hello":"1"}}}}`.replace("\\n", "") + "\\n") })
"""
PYTHON = """
import json, sys
for line in sys.stdin:
    id = json.loads(line).get("id")
    if id is not None:
        print('{"jsonrpc":"2.0","id":%s,"result":{"request":{"set_headers":{"X-Hello":"1"}}}}' % id,
              flush=True)
"""
HEADERS = [
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"Accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"Accept-Language", b"en-US,en;q=0.5"),
    (b"Accept-Encoding", b"gzip, deflate, br"),
    (b"Authorization", b"Bearer 0123456789abcdef"),
    (b"X-Request-Source", b"bench"),
]


def make_config(command: list[str]) -> Config:
    options = {
        "enable_coprocess": True,
        "coprocess_command": command[0],
        "coprocess_args": command[1:],
    }
    return msgspec.convert({"coprocess_options": options}, Config)


def make_exchange(number: int) -> Exchange:
    request = Request("GET", "/l/items/42?page=1&size=20", Headers(HEADERS), host="api.test")
    return Exchange(request, id=str(number), started_at=0.0)


async def calls_through(
    config: Config, connect: StdioOwner | str, calls: int
) -> tuple[float, float]:
    """Return CPU seconds per call: of the whole way, and of the loop around it alone."""
    definition = msgspec.convert({"api_id": "a", "proxy": {"listen_path": "/l/"}}, ApiDefinition)
    host = StdioHost(config, connect, 0)
    await host.start()
    step = host.load(definition, (Hook(HookType.PRE, "Pre"),)).pre[0]
    host.snapshot_changed((definition,))

    async def client(count: int, call: Any) -> None:
        for number in range(count):
            await call(make_exchange(number))

    async def nothing(exchange: Exchange) -> None:
        return None

    await asyncio.gather(*(client(calls // IN_FLIGHT // 10, step) for _ in range(IN_FLIGHT)))
    empty = await cpu_of(client(calls // IN_FLIGHT, nothing) for _ in range(IN_FLIGHT))
    full = await cpu_of(client(calls // IN_FLIGHT, step) for _ in range(IN_FLIGHT))
    await host.stop()
    return full / calls, empty / calls


async def cpu_of(clients: Any) -> float:
    started = process_time()
    await asyncio.gather(*clients)
    return process_time() - started


async def one_process(command: list[str], calls: int) -> str:
    config = make_config(command)
    owner = StdioOwner(config.coprocess_options, "bench")
    await owner.start()
    full, empty = await calls_through(config, owner, calls)
    status = owner.status()
    await owner.stop()
    return f"{(full - empty) * 1e6:6.1f} us (p99 {status['p99_ms']:.1f} ms)"


def own(command: list[str], path: str, pipe: Any, factory: Any) -> None:
    async def serve() -> None:
        owner = StdioOwner(make_config(command).coprocess_options, "bench", path)
        await owner.start()
        pipe.send("started")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, pipe.recv)
        started = process_time()
        await loop.run_in_executor(None, pipe.recv)
        pipe.send(process_time() - started)
        await owner.stop()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


async def relayed(command: list[str], calls: int, factory: Any) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "plugin" / "owner.sock")
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=own, args=(command, path, theirs, factory))
        process.start()
        ours.recv()
        ours.send("measure")
        full, empty = await calls_through(make_config(command), path, calls)
        ours.send("stop")
        in_owner = ours.recv() / (calls * 1.1)
        process.join()
    return f"{(full - empty) * 1e6:6.1f} us in the worker + {in_owner * 1e6:.1f} us in the owner"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=32_000)
    parser.add_argument("--plain", action="store_true", help="asyncio instead of uvloop")
    arguments = parser.parse_args()
    factory = asyncio.new_event_loop if arguments.plain else uvloop.new_event_loop
    children = {"python": [sys.executable, "-c", PYTHON]}
    if shutil.which("node"):
        children["node"] = ["node", "-e", NODE]
    with asyncio.Runner(loop_factory=factory) as runner:
        for name, command in children.items():
            print(f"{name:7s} direct ", runner.run(one_process(command, arguments.calls)))
            print(f"{name:7s} relayed", runner.run(relayed(command, arguments.calls, factory)))


if __name__ == "__main__":
    main()
