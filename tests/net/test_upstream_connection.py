"""The upstream side over a stub transport, where the order of events can be chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from propylon.http.body import BodyStream
from propylon.http.message import Response
from propylon.net.clock import Clock
from propylon.net.upstream_connection import UpstreamConnection, UpstreamTimeout

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class StubTransport(asyncio.Transport):
    """Keeps what is written; reads and closes as told."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.is_reading_now = True
        self.end = ""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.is_reading_now = False

    def resume_reading(self) -> None:
        self.is_reading_now = True

    def is_closing(self) -> bool:
        return bool(self.end)

    def close(self) -> None:
        self.end = self.end or "close"

    def abort(self) -> None:
        self.end = "abort"


class Caller:
    """Waits for the answer, and takes its body; `is_slow` pauses it at every chunk."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.is_slow = is_slow
        self.response: Response | None = None
        self.error: Exception | None = None
        self.body = b""
        self.is_done = False

    def call_answered(self, response: Response, connection: UpstreamConnection) -> None:
        self.response = response
        if isinstance(response.body, BodyStream):
            response.body.attach(self)
        else:
            self.body, self.is_done = response.body, True

    def call_interim(self, response: Response) -> None:
        pass

    def call_failed(self, error: Exception) -> None:
        self.error = error

    def take_body(self, chunk: bytes) -> None:
        self.body += chunk
        if self.is_slow and self.response is not None:
            assert isinstance(self.response.body, BodyStream)
            self.response.body.pause()

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.is_done = True

    def break_body(self, error: Exception) -> None:
        self.error = error


class Wire:
    """A connection, its transport, and what it gave back to its pool."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.given_back: list[bool] = []
        self.connection = UpstreamConnection(clock, lambda _, good: self.given_back.append(good), 9)
        self.transport = StubTransport()
        self.connection.connection_made(self.transport)

    def send(self, caller: Caller, body: bytes | BodyStream = b"") -> None:
        self.connection.send(
            caller, "GET", HEAD, body, trailers=[], response_seconds=5, silence_seconds=7
        )


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    clock = Clock(asyncio.get_running_loop())
    yield Wire(clock)
    clock.stop()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


async def test_paused_connection_is_read_again_for_the_next_answer(wire: Wire) -> None:
    slow, second = Caller(is_slow=True), Caller()
    wire.send(slow)
    wire.connection.data_received(OK + b"ab")
    assert not wire.transport.is_reading_now
    wire.connection.data_received(b"cd")
    assert slow.is_done
    assert wire.given_back == [True]
    assert wire.transport.is_reading_now
    wire.send(second)
    assert isinstance(slow.response, Response)
    assert isinstance(slow.response.body, BodyStream)
    slow.response.body.resume()  # a late wish of the first client changes nothing
    slow.response.body.pause()
    assert wire.transport.is_reading_now
    wire.connection.data_received(OK + b"next")
    assert second.body == b"next"


async def test_bytes_behind_an_answer_end_the_connection(wire: Wire) -> None:
    caller = Caller()
    wire.send(caller)
    wire.connection.data_received(OK + b"goodHTTP/1.1 200 OK\r\nX")
    assert caller.body == b"good"
    assert wire.transport.end == "close"
    assert True not in wire.given_back


async def test_bytes_on_an_idle_connection_end_it(wire: Wire) -> None:
    wire.send(Caller())
    wire.connection.data_received(OK + b"good")
    wire.connection.data_received(OK + b"evil")
    assert wire.given_back == [True, False]
    assert wire.transport.end == "close"


async def test_trickled_head_does_not_extend_the_deadline(wire: Wire) -> None:
    caller = Caller()
    wire.send(caller)
    start = wire.clock.now
    for second in range(1, 5):
        wire.clock.now = start + second
        wire.connection.data_received(b"HTTP/1.1 200 OK\r\n"[second - 1 : second])
    wire.connection.check(start + 5.1)
    assert isinstance(caller.error, UpstreamTimeout)
    assert wire.transport.end == "abort"


async def test_slow_but_steady_upload_is_not_a_timeout(wire: Wire) -> None:
    caller = Caller()
    wire.transport.unsent = 1000
    wire.send(caller, b"x" * 1000)
    start = wire.clock.now
    for left, after in ((600, 5.1), (200, 10.2)):
        wire.transport.unsent = left
        wire.connection.check(start + after)
        assert caller.error is None
    wire.connection.check(start + 15.3)
    assert isinstance(caller.error, UpstreamTimeout)


async def test_early_answer_with_unsent_body_cuts_the_connection(wire: Wire) -> None:
    """A close would wait for an upstream that has said it does not want the rest."""
    caller = Caller()
    body = BodyStream(_Source(), 1000)
    wire.send(caller, body)
    body.feed(b"x" * 10)
    wire.transport.unsent = 10
    wire.connection.data_received(OK + b"done")
    assert caller.body == b"done"
    assert wire.transport.end == "abort"
    assert True not in wire.given_back


async def test_body_is_paused_when_the_head_already_fills_the_buffer(wire: Wire) -> None:
    source = _Source()
    wire.connection.pause_writing()
    wire.send(Caller(), BodyStream(source, 1000))
    assert source.is_paused
    wire.connection.resume_writing()
    assert not source.is_paused


class _Source:
    def __init__(self) -> None:
        self.is_paused = False

    def body_wanted(self) -> None:
        pass

    def pause_body(self) -> None:
        self.is_paused = True

    def resume_body(self) -> None:
        self.is_paused = False
