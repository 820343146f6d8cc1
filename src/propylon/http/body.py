"""A message body on its way from one connection to another, with back-pressure.

The connection that reads the body is the *source*, whoever takes the bytes is the *sink*. Until a
sink is attached, chunks wait here and the source is told to pause at the high mark; afterwards they
pass straight through and the sink pauses the source. Nothing here touches a socket.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from propylon.errors import PropylonError, Refusal

# Envoy's per-stream watermarks are of this order; half of it is the low mark.
HIGH_MARK_BYTES = 64 * 1024


class BodyTooLarge(Refusal):
    """More bytes than the gateway takes; answered in plain text (gateway-core 3.1)."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413, "Request Entity Too Large", reason=f"over {max_bytes} bytes")


class BodyBroken(PropylonError):  # noqa: N818 - names what happened to the body
    """The source ended before the body did."""


class BodySource(Protocol):
    """Who feeds a body: it can be asked to stop reading from its peer for a while.

    `body_wanted` comes once, when a consumer is there and the body is not complete: the time to
    send `100 Continue`.
    """

    def body_wanted(self) -> None: ...

    def pause_body(self) -> None: ...

    def resume_body(self) -> None: ...


class BodySink(Protocol):
    """Who takes a body. `end_body` or `break_body` comes exactly once, last."""

    def take_body(self, chunk: bytes) -> None: ...

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None: ...

    def break_body(self, error: Exception) -> None: ...


class BodyStream:
    """A body that is still arriving.

    `length` is the number of bytes the head announced, or None for chunked and until-close bodies.
    The source calls `feed`, then `finish` or `fail`; the consumer calls `attach` once, or `read`.
    Past `max_bytes` (0: no limit) the body breaks with `BodyTooLarge`.
    """

    __slots__ = (
        "_chunks",
        "_failure",
        "_is_finished",
        "_is_paused",
        "_sink",
        "_size",
        "_source",
        "_trailers",
        "length",
        "max_bytes",
        "received_bytes",
    )

    def __init__(self, source: BodySource, length: int | None) -> None:
        self.length = length
        self.max_bytes = 0
        self.received_bytes = 0
        self._source = source
        self._sink: BodySink | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_paused = False
        self._is_finished = False
        self._failure: Exception | None = None
        self._trailers: list[tuple[bytes, bytes]] = []

    def __repr__(self) -> str:
        state = "broken" if self._failure else "complete" if self._is_finished else "arriving"
        return f"<BodyStream {state} length={self.length} waiting={self._size}>"

    @property
    def waiting_bytes(self) -> int:
        """How much has arrived that no sink has taken yet."""
        return self._size

    @property
    def is_finished(self) -> bool:
        return self._is_finished

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes from the source."""
        self.received_bytes += len(chunk)
        if self.max_bytes and self.received_bytes > self.max_bytes:
            self.fail(BodyTooLarge(self.max_bytes))
        if self._failure is not None:
            return
        if self._sink is not None:
            self._sink.take_body(chunk)
            return
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > HIGH_MARK_BYTES and not self._is_paused:
            self.pause()

    def finish(self, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        """The source has delivered the whole body."""
        if self._failure is not None:
            return
        self._is_finished = True
        self._let_go()
        if trailers:
            self._trailers = trailers
        if self._sink is not None:
            self._sink.end_body(self._trailers)

    def fail(self, error: Exception) -> None:
        """The source is gone before the end; a finished body stays finished."""
        if self._is_finished or self._failure is not None:
            return
        self._failure = error
        self._let_go()
        if self._sink is not None:
            self._sink.break_body(error)

    def _let_go(self) -> None:
        """The source has nothing more to do with this body, least of all to wait for its sink."""
        if self._is_paused:
            self._is_paused = False
            self._source.resume_body()

    def attach(self, sink: BodySink) -> None:
        """Send everything that waited, and from now on everything that comes, to `sink`."""
        assert self._sink is None, "a body has one consumer"
        self._sink = sink
        was_paused, self._is_paused = self._is_paused, False
        chunks, self._chunks, self._size = self._chunks, [], 0
        for chunk in chunks:
            sink.take_body(chunk)
        if self._failure is not None:
            sink.break_body(self._failure)
        elif self._is_finished:
            sink.end_body(self._trailers)
        else:
            self._source.body_wanted()
            # The sink may have paused us again while it took what had waited.
            if was_paused and not self._is_paused:
                self._source.resume_body()

    def pause(self) -> None:
        """Ask the source to stop reading; called by the sink when its own buffer is full.

        A body that has ended has no source any more: it may be busy with the next one.
        """
        if self._is_finished or self._failure is not None:
            return
        self._is_paused = True
        self._source.pause_body()

    def resume(self) -> None:
        if self._is_paused and not self._is_finished and self._failure is None:
            self._is_paused = False
            self._source.resume_body()

    async def read(self, max_bytes: int) -> bytes:
        """Collect the rest of the body.

        Raises `BodyTooLarge` when it is larger than `max_bytes` (0: no limit) and `BodyBroken`
        when the source ends early. Time limits are the source's: it breaks the body when its
        peer stalls.
        """
        collector = _Collector(self, max_bytes)
        self.attach(collector)
        return await collector.result


class _Collector:
    """The sink behind `BodyStream.read`."""

    __slots__ = ("_data", "_max_bytes", "_stream", "result")

    def __init__(self, stream: BodyStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        # One buffer: a body in pieces of two bytes would cost 25 times its size as a list.
        self._data = bytearray()
        self.result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take_body(self, chunk: bytes) -> None:
        if self.result.done():
            return
        if self._max_bytes and len(self._data) + len(chunk) > self._max_bytes:
            self._data.clear()
            self._stream.pause()
            self.result.set_exception(BodyTooLarge(self._max_bytes))
            return
        self._data += chunk

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        if not self.result.done():
            self.result.set_result(bytes(self._data))

    def break_body(self, error: Exception) -> None:
        if not self.result.done():
            is_refusal = isinstance(error, Refusal)
            self.result.set_exception(error if is_refusal else BodyBroken(str(error)))
