"""The owner of the one plugin child of a gateway instance.

With one worker it lives in that worker; with several, in their supervisor, and workers come over
a unix socket in a directory that only the gateway's user may enter.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from propylon.plugins.stdio.calls import Caller, ChildFacts
from propylon.plugins.stdio.relay import PACKET_SLACK_BYTES, WorkerConnection
from propylon.plugins.stdio.settings import DEFAULT_TIMEOUT_MS, StdioSettings
from propylon.plugins.stdio.supervisor import Supervisor, WatchSettings

DEFAULT_WATCH = WatchSettings()


class StdioOwner:
    """Runs the child between `start` and `stop`; does nothing when no command is configured.

    `options` is `coprocess_options`. With `socket_path` it serves workers there; the directory is
    made with mode 0700 when it is missing.
    """

    def __init__(
        self,
        options: Any,
        gateway_version: str,
        socket_path: str | None = None,
        *,
        default_timeout_ms: int = DEFAULT_TIMEOUT_MS,
        watch: WatchSettings = DEFAULT_WATCH,
    ) -> None:
        self._settings = StdioSettings.from_options(options, default_timeout_ms=default_timeout_ms)
        self._is_wanted = bool(options.enable_coprocess and self._settings.command)
        self._gateway_version = gateway_version
        self._socket_path = None if socket_path is None else Path(socket_path)
        self._watch = watch
        self._supervisor: Supervisor | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[WorkerConnection] = set()
        self._callers: list[Caller] = []

    async def start(self) -> None:
        """Start the child, and the socket if there is one; does not wait for the handshake."""
        if not self._is_wanted:
            return
        self._supervisor = Supervisor(
            self._settings, self._gateway_version, self._tell, self._watch
        )
        if self._socket_path is not None:
            await self._serve(self._supervisor, self._socket_path)
        self._supervisor.start()

    async def stop(self) -> None:
        """End the child, its process group and the socket."""
        if self._supervisor is None:
            return
        if self._server is not None:
            self._server.close()
        await self._supervisor.stop()
        for connection in list(self._connections):
            connection.close()
        if self._server is not None:
            await self._server.wait_closed()
        if self._socket_path is not None:
            _remove(self._socket_path)

    def status(self) -> dict[str, Any]:
        """Say how the plugin is, for the health endpoint."""
        if self._supervisor is None:
            return {"state": "off"}
        return self._supervisor.status()

    # for a host in the same process; see `calls.Port`

    def attach(self, caller: Caller) -> LocalPort | None:
        """Connect a caller in this process; None when no plugin is configured."""
        if self._supervisor is None:
            return None
        self._callers.append(caller)
        caller.take_facts(self._supervisor.facts)
        return LocalPort(self._supervisor, caller)

    def detach(self, caller: Caller) -> None:
        """Forget a caller and cancel what it waits for."""
        if self._supervisor is not None and caller in self._callers:
            self._callers.remove(caller)
            self._supervisor.dispatcher.drop(caller)

    def _tell(self, facts: ChildFacts) -> None:
        for caller in (*self._callers, *self._connections):
            caller.take_facts(facts)

    async def _serve(self, supervisor: Supervisor, path: Path) -> None:
        _make_way(path)
        max_bytes = self._settings.max_message_bytes + PACKET_SLACK_BYTES
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: WorkerConnection(
                supervisor.dispatcher,
                supervisor.announce,
                self._connections,
                lambda: supervisor.facts,
                max_bytes,
            ),
            path,
        )


class LocalPort:
    """The way to a child owned by this very process."""

    __slots__ = ("_caller", "_dispatcher", "_supervisor")

    def __init__(self, supervisor: Supervisor, caller: Caller) -> None:
        self._supervisor = supervisor
        self._dispatcher = supervisor.dispatcher
        self._caller = caller

    def submit(self, call_id: int, frame: bytes) -> None:
        self._dispatcher.submit(self._caller, call_id, frame)

    def cancel(self, call_id: int) -> None:
        self._dispatcher.cancel(call_id)

    def announce(self, table: bytes) -> None:
        self._supervisor.announce(table)


def _make_way(path: Path) -> None:
    """Make the directory that protects the socket, and remove the socket of a former owner."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
