"""What one worker owns while it serves: clock, upstream pools, listeners, connections, gateway.

It starts and ends these things in order; what happens to a request is in `gateway`.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import ssl
from collections.abc import Callable, Iterable
from socket import socket

from propylon.config.model import Config
from propylon.gateway import ExchangeLog, Gateway, SystemEndpoints
from propylon.http.request_reader import HeadLimits
from propylon.net.client_connection import ClientConnection, ClientLimits, Service
from propylon.net.clock import Clock
from propylon.net.tls import CertificatePair, listener_context, read_pem_pairs
from propylon.net.upstream_pool import UpstreamPools
from propylon.pipeline.router_build import build_router
from propylon.pipeline.snapshot import Snapshot

# How often a drain looks whether the last request has ended.
DRAIN_POLL_SECONDS = 0.02


class Server:
    """The data plane of one worker. Made on its event loop; `stop` gives everything back."""

    def __init__(
        self,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        *,
        endpoints: SystemEndpoints,
        access_log: ExchangeLog | None,
    ) -> None:
        self._config = config
        self._loop = loop
        self._endpoints = endpoints
        self._access_log = access_log
        self._clock = Clock(loop)
        self._gateways: list[Gateway] = []
        self._listeners: list[asyncio.Server] = []
        self._services: list[Service] = []
        self._next_id = _request_ids()
        self.pools = UpstreamPools(
            self._clock,
            loop,
            max_idle_per_origin=config.max_idle_connections_per_host,
            idle_seconds=float(config.http_limits.upstream_idle_timeout_s),
            keeps_alive=not config.proxy_close_connections,
        )

    async def serve(
        self,
        snapshot: Snapshot,
        main: Iterable[socket],
        control: Iterable[socket] = (),
    ) -> None:
        """Accept connections: APIs on `main`, the system endpoints there or on `control` alone."""
        control = list(control)
        tls = _listener_tls(self._config)
        gateway = self._make_gateway(snapshot, None if control else self._endpoints)
        await self._listen(gateway, main, tls)
        if control:
            nothing = Snapshot((), build_router([], self._config), snapshot.error_pages)
            await self._listen(self._make_gateway(nothing, self._endpoints), control, tls)

    def swap(self, snapshot: Snapshot, on_retired: Callable[[Snapshot], None]) -> None:
        """Serve new requests from `snapshot`; call back when the old one has no request left."""
        self._gateways[0].swap(snapshot, on_retired)

    async def drain(self, timeout_seconds: float) -> None:
        """Stop accepting, end idle connections, wait for requests under way, then cut the rest."""
        for listener in self._listeners:
            listener.close()
        for service in self._services:
            service.is_draining = True
            for connection in list(service.connections):
                connection.close_when_idle()
        end = self._loop.time() + timeout_seconds
        while self._connection_count() and self._loop.time() < end:  # noqa: ASYNC110 - many events
            await asyncio.sleep(DRAIN_POLL_SECONDS)
        for service in self._services:
            for connection in list(service.connections):
                connection.abort()

    async def stop(self) -> None:
        """Close everything that is still open."""
        await self.drain(0)
        self.pools.abort()
        self._clock.stop()
        await asyncio.sleep(0)  # lets the transports report that they are closed

    # -- parts -----------------------------------------------------------------------------------

    def _connection_count(self) -> int:
        return sum(len(service.connections) for service in self._services)

    def _make_gateway(self, snapshot: Snapshot, endpoints: SystemEndpoints | None) -> Gateway:
        options = self._config.http_server_options
        gateway = Gateway(
            snapshot,
            self.pools,
            self._loop,
            endpoints=endpoints,
            access_log=self._access_log,
            cleans_urls=not options.skip_url_cleaning,
            max_request_body_bytes=options.max_request_body_size,
            silence_seconds=float(options.write_timeout or 120),
            logs_not_found=self._config.track_404_logs,
        )
        self._gateways.append(gateway)
        return gateway

    async def _listen(
        self, gateway: Gateway, sockets: Iterable[socket], tls: ssl.SSLContext | None
    ) -> None:
        service = Service(
            gateway,
            self._clock,
            _client_limits(self._config),
            next_id=self._next_id,
            is_tls=tls is not None,
        )
        self._services.append(service)
        for each in sockets:
            listener = await self._loop.create_server(
                lambda: ClientConnection(service, self._loop),
                sock=each,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else service.limits.header_seconds,
            )
            self._listeners.append(listener)


def _request_ids() -> Callable[[], str]:
    """Number requests within this worker; the prefix tells workers and restarts apart."""
    prefix = secrets.token_hex(6)
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers):08x}"


def _client_limits(config: Config) -> ClientLimits:
    limits, options = config.http_limits, config.http_server_options
    return ClientLimits(
        head=HeadLimits(limits.max_head_bytes, limits.max_header_count),
        header_seconds=float(limits.header_timeout_s),
        idle_seconds=float(limits.idle_timeout_s),
        read_seconds=float(options.read_timeout or 120),
        write_seconds=float(options.write_timeout or 120),
        max_connections=limits.max_connections,
        allows_upgrade=options.enable_websockets,
        closes_connections=config.close_connections,
    )


def _listener_tls(config: Config) -> ssl.SSLContext | None:
    options = config.http_server_options
    if not options.use_ssl:
        return None
    pairs = [
        CertificatePair(each.cert_file, each.key_file, each.domain_name)
        for each in options.certificates
    ]
    return listener_context(
        [*pairs, *read_pem_pairs(options.ssl_certificates)],
        min_version=options.min_version,
        max_version=options.max_version,
        ciphers=options.ssl_ciphers,
    )
