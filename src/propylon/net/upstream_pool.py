"""Connections to upstreams, kept alive per origin and shared by all APIs of a worker.

Pools outlive snapshots, so a reload costs no new connections. Which connection to use is decided
here; what happens on it is the connection's affair.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from propylon.net.clock import Clock
from propylon.net.tls import upstream_context
from propylon.net.upstream_connection import UpstreamConnection, UpstreamTimeout
from propylon.pipeline.target import Target, UpstreamTrust

# An upstream's own keep-alive limits are rarely above this; the newest idle connection is used
# first, so the oldest end by themselves.
MAX_IDLE_PER_ORIGIN = 256
TLS_HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Origin:
    """One place to connect to. Connections are shared only between equal origins.

    `trust` is None for cleartext; APIs that verify differently never share a connection.
    """

    host: str
    port: int
    trust: UpstreamTrust | None = None

    @classmethod
    def of(cls, target: Target) -> Origin:
        return cls(target.host, target.port, target.trust if target.scheme == "https" else None)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class OriginPool:
    """The idle connections to one origin, newest last."""

    __slots__ = (
        "_clock",
        "_idle",
        "_idle_seconds",
        "_loop",
        "_max_idle",
        "_open",
        "_origin",
        "_tls",
    )

    def __init__(
        self,
        origin: Origin,
        tls: ssl.SSLContext | None,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        max_idle: int,
        idle_seconds: float,
    ) -> None:
        self._origin = origin
        self._tls = tls
        self._clock = clock
        self._loop = loop
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()

    def __repr__(self) -> str:
        return f"<OriginPool {self._origin} idle={len(self._idle)} open={len(self._open)}>"

    def __str__(self) -> str:
        return str(self._origin)

    def take_idle(self) -> UpstreamConnection | None:
        """Return a kept-alive connection, or None when a new one must be made."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def connect(self, seconds: float) -> UpstreamConnection:
        """Open a connection. Raises `UpstreamTimeout` or the `OSError` of the attempt."""
        origin = self._origin
        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {
                "ssl": self._tls,
                "server_hostname": origin.host,
                "ssl_handshake_timeout": min(seconds, TLS_HANDSHAKE_SECONDS),
            }
        try:
            async with asyncio.timeout(seconds):
                _, connection = await self._loop.create_connection(
                    self._make, origin.host, origin.port, **tls
                )
        except TimeoutError as error:
            raise UpstreamTimeout(f"no connection to {origin} within {seconds} s") from error
        connection.address = str(origin)
        self._open.add(connection)
        return connection

    def close(self) -> None:
        """Close what is idle; connections in use end with their exchange."""
        for connection in list(self._idle):
            if connection.transport is not None:
                connection.transport.close()
        self._idle.clear()

    def abort(self) -> None:
        """Cut everything, in use or not."""
        for connection in list(self._open):
            connection.abort()

    def _make(self) -> UpstreamConnection:
        return UpstreamConnection(self._clock, self._give_back, self._idle_seconds)

    def _give_back(self, connection: UpstreamConnection, is_reusable: bool) -> None:
        if is_reusable and len(self._idle) < self._max_idle:
            self._idle.append(connection)
            return
        self._open.discard(connection)
        if is_reusable and connection.transport is not None:
            connection.transport.close()
        elif connection in self._idle:
            self._idle.remove(connection)


class UpstreamPools:
    """All origins of a worker."""

    def __init__(
        self,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        max_idle_per_origin: int = 0,
        idle_seconds: float = 90.0,
        keeps_alive: bool = True,
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._max_idle = (max_idle_per_origin or MAX_IDLE_PER_ORIGIN) if keeps_alive else 0
        self._idle_seconds = idle_seconds
        self._pools: dict[Origin, OriginPool] = {}
        self._by_target: dict[Target, OriginPool] = {}
        self._contexts: dict[UpstreamTrust, ssl.SSLContext] = {}

    def pool(self, target: Target) -> OriginPool:
        """Return the pool of a target that was prepared."""
        return self._by_target[target]

    def prepare(self, targets: Iterable[Target]) -> None:
        """Make the pools of a snapshot's targets; `ConfigError` for unusable TLS settings."""
        for target in targets:
            origin = Origin.of(target)
            pool = self._pools.get(origin)
            if pool is None:
                pool = self._pools[origin] = OriginPool(
                    origin,
                    self._context(origin.trust),
                    self._clock,
                    self._loop,
                    max_idle=self._max_idle,
                    idle_seconds=self._idle_seconds,
                )
            self._by_target[target] = pool

    def forget(self, targets: Iterable[Target]) -> None:
        """A snapshot is gone: close the idle connections to origins that no other one names."""
        for target in targets:
            self._by_target.pop(target, None)
        used = set(self._by_target.values())
        for origin, pool in list(self._pools.items()):
            if pool not in used:
                pool.close()
                del self._pools[origin]

    def _context(self, trust: UpstreamTrust | None) -> ssl.SSLContext | None:
        if trust is None:
            return None
        context = self._contexts.get(trust)
        if context is None:
            context = self._contexts[trust] = upstream_context(trust)
        return context

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def abort(self) -> None:
        for pool in self._pools.values():
            pool.abort()
