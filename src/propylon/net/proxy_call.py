"""One request on its way to an upstream and back: connect, send, wait, and say what went wrong.

The errors of sockets become the answers of gateway-core 3.12 here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from time import monotonic
from typing import Protocol

from propylon.errors import Refusal
from propylon.http.body import BodyBroken
from propylon.http.headers import Headers
from propylon.http.message import Response
from propylon.http.writer import drop_hop_by_hop
from propylon.net.client_connection import ClientConnection
from propylon.net.upstream_connection import (
    UpstreamClosed,
    UpstreamConnection,
    UpstreamTimeout,
)
from propylon.net.upstream_pool import OriginPool
from propylon.observe.logs import get_logger
from propylon.pipeline.api import Api
from propylon.pipeline.exchange import Exchange

log = get_logger("proxy")

# Methods whose request may be sent again when a kept-alive connection turns out dead
# (RFC 9110, 9.2.2; the set of Go's transport).
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class AnswerTaker(Protocol):
    """Who goes on with the answer, or with the refusal that stands for it."""

    def upstream_answered(
        self,
        call: ProxyCall,
        outcome: Response | Refusal,
        connection: UpstreamConnection | None,
    ) -> None: ...


class ProxyCall:
    """The state of one forwarded request; made per request."""

    __slots__ = (
        "_connection",
        "_head",
        "_is_repeated",
        "_loop",
        "_pool",
        "_response_seconds",
        "_silence_seconds",
        "_started_at",
        "_taker",
        "_task",
        "api",
        "client",
        "exchange",
    )

    def __init__(
        self,
        taker: AnswerTaker,
        loop: asyncio.AbstractEventLoop,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        *,
        silence_seconds: float,
    ) -> None:
        self._taker = taker
        self._loop = loop
        self.exchange = exchange
        self.api = api
        self.client = client
        seconds = exchange.upstream_timeout
        self._response_seconds = api.response_seconds if seconds is None else seconds
        self._silence_seconds = silence_seconds
        self._connection: UpstreamConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_repeated = False

    def start(self, pool: OriginPool, head: bytes) -> None:
        """Send the request on an idle connection, or open one."""
        self._pool = pool
        self._head = head
        self._started_at = monotonic()
        connection = pool.take_idle()
        if connection is not None:
            self._send(connection)
        else:
            self._task = self._loop.create_task(self._connect())

    def cancel(self) -> None:
        """The client is gone: nobody waits for the upstream any more."""
        if self._task is not None:
            self._task.cancel()
        if self._connection is not None:
            self._connection.cancel(self)

    # -- called by the connection --------------------------------------------------------------

    def call_answered(self, response: Response, connection: UpstreamConnection) -> None:
        exchange = self.exchange
        exchange.upstream_seconds = monotonic() - self._started_at
        if response.status == 101 and not exchange.request.upgrade:
            connection.abort()
            self._refuse(UpstreamClosed("101 without being asked", is_stale=False))
            return
        if response.status == 101:  # the upstream chose among what the client offered
            exchange.request.upgrade = response.headers.get(b"Upgrade") or b""
        response.headers = Headers(drop_hop_by_hop(response.headers.items))
        response.runs_response_chain = True
        self._taker.upstream_answered(self, response, connection)

    def call_interim(self, response: Response) -> None:
        response.headers = Headers(drop_hop_by_hop(response.headers.items))
        self.client.send_interim(response)

    def call_failed(self, error: Exception) -> None:
        if self._may_repeat(error):
            self._is_repeated = True
            self._connection = None
            self._task = self._loop.create_task(self._connect())
            return
        self._refuse(error)

    # -- steps ----------------------------------------------------------------------------------

    async def _connect(self) -> None:
        try:
            connection = await self._pool.connect(self._response_seconds)
        except (OSError, UpstreamTimeout, ValueError) as error:  # ValueError: not a host name
            self._task = None
            self._refuse(error)
            return
        self._task = None
        if connection.is_usable:
            self._send(connection)
        else:
            self._refuse(UpstreamClosed("the upstream closed a new connection", is_stale=False))

    def _send(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        request = self.exchange.request
        self.exchange.upstream_address = connection.address
        connection.send(
            self,
            request.method,
            self._head,
            request.body,
            trailers=request.trailers,
            response_seconds=self._response_seconds,
            silence_seconds=self._silence_seconds,
        )

    def _may_repeat(self, error: Exception) -> bool:
        request = self.exchange.request
        return (
            isinstance(error, UpstreamClosed)
            and error.is_stale
            and not self._is_repeated
            and request.method in _REPEATABLE
            and isinstance(request.body, bytes)
        )

    def _refuse(self, error: Exception) -> None:
        exchange = self.exchange
        exchange.upstream_seconds = monotonic() - self._started_at
        refusal = explain(error)
        exchange.refusal = refusal
        definition = exchange.definition
        log.error(
            "http: proxy error",
            api_id=definition.api_id if definition else "",
            request_id=exchange.id,
            upstream=str(self._pool),
            reason=str(error) or type(error).__name__,
        )
        self._taker.upstream_answered(self, refusal, None)


def explain(error: Exception) -> Refusal:
    """Return the answer that gateway-core 3.12 gives for a failed upstream exchange."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, UpstreamTimeout):
        return Refusal(504, "Upstream service reached hard timeout.", reason=str(error))
    if isinstance(error, socket.gaierror):
        return Refusal(500, "Upstream host lookup failed", reason=str(error))
    if isinstance(error, BodyBroken):
        return Refusal(
            500, "There was a problem with reading Body of the Request.", reason=str(error)
        )
    if isinstance(error, ssl.SSLError):
        return Refusal(500, "There was a problem proxying the request", reason=f"TLS: {error}")
    return Refusal(500, "There was a problem proxying the request", reason=str(error))
