"""A worker program that serves a toy over HTTP: the real worker and sockets, no gateway.

`GET /` answers with `<pid> <state>`; `/hold` begins its answer and ends it when the file `release`
exists; `/state` is what was read from the file `state` by the build that serves. A build fails when
that file says `broken`. The folder comes from the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from propylon.apis.source_files import DefinitionFile
from propylon.errors import ConfigError
from propylon.processes.listeners import Listener
from propylon.processes.worker import BuildReport, WorkerContext, run_worker

HOLD_POLL_SECONDS = 0.01


class TinyService:
    def __init__(self, context: WorkerContext) -> None:
        self._folder = Path(context.environ["TINY_FOLDER"])
        self._slot = context.slot
        self._state = ""
        self._prepared = ""
        self._plugins: Mapping[str, Any] = {}
        self._is_shutting_down = False
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def start(
        self, listeners: Sequence[Listener], sources: Sequence[DefinitionFile]
    ) -> BuildReport:
        self._state = self._build()
        for listener in listeners:
            self._servers.append(await asyncio.start_server(self._serve, sock=listener.socket))
        return BuildReport(1)

    async def prepare(self, sources: Sequence[DefinitionFile]) -> BuildReport:
        self._prepared = self._build()
        return BuildReport(1)

    def commit(self) -> None:
        self._state = self._prepared

    def abort(self, reason: str) -> None:
        self._prepared = ""

    def announce_shutdown(self) -> None:
        self._is_shutting_down = True

    def show_plugins(self, state: Mapping[str, Any]) -> None:
        self._plugins = state

    async def drain(self, timeout_seconds: float) -> None:
        for server in self._servers:
            server.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=timeout_seconds)

    async def stop(self) -> None:
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _build(self) -> str:
        state = (self._folder / "state").read_text()
        if state == "broken":
            raise ConfigError("this state is broken", source="state")
        if state == f"broken-in-{self._slot}":
            raise ConfigError(f"broken in worker {self._slot}", source="state")
        if state == "crash":
            os.abort()
        if state == "bug":
            raise RuntimeError("a bug in the build")
        return state

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ")[1].decode()
            await self._answer(path, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        state = self._state
        ready = "stopping" if self._is_shutting_down else "ready"
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        if path == "/hold":
            writer.write(b"holding\n")
            await writer.drain()
            while not (self._folder / "release").exists():
                await asyncio.sleep(HOLD_POLL_SECONDS)
        writer.write(f"{os.getpid()} {state} {ready} {os.getppid()}".encode())
        await writer.drain()


if __name__ == "__main__":
    sys.exit(run_worker(TinyService))
