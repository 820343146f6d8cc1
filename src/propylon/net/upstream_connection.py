"""One connection to an upstream: one request, one answer, then back to its pool.

It moves bytes and keeps the deadlines of the upstream side. Who asked is the `UpstreamCall` that it
reports to, exactly once with `call_answered` or `call_failed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Protocol, cast

from propylon.errors import PropylonError
from propylon.http.body import BodyBroken, BodyStream
from propylon.http.message import Response
from propylon.http.response_reader import BadResponse, ResponseReader
from propylon.http.writer import chunk_head, last_chunk, whole_chunked
from propylon.net.clock import Clock
from propylon.net.tunnel import Tunnel


class UpstreamTimeout(PropylonError):  # noqa: N818 - it names what happened
    """The upstream did not connect, take the request or answer in time."""


class UpstreamClosed(PropylonError):  # noqa: N818 - it names what happened
    """The upstream closed the connection before it answered.

    `is_stale` is true when a kept-alive connection died before a byte of the answer came: the
    request was probably never seen.
    """

    def __init__(self, message: str, *, is_stale: bool) -> None:
        super().__init__(message)
        self.is_stale = is_stale


class UpstreamCall(Protocol):
    """Who waits for the answer."""

    def call_answered(self, response: Response, connection: UpstreamConnection) -> None: ...

    def call_interim(self, response: Response) -> None: ...

    def call_failed(self, error: Exception) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """The client side of one connection, used for one exchange at a time."""

    __slots__ = (
        # for the life of the connection
        "_clock",
        "_give_back",
        "_idle_seconds",
        "_reader",
        "_uses",
        "address",
        "transport",
        # for the exchange under way
        "_body",
        "_call",
        "_deadline",
        "_has_answered",
        "_has_bytes",
        "_is_chunked",
        "_is_paused",
        "_is_sent",
        "_is_write_blocked",
        "_owner",
        "_response_seconds",
        "_silence_seconds",
        "_tunnel",
        "_unsent_bytes",
    )

    def __init__(
        self,
        clock: Clock,
        give_back: Callable[[UpstreamConnection, bool], None],
        idle_seconds: float,
    ) -> None:
        self._clock = clock
        self._give_back = give_back
        self._idle_seconds = idle_seconds
        self._reader = ResponseReader(self)
        self._uses = 0
        self.address = ""
        self.transport: asyncio.Transport | None = None
        self._call: UpstreamCall | None = None
        self._owner: UpstreamCall | None = None
        self._body: BodyStream | None = None
        self._tunnel: Tunnel | None = None
        self._deadline = inf
        self._is_paused = False
        self._is_write_blocked = False
        self._unsent_bytes = 0

    def __repr__(self) -> str:
        state = "busy" if self._call or self._body else "idle"
        return f"<UpstreamConnection {self.address} {state} uses={self._uses}>"

    @property
    def is_usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    # -- for the caller ----------------------------------------------------------------------

    def send(
        self,
        call: UpstreamCall,
        method: str,
        head: bytes,
        body: bytes | BodyStream,
        *,
        trailers: list[tuple[bytes, bytes]],
        response_seconds: float,
        silence_seconds: float,
    ) -> None:
        """Send one request. `silence_seconds` is the longest pause within the answer's body."""
        transport = self.transport
        assert transport is not None
        self._reader.expect(method)
        self._call = self._owner = call
        self._uses += 1
        self._has_answered = self._has_bytes = False
        self._response_seconds = response_seconds
        self._silence_seconds = silence_seconds
        if isinstance(body, bytes):
            self._is_sent = True
            self._deadline = self._clock.now + response_seconds
            if trailers:
                body = whole_chunked(body, trailers)
            transport.write(head + body if body else head)
            self._unsent_bytes = transport.get_write_buffer_size()
            return
        self._is_sent = False
        self._is_chunked = body.length is None
        self._body = body
        self._deadline = inf  # the client's own limits hold until the body is sent
        transport.write(head)
        body.attach(self)
        if self._is_write_blocked and self._body is not None:
            body.pause()

    def cancel(self, call: UpstreamCall) -> None:
        """The caller is gone: cut its exchange short; one that is over is left alone."""
        if call is self._owner:
            self.abort()

    def abort(self) -> None:
        """Cut the connection, and with it the exchange under way."""
        self._call = None
        self._body = None
        self._reader.fail(BodyBroken("the exchange was cancelled"))
        if self.transport is not None:
            self.transport.abort()

    def join(self, tunnel: Tunnel) -> None:
        """From now on bytes belong to another protocol."""
        self._tunnel = tunnel
        self._deadline = self._clock.now + self._silence_seconds

    @property
    def rest(self) -> bytes:
        """Bytes that came behind the head of a 101."""
        return self._reader.rest

    @property
    def has_switched(self) -> bool:
        """Tell whether the answer was a 101, behind which nothing is HTTP any more."""
        return self._reader.switched

    # -- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has its own class
        self._clock.watch(self)

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.from_upstream(data)
            return
        if self._call is None and self._body is None and not self._is_answering:
            self._close()  # an upstream that speaks unasked cannot be trusted with a next request
            return
        self._has_bytes = True
        reader = self._reader
        try:
            reader.feed(data)
        except BadResponse as error:
            self._break(error)
            return
        if self._has_answered and not self._is_paused:
            self._deadline = self._clock.now + self._silence_seconds
        if reader.interim:
            self._pass_interim()
        if reader.response is not None and not self._has_answered:
            self._answer(reader.response)
        elif reader.is_done:
            self._finish()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._clock.forget(self)
        self._give_back(self, False)
        if self._tunnel is not None:
            self._tunnel.close()
            return
        call, self._call = self._call, None
        self._body = None
        if exc is None:
            self._reader.feed_end()
        else:
            self._reader.fail(BodyBroken(f"the connection to the upstream broke: {exc}"))
        if call is not None:
            is_stale = self._uses > 1 and not self._has_bytes
            reason = str(exc) if exc else "the upstream closed the connection without an answer"
            call.call_failed(UpstreamClosed(reason, is_stale=is_stale))

    def pause_writing(self) -> None:
        self._is_write_blocked = True
        if self.transport is not None:
            self._unsent_bytes = self.transport.get_write_buffer_size()
        if self._tunnel is not None:
            self._deadline = self._clock.now + self._silence_seconds
            self._tunnel.upstream_is_full(True)
        elif self._body is not None:
            self._deadline = self._clock.now + self._response_seconds
            self._body.pause()

    def resume_writing(self) -> None:
        self._is_write_blocked = False
        if self._tunnel is not None:
            self._tunnel.upstream_is_full(False)
        elif self._body is not None:
            self._deadline = inf
            self._body.resume()

    # -- BodySink: the request's body on its way up --------------------------------------------

    def take_body(self, chunk: bytes) -> None:
        transport = self.transport
        if self._body is None or transport is None:
            return
        if self._is_chunked:
            transport.write(b"%b%b\r\n" % (chunk_head(len(chunk)), chunk))
        else:
            transport.write(chunk)

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if self._body is None:
            return
        self._body = None
        self._is_sent = True
        if self._is_chunked and self.transport is not None:
            self.transport.write(last_chunk(trailers))
        if not self._has_answered:
            self._deadline = self._clock.now + self._response_seconds
        elif self._reader.is_done:
            self._finish()

    def break_body(self, error: Exception) -> None:
        if self._body is None:
            return
        self._body = None
        self._break(error)

    # -- BodySource: the answer's body on its way down ------------------------------------------

    def body_wanted(self) -> None:
        pass

    def pause_body(self) -> None:
        self._is_paused = True
        self._deadline = inf  # the client's write deadline holds now
        if self.is_usable and self.transport is not None:
            self.transport.pause_reading()

    def resume_body(self) -> None:
        self._is_paused = False
        self._deadline = self._clock.now + self._silence_seconds
        if self.is_usable and self.transport is not None:
            self.transport.resume_reading()

    # -- deadlines -----------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Enforce the deadline of the exchange, or of idleness (called every tick)."""
        if now < self._deadline:
            return
        self._deadline = inf
        if self._is_taking():
            self._deadline = now + self._response_seconds
        elif self._tunnel is not None:
            self._check_tunnel(now)
        elif self._call is None and not self._is_answering:
            self._close()
        else:
            self._break(UpstreamTimeout("the upstream was silent for too long"))

    def _is_taking(self) -> bool:
        """Tell whether the upstream has taken some of what waited to be sent, if not all of it."""
        if self.transport is None:
            return False
        before, self._unsent_bytes = self._unsent_bytes, self.transport.get_write_buffer_size()
        return 0 < self._unsent_bytes < before

    def _check_tunnel(self, now: float) -> None:
        """A tunnel may be silent for ever; an end that takes nothing may not."""
        transport = self.transport
        assert transport is not None
        if self._is_write_blocked or transport.is_closing():
            transport.abort()
        else:
            self._deadline = now + self._silence_seconds

    # -- the exchange ----------------------------------------------------------------------------

    @property
    def _is_answering(self) -> bool:
        return self._uses > 0 and self._has_answered and not self._reader.is_done

    def _pass_interim(self) -> None:
        interim, self._reader.interim = self._reader.interim, []
        if self._call is not None:
            for response in interim:
                self._call.call_interim(response)

    def _answer(self, response: Response) -> None:
        call, self._call = self._call, None
        self._has_answered = True
        if self._reader.switched:
            self._deadline = inf
        elif self._reader.is_done:
            self._finish()  # first, so that a next request may already use this connection
        else:
            self._deadline = self._clock.now + self._silence_seconds
        if call is not None:
            call.call_answered(response, self)

    def _finish(self) -> None:
        """The answer is complete: keep the connection if both sides ended cleanly."""
        self._deadline = inf
        if self._is_paused:  # by a client whose answer has ended: the next one must be read
            self.resume_body()
            self._deadline = inf
        if not self._is_sent:
            if self._has_answered and self._body is not None:
                self._close()  # answered before it took the whole request (RFC 9112, 9.5)
            return
        self._owner = None
        if self._reader.keep_alive and self.is_usable:
            self._deadline = self._clock.now + self._idle_seconds
            self._give_back(self, True)
        else:
            self._close()

    def _break(self, error: Exception) -> None:
        call, self._call = self._call, None
        self._body = None
        self._reader.fail(error)
        if self.transport is not None:
            self.transport.abort()
        if call is not None:
            call.call_failed(error)

    def _close(self) -> None:
        self._give_back(self, False)
        self._body = None
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # a close would wait until the upstream takes the rest
        else:
            self.transport.close()
