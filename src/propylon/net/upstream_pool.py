"""Connections to upstreams, kept alive per origin and shared by all APIs of a worker.

Pools outlive snapshots, so a reload costs no new connections. Which connection to use is decided
here; what happens on it is the connection's affair.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Any

from propylon.net.clock import Clock
from propylon.net.upstream_connection import UpstreamConnection, UpstreamTimeout

# An upstream's own keep-alive limits are rarely above this; the newest idle connection is used
# first, so the oldest end by themselves.
MAX_IDLE_PER_ORIGIN = 256
TLS_HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Origin:
    """One place to connect to. Connections are shared only between equal origins.

    `tls` is None for cleartext; contexts are compared by identity, so that APIs with different
    trust never share a connection.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class OriginPool:
    """The idle connections to one origin, newest last."""

    __slots__ = ("_clock", "_idle", "_idle_seconds", "_loop", "_max_idle", "_open", "_origin")

    def __init__(
        self,
        origin: Origin,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        max_idle: int,
        idle_seconds: float,
    ) -> None:
        self._origin = origin
        self._clock = clock
        self._loop = loop
        self._max_idle = max_idle
        self._idle_seconds = idle_seconds
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()

    def __repr__(self) -> str:
        return f"<OriginPool {self._origin} idle={len(self._idle)} open={len(self._open)}>"

    @property
    def is_empty(self) -> bool:
        return not self._open

    def take_idle(self) -> UpstreamConnection | None:
        """Return a kept-alive connection, or None when a new one must be made."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def connect(self, timeout: float) -> UpstreamConnection:
        """Open a connection. Raises `UpstreamTimeout` or the `OSError` of the attempt."""
        origin = self._origin
        tls: dict[str, Any] = {}
        if origin.tls is not None:
            tls = {
                "ssl": origin.tls,
                "server_hostname": origin.server_name or origin.host,
                "ssl_handshake_timeout": min(timeout, TLS_HANDSHAKE_SECONDS),
            }
        try:
            async with asyncio.timeout(timeout):
                _, connection = await self._loop.create_connection(
                    self._make, origin.host, origin.port, **tls
                )
        except TimeoutError as error:
            raise UpstreamTimeout(f"no connection to {origin} within {timeout} s") from error
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

    def pool(self, origin: Origin) -> OriginPool:
        """Return the pool of an origin, made on first use."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = OriginPool(
                origin,
                self._clock,
                self._loop,
                max_idle=self._max_idle,
                idle_seconds=self._idle_seconds,
            )
        return pool

    def retain(self, origins: frozenset[Origin]) -> None:
        """Forget the origins that no snapshot names any more."""
        for origin in [each for each in self._pools if each not in origins]:
            pool = self._pools[origin]
            pool.close()
            if pool.is_empty:
                del self._pools[origin]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def abort(self) -> None:
        for pool in self._pools.values():
            pool.abort()
