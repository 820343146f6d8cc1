"""Back-pressure, limits and ends of a body on its way."""

from __future__ import annotations

import asyncio

import pytest

from propylon.errors import Refusal
from propylon.http.body import HIGH_MARK_BYTES, BodyBroken, BodyStream, BodyTooLarge


class Source:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def body_wanted(self) -> None:
        self.calls.append("wanted")

    def pause_body(self) -> None:
        self.calls.append("pause")

    def resume_body(self) -> None:
        self.calls.append("resume")


class Sink:
    """Takes chunks, and pauses the stream at each while `is_full`."""

    def __init__(self, stream: BodyStream, *, is_full: bool = False) -> None:
        self.stream = stream
        self.is_full = is_full
        self.events: list[object] = []

    def take_body(self, chunk: bytes) -> None:
        self.events.append(chunk)
        if self.is_full:
            self.stream.pause()

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.events.append("end")

    def break_body(self, error: Exception) -> None:
        self.events.append(error)


def test_source_is_paused_until_somebody_takes_the_body() -> None:
    source = Source()
    stream = BodyStream(source, None)
    stream.feed(b"x" * (HIGH_MARK_BYTES + 1))
    stream.feed(b"y")
    assert source.calls == ["pause"]
    sink = Sink(stream)
    stream.attach(sink)
    assert source.calls == ["pause", "wanted", "resume"]
    stream.feed(b"z")
    stream.finish()
    assert sink.events == [b"x" * (HIGH_MARK_BYTES + 1), b"y", b"z", "end"]
    assert stream.waiting_bytes == 0


def test_full_sink_keeps_the_source_paused() -> None:
    source = Source()
    stream = BodyStream(source, None)
    stream.feed(b"x" * (HIGH_MARK_BYTES + 1))
    sink = Sink(stream, is_full=True)
    stream.attach(sink)
    assert "resume" not in source.calls
    stream.resume()
    assert source.calls[-1] == "resume"


def test_ended_body_leaves_its_source_alone() -> None:
    for end in (BodyStream.finish, lambda stream: stream.fail(BodyBroken("x"))):
        source = Source()
        stream = BodyStream(source, None)
        stream.attach(Sink(stream))
        stream.pause()
        end(stream)
        before = list(source.calls)
        stream.resume()
        stream.pause()
        assert source.calls == before


def test_complete_body_is_not_wanted_from_the_source() -> None:
    source = Source()
    stream = BodyStream(source, 1)
    stream.feed(b"x")
    stream.finish()
    sink = Sink(stream)
    stream.attach(sink)
    assert sink.events == [b"x", "end"]
    assert source.calls == []


def test_limit_breaks_the_body_once() -> None:
    stream = BodyStream(Source(), None)
    stream.max_bytes = 3
    sink = Sink(stream)
    stream.attach(sink)
    for chunk in (b"ab", b"cd", b"ef"):
        stream.feed(chunk)
    stream.finish()
    stream.fail(BodyBroken("late"))
    assert sink.events[0] == b"ab"
    assert isinstance(sink.events[1], BodyTooLarge)
    assert len(sink.events) == 2


async def test_read_collects() -> None:
    stream = BodyStream(Source(), None)
    stream.feed(b"a")
    reading = asyncio.ensure_future(stream.read(10))
    await asyncio.sleep(0)
    stream.feed(b"b")
    stream.finish([(b"X", b"1")])
    assert await reading == b"ab"


@pytest.mark.parametrize(
    ("error", "raised"),
    [(BodyBroken("gone"), BodyBroken), (OSError("x"), BodyBroken), (Refusal(413, "x"), Refusal)],
)
async def test_read_of_a_body_that_breaks(error: Exception, raised: type[Exception]) -> None:
    stream = BodyStream(Source(), None)
    reading = asyncio.ensure_future(stream.read(10))
    await asyncio.sleep(0)
    stream.fail(error)
    with pytest.raises(raised):
        await reading


async def test_read_stops_at_its_limit() -> None:
    source = Source()
    stream = BodyStream(source, None)
    stream.feed(b"x" * 11)
    with pytest.raises(BodyTooLarge):
        await stream.read(10)
    assert source.calls[0] == "pause"
    assert "resume" not in source.calls


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_source_reads_on_once_a_paused_body_has_ended(end: str) -> None:
    source = Source()
    stream = BodyStream(source, None)
    stream.feed(b"x" * (HIGH_MARK_BYTES + 1))
    if end == "finish":
        stream.finish()
    else:
        stream.fail(BodyBroken("gone"))
    assert source.calls == ["pause", "resume"]
    stream.attach(Sink(stream, is_full=True))
    assert source.calls == ["pause", "resume"]
