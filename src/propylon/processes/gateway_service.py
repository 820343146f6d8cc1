"""What a worker of the real gateway serves: the border between processes and the data plane.

Every name of the assembly that a worker uses is used here and nowhere else in this package.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from socket import socket
from typing import Any

from propylon.apis.source_files import DefinitionFile
from propylon.build import Builder
from propylon.observe.access_log import AccessLog
from propylon.observe.health import ApiFailure, GatewayState, HealthEndpoints
from propylon.observe.logs import get_logger
from propylon.pipeline.snapshot import Snapshot
from propylon.plugins.hosts import make_hosts
from propylon.processes.listeners import Listener
from propylon.processes.worker import BuildReport, WorkerContext
from propylon.server import Server

log = get_logger("main")


class GatewayService:
    """Owns the plugin hosts, the builder and the server of one worker."""

    def __init__(self, context: WorkerContext) -> None:
        config = context.config
        self._is_first_worker = context.slot == 0
        self._is_replacement = context.is_replacement
        self._state = GatewayState()
        self._state.plugins = self._plugins
        self._plugin_state: Mapping[str, Any] | None = None
        self._prepared: Snapshot | None = None
        self._hosts = make_hosts(config, context.plugin_socket, context.slot)
        self._server = Server(
            config,
            asyncio.get_running_loop(),
            endpoints=HealthEndpoints(config, self._state),
            access_log=AccessLog.from_config(config),
        )
        self._builder = Builder(config, context.environ, self._hosts.by_driver, self._server.pools)

    async def start(
        self, listeners: Sequence[Listener], sources: Sequence[DefinitionFile]
    ) -> BuildReport:
        await self._hosts.start()
        snapshot = await self._builder.build(sources)
        await self._server.serve(
            snapshot, _sockets(listeners, "main"), _sockets(listeners, "control")
        )
        return self._show(snapshot)

    async def prepare(self, sources: Sequence[DefinitionFile]) -> BuildReport:
        self._discard()
        self._prepared = await self._builder.build(sources)
        return _report(self._prepared)

    def commit(self) -> None:
        snapshot, self._prepared = self._prepared, None
        if snapshot is not None:
            self._server.swap(snapshot, self._builder.discard)
            self._show(snapshot)

    def abort(self, reason: str) -> None:
        self._discard()
        self._state.reload_failed(reason)

    def announce_shutdown(self) -> None:
        self._state.is_shutting_down = True

    def show_plugins(self, state: Mapping[str, Any]) -> None:
        self._plugin_state = state

    async def drain(self, timeout_seconds: float) -> None:
        self._state.is_shutting_down = True
        await self._server.drain(timeout_seconds)

    async def stop(self) -> None:
        self._discard()
        await self._server.stop()
        await self._hosts.stop()

    def _plugins(self) -> Mapping[str, object] | None:
        """The child's state: from the supervisor when it owns the child, else from our host."""
        if self._plugin_state is not None:
            return self._plugin_state
        return self._hosts.status()

    def _discard(self) -> None:
        snapshot, self._prepared = self._prepared, None
        if snapshot is not None:
            self._builder.discard(snapshot)

    def _show(self, snapshot: Snapshot) -> BuildReport:
        failures = [
            ApiFailure(source=failure.source, reason=failure.message, api_id=failure.api_id)
            for failure in snapshot.failures
        ]
        report = _report(snapshot)
        self._builder.serves(snapshot)
        self._state.loaded(report.api_count, failures)
        if self._is_first_worker:
            _log_loaded(snapshot)
        if self._is_first_worker or self._is_replacement:
            _log_failures(snapshot)
        # From now on it is like the others, and one speaks for all of them.
        self._is_replacement = False
        return report


def _sockets(listeners: Sequence[Listener], role: str) -> list[socket]:
    return [listener.socket for listener in listeners if listener.role == role]


def _report(snapshot: Snapshot) -> BuildReport:
    return BuildReport(
        len(snapshot.apis), frozenset(failure.source for failure in snapshot.failures)
    )


def _log_loaded(snapshot: Snapshot) -> None:
    """Name every API; one worker speaks for all, they have the same files."""
    log.info(f"Detected {len(snapshot.apis)} APIs", count=len(snapshot.apis))
    for definition in snapshot.definitions:
        log.info("API Loaded", api_id=definition.api_id, api_name=definition.name)


def _log_failures(snapshot: Snapshot) -> None:
    for failure in snapshot.failures:
        log.error(
            "API could not be loaded",
            source=failure.source,
            api_id=failure.api_id,
            api_name=failure.name,
            error=failure.message,
        )
