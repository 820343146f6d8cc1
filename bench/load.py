"""Load on one URL for some seconds: by wrk where it is, else by a client of our own.

Our client costs about as much CPU as what it measures; it runs on the other core, so it bounds the
rate and not the result.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 32


class LoadError(Exception):
    """The answers were not what a measurement needs."""


@dataclass(frozen=True, slots=True)
class Load:
    requests: int
    seconds: float


def apply_load(url: str, seconds: float, cores: set[int], body_bytes: int = 0) -> Load:
    """Keep 32 requests in flight; wait for the end. Raises `LoadError` on anything but 200s."""
    if shutil.which("wrk"):
        return _by_wrk(url, seconds, cores, body_bytes)
    arguments = [sys.executable, __file__, url, str(seconds), str(body_bytes)]
    out = _run_pinned(arguments, seconds, cores)
    document = json.loads(out)
    if document["failed"]:
        raise LoadError(f"{url}: {document['failed']} answers were not 200")
    return Load(document["requests"], document["seconds"])


def _run_pinned(command: list[str], seconds: float, cores: set[int]) -> str:
    listed = ",".join(map(str, sorted(cores)))
    done = subprocess.run(
        ["taskset", "-c", listed, *command],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
    )
    if done.returncode:
        raise LoadError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def _by_wrk(url: str, seconds: float, cores: set[int], body_bytes: int) -> Load:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "10s"]
    if body_bytes:
        script = Path(__file__).with_name("post.lua")
        command += ["-s", str(script), url, "--", str(body_bytes)]
    else:
        command.append(url)
    out = _run_pinned(command, seconds, cores)
    found = re.search(r"(\d+) requests in ([\d.]+)(m?)s", out)
    if found is None or "Non-2xx" in out or "Socket errors" in out:
        raise LoadError(f"{url}:\n{out}")
    return Load(int(found[1]), float(found[2]) / (1000 if found[3] else 1))


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it has an answer."""

    def __init__(self, message: bytes, counts: dict[str, int]) -> None:
        import httptools

        self.message = message
        self.counts = counts
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        is_ok = self.parser.get_status_code() == 200
        self.counts["requests" if is_ok else "failed"] += 1
        self.transport.write(self.message)


async def _by_ourselves(url: str, seconds: float, body_bytes: int) -> dict[str, float]:
    parts = urlsplit(url)
    method = "POST" if body_bytes else "GET"
    head = f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    head += f"Content-Length: {body_bytes}\r\n\r\n" if body_bytes else "\r\n"
    message = head.encode() + b"x" * body_bytes
    counts = {"requests": 0, "failed": 0}
    loop = asyncio.get_running_loop()
    started = loop.time()
    made = [
        await loop.create_connection(
            lambda: _Client(message, counts), parts.hostname, parts.port or 80
        )
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.abort()
    return {**counts, "seconds": loop.time() - started}


def _main() -> None:
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("seconds", type=float)
    parser.add_argument("body_bytes", type=int)
    arguments = parser.parse_args()
    result = uvloop.run(_by_ourselves(arguments.url, arguments.seconds, arguments.body_bytes))
    print(json.dumps(result))


if __name__ == "__main__":
    _main()
