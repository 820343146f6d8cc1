"""One client's connection: requests in order, answers in the same order, nothing in between.

It moves bytes and keeps time; what to answer is the pipeline's affair (`Handler`). While a request
is being answered the next ones wait, and the socket is not read once a few of them do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Protocol, cast

from propylon.http.answer import frame_answer
from propylon.http.body import BodyBroken, BodyStream
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.http.request_reader import BadRequest, HeadLimits, RequestReader
from propylon.http.writer import chunk_head, last_chunk, response_head
from propylon.net.clock import Clock
from propylon.net.reset import reset
from propylon.net.tunnel import Tunnel
from propylon.observe.logs import get_logger
from propylon.pipeline.exchange import Exchange

log = get_logger("http")

# What a client may still send after we answered and closed our side, so that it can read the answer
# instead of a reset (RFC 9112, 9.6).
LINGER_SECONDS = 2.0
LINGER_BYTES = 1024 * 1024

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Handler(Protocol):
    """Who decides what a request gets. Everything is answered through the connection given."""

    def begin(self, exchange: Exchange, client: ClientConnection) -> None: ...

    def reject(self, error: BadRequest) -> Response:
        """Make the answer to bytes that are not a request."""
        ...

    def finished(self, exchange: Exchange) -> None:
        """The answer is out, or the client is gone; called exactly once per exchange."""
        ...


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What one client connection may take, all times in seconds."""

    head: HeadLimits
    header_seconds: float
    idle_seconds: float
    read_seconds: float
    "Longest silence within a request body."
    write_seconds: float
    "Longest time in which a client takes nothing of an answer."
    max_connections: int
    allows_upgrade: bool
    closes_connections: bool


class Service:
    """What all connections of one listener share."""

    def __init__(
        self,
        handler: Handler,
        clock: Clock,
        limits: ClientLimits,
        *,
        next_id: Callable[[], str],
        is_tls: bool,
    ) -> None:
        self.handler = handler
        self.clock = clock
        self.limits = limits
        self.next_id = next_id
        self.scheme = "https" if is_tls else "http"
        self.connections: set[ClientConnection] = set()
        self.is_draining = False


class ClientConnection(asyncio.Protocol):
    """The server side of one connection, keep-alive and pipelining included."""

    __slots__ = (
        # for the life of the connection
        "_deadline",
        "_loop",
        "_service",
        "_transport",
        "reader",
        # for the request being answered
        "_bad_request",
        "_exchange",
        "_is_beginning",
        "_keeps_alive",
        "_method",
        "_task",
        "on_gone",
        # for the answer being written
        "_head",
        "_is_chunked",
        "_out",
        # flow
        "_is_body_paused",
        "_is_reading",
        "_is_write_blocked",
        "_linger_left",
        "_tunnel",
        "_unsent_bytes",
    )

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._deadline = inf

        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._bad_request: BadRequest | None = None
        self._is_beginning = False
        self._keeps_alive = True
        self._method = ""
        self.on_gone: Callable[[], None] | None = None

        self._out: BodyStream | None = None
        self._is_chunked = False
        self._head = b""

        self._is_reading = True
        self._is_body_paused = False
        self._is_write_blocked = False
        self._linger_left = -1
        self._tunnel: Tunnel | None = None
        self._unsent_bytes = 0

    def __repr__(self) -> str:
        state = "tunnel" if self._tunnel else "busy" if self._exchange else "idle"
        return f"<ClientConnection {state} reading={self._is_reading}>"

    # -- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        service = self._service
        limits = service.limits
        self._transport = cast(asyncio.Transport, transport)  # uvloop has its own class
        peer = transport.get_extra_info("peername")
        self.reader = RequestReader(
            self,
            limits.head,
            scheme=service.scheme,
            peer_host=peer[0] if peer else "",
            allows_upgrade=limits.allows_upgrade,
        )
        if len(service.connections) >= limits.max_connections:
            self._transport.abort()
            return
        service.connections.add(self)
        service.clock.watch(self)
        self._deadline = service.clock.now + limits.header_seconds

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.from_client(data)
            return
        if self._linger_left >= 0:
            self._linger(len(data))
            return
        if self._bad_request is not None:
            return
        try:
            self.reader.feed(data)
        except BadRequest as error:
            self._bad_request = error
        if self._exchange is None:
            self._begin_next()
        else:
            self._deadline = self._read_deadline()
            self._update_reading()

    def eof_received(self) -> bool:
        # As in Go's server, the end of the client's bytes means that nobody waits for the answer.
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        self._service.clock.forget(self)
        exchange = self._exchange
        self.reader.fail(BodyBroken("the client closed the connection in mid-body"))
        if self._tunnel is not None:
            self._tunnel.close()
        if exchange is not None:
            exchange.client_gone = self._tunnel is None
            self._end_exchange(exchange)

    def pause_writing(self) -> None:
        self._is_write_blocked = True
        self._expect_to_send()
        if self._tunnel is not None:
            self._tunnel.client_is_full(True)
        elif self._out is not None:
            self._out.pause()

    def resume_writing(self) -> None:
        self._is_write_blocked = False
        if self._tunnel is not None:
            self._tunnel.client_is_full(False)
            return
        self._deadline = self._read_deadline()
        if self._linger_left >= 0:
            self._deadline = self._service.clock.now + LINGER_SECONDS
        elif self._out is not None:
            self._out.resume()
        elif self._exchange is None:
            self._begin_next()

    # -- BodySource: the request body's way in -----------------------------------------------

    def body_wanted(self) -> None:
        exchange = self._exchange
        if exchange is None or self._transport is None:
            return
        if b"Expect" in exchange.request.headers and exchange.request.http_version == "1.1":
            self._transport.write(CONTINUE)

    def pause_body(self) -> None:
        self._is_body_paused = True
        self._update_reading()

    def resume_body(self) -> None:
        self._is_body_paused = False
        self._deadline = self._read_deadline()
        self._update_reading()

    # -- for the pipeline --------------------------------------------------------------------

    @property
    def is_gone(self) -> bool:
        transport = self._transport
        return transport is None or transport.is_closing()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what this request waits for; it is cancelled when the client leaves."""
        self._task = self._loop.create_task(work)

    def send_interim(self, response: Response) -> None:
        """Pass a 1xx answer on (RFC 9110, 15.2); HTTP/1.0 clients know none."""
        exchange = self._exchange
        if exchange is None or self._transport is None or self._out is not None:
            return
        if exchange.request.http_version == "1.1" and response.status != 100:
            self._transport.write(response_head(response, b"", b"", b""))

    def answer(self, exchange: Exchange, response: Response) -> None:
        """Write the answer; a streaming body follows as it arrives."""
        if exchange is not self._exchange:
            return  # the client left while this was being made; its upstream has been told
        exchange.response = response
        if self.is_gone:
            exchange.client_gone = True
            self._end_exchange(exchange)
            return
        if not isinstance(response.body, BodyStream):
            self.on_gone = None
        if response.status != 101:
            self._decide_keep_alive(exchange)
            if self.reader.held_back is not None:
                self._release_held_back()
        self._write_answer(exchange, response)

    def switch(self, upstream: asyncio.Transport, rest: bytes) -> Tunnel:
        """Join this connection with an upstream one after a 101; `rest` came behind its head."""
        assert self._transport is not None
        tunnel = self._tunnel = Tunnel(self._transport, upstream)
        self._expect_to_send()
        if rest:
            tunnel.from_upstream(rest)
        held, self.reader.held_back = self.reader.held_back, None
        self._update_reading()
        for data in held or ():
            tunnel.from_client(data)
        return tunnel

    def close_when_idle(self) -> None:
        """Drain: close now if no request is under way, else after its answer."""
        self._keeps_alive = False
        if self._exchange is None and self._transport is not None:
            self._expect_to_send()
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # -- deadlines ---------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Enforce the deadline of whatever this connection is doing (called every tick)."""
        if now < self._deadline:
            return
        self._deadline = inf
        transport = self._transport
        assert transport is not None
        if self._linger_left >= 0 or self._is_write_blocked or transport.is_closing():
            self._abort_unless_taken(transport)
        elif self._tunnel is not None:
            self._expect_to_send()
        elif self._exchange is not None:
            # What comes late is not read any more; the connection ends with this answer.
            self._bad_request = BadRequest(408, "Request Timeout")
            self._keeps_alive = False
            self.reader.fail(BodyBroken("the client stopped sending in mid-body"))
        elif self.reader.is_mid_message:
            self._bad_request = BadRequest(408, "Request Timeout")
            self._begin_next()
        else:
            transport.close()

    def _expect_to_send(self) -> None:
        """Give the client time to take what waits in the transport's buffer."""
        if self._transport is not None:
            self._unsent_bytes = self._transport.get_write_buffer_size()
        self._deadline = self._service.clock.now + self._service.limits.write_seconds

    def _abort_unless_taken(self, transport: asyncio.Transport) -> None:
        """Cut off a client that has taken nothing; a slow one gets the same time again."""
        if 0 < transport.get_write_buffer_size() < self._unsent_bytes:
            self._expect_to_send()
        else:
            transport.abort()

    def _read_deadline(self) -> float:
        """Return when silence ends this connection, given what it is waiting for."""
        if self._is_write_blocked:
            return self._deadline
        clock, limits = self._service.clock, self._service.limits
        if self._exchange is not None:
            # While we do not read, silence is ours and not the client's.
            waits = self.reader.is_mid_message and self._wants_to_read()
            return clock.now + limits.read_seconds if waits else inf
        if self.reader.is_mid_head:
            return clock.now + limits.header_seconds
        return clock.now + limits.idle_seconds

    # -- requests in ------------------------------------------------------------------------

    def _begin_next(self) -> None:
        """Begin waiting requests until one of them has to wait."""
        if self._is_beginning:
            return
        reader, transport = self.reader, self._transport
        assert transport is not None
        was_mid_head = reader.is_mid_head and self._deadline != inf
        self._is_beginning = True
        try:
            while (
                reader.arrived
                and self._exchange is None
                and not self._is_write_blocked  # answers that nobody reads do not pile up
                and self._linger_left < 0
                and not transport.is_closing()
            ):
                was_mid_head = False
                self._begin(reader.arrived.popleft())
        finally:
            self._is_beginning = False
        if self._exchange is None and not self._is_write_blocked:
            self._wait_for_next(was_mid_head)
        if reader.arrived or not self._is_reading:
            self._update_reading()

    def _wait_for_next(self, was_mid_head: bool) -> None:
        """Nothing is under way: answer bytes that were no request, or wait for more."""
        if self._linger_left >= 0 or self.is_gone:
            return
        if self._bad_request is not None:
            self._reject(self._bad_request)
            return
        deadline = self._read_deadline()
        # A head that trickles in keeps the deadline of its first byte.
        if not was_mid_head or self._deadline > deadline:
            self._deadline = deadline

    def _begin(self, request: Request) -> None:
        service = self._service
        exchange = Exchange(request, id=service.next_id(), started_at=monotonic())
        self._exchange = exchange
        # A step may change the method; what the client may be sent depends on the one it used.
        self._method = request.method
        self._deadline = inf if isinstance(request.body, bytes) else self._read_deadline()
        service.handler.begin(exchange, self)

    def _reject(self, error: BadRequest) -> None:
        transport = self._transport
        assert transport is not None
        service = self._service
        # There is no request, yet operators want to see who sends what is none.
        unread = Request("", "", Headers(), peer_host=self.reader.peer_host)
        exchange = Exchange(unread, id=service.next_id(), started_at=monotonic())
        exchange.refusal = error
        response = exchange.response = service.handler.reject(error)
        lines, body, _, _ = frame_answer(response, unread, "", keeps_alive=False)
        assert isinstance(body, bytes)
        data = response_head(response, lines, b"", service.clock.date_line) + body
        transport.write(data)
        exchange.bytes_sent = len(data)
        service.handler.finished(exchange)
        self._close_gently()

    def _update_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wants = self._wants_to_read()
        if wants != self._is_reading:
            self._is_reading = wants
            if wants:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def _wants_to_read(self) -> bool:
        reader = self.reader
        return not self._is_body_paused and not reader.arrived and not reader.held_back

    # -- answers out -------------------------------------------------------------------------

    def _decide_keep_alive(self, exchange: Exchange) -> None:
        request, service = exchange.request, self._service
        body = request.body
        self._keeps_alive = (
            self._keeps_alive
            and request.keep_alive
            and not service.is_draining
            and not service.limits.closes_connections
            and not (isinstance(body, BodyStream) and not body.is_finished)
        )

    def _write_answer(self, exchange: Exchange, response: Response) -> None:
        transport = self._transport
        assert transport is not None
        lines, body, is_chunked, self._keeps_alive = frame_answer(
            response, exchange.request, self._method, self._keeps_alive
        )
        extra = b""
        if exchange.client_headers is not None:
            _drop_replaced(response, exchange.client_headers)
            extra = b"".join([b"%b: %b\r\n" % item for item in exchange.client_headers])
        head = response_head(response, lines, extra, self._service.clock.date_line)
        if isinstance(body, BodyStream):
            self._is_chunked = is_chunked
            self._stream_answer(head, body)
            return
        data = head + body
        transport.write(data)
        exchange.bytes_sent = len(data)
        if response.status != 101:
            if self.on_gone is not None:  # a body was on its way that this answer must not have
                self.on_gone()
            self._end_exchange(exchange)

    def _stream_answer(self, head: bytes, stream: BodyStream) -> None:
        """Send the head with whatever of the body is there, and what follows as it comes."""
        self._out = stream
        self._head = head
        stream.attach(self)
        if self._out is not stream:
            return  # it has ended already
        self._send(b"")
        if self._is_write_blocked:
            stream.pause()

    def _send(self, data: bytes) -> None:
        if self._head:
            data = self._head + data
            self._head = b""
        exchange = self._exchange
        if self._transport is not None and data:
            self._transport.write(data)
            if exchange is not None:
                exchange.bytes_sent += len(data)

    # BodySink: the answer's body, as it arrives from the upstream

    def take_body(self, chunk: bytes) -> None:
        if self._is_chunked:
            self._send(b"%b%b\r\n" % (chunk_head(len(chunk)), chunk))
        else:
            self._send(chunk)

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self._send(last_chunk(trailers) if self._is_chunked else b"")
        if self._exchange is not None:
            self._end_exchange(self._exchange)

    def break_body(self, error: Exception) -> None:
        exchange = self._exchange
        self._keeps_alive = False
        if exchange is not None:
            exchange.refusal = error
            log.warning("answer cut short", request_id=exchange.id, reason=str(error))
            self._send(b"")
            is_framed = self._is_chunked or (self._out is not None and self._out.length is not None)
            if not is_framed and self._transport is not None:
                reset(self._transport)
            self._end_exchange(exchange)

    def _end_exchange(self, exchange: Exchange) -> None:
        """Let go of everything the request held, then go on with the next one or close."""
        self._exchange = None
        self._out = None
        self._head = b""
        task, self._task = self._task, None
        on_gone, self.on_gone = self.on_gone, None
        if exchange.client_gone:
            if task is not None:
                task.cancel()
            if on_gone is not None:
                on_gone()
        if self._tunnel is not None:
            exchange.bytes_sent += self._tunnel.bytes_to_client
        self._service.handler.finished(exchange)
        if self.is_gone:
            return
        if not self._keeps_alive:
            self._close_gently()
        else:
            self._begin_next()

    def _release_held_back(self) -> None:
        try:
            self.reader.release_held_back()
        except BadRequest as error:
            self._bad_request = error

    def _close_gently(self) -> None:
        """Close; if the client is still sending, read a little of it first, or it sees a reset."""
        transport = self._transport
        assert transport is not None
        self._expect_to_send()
        if not self.reader.is_mid_message and self._bad_request is None:
            transport.close()
            return
        self._linger_left = LINGER_BYTES
        if not self._is_write_blocked:
            self._deadline = self._service.clock.now + LINGER_SECONDS
        self._is_body_paused = False
        self.reader.arrived.clear()
        self._update_reading()
        if transport.can_write_eof():
            transport.write_eof()

    def _linger(self, size: int) -> None:
        self._linger_left -= size
        if self._linger_left < 0:
            self._linger_left = 0
            self.abort()


def _drop_replaced(response: Response, client_headers: list[tuple[bytes, bytes]]) -> None:
    """Let our CORS fields replace those of the upstream: a browser refuses two of a kind."""
    for name, _ in client_headers:
        if name.startswith(b"Access-Control-"):
            response.headers.remove_spelling(name)
