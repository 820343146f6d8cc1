"""The strictness table, limits, streaming bodies and upgrades of the request reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from strictness_table import CHUNKED, GET, ROWS, Accepted, Row

from propylon.http.body import BodyStream
from propylon.http.message import Request
from propylon.http.request_reader import BadRequest, HeadLimits, RequestReader

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "http.md"
SPLIT_BELOW = 120


class Source:
    """A connection that only remembers what was asked of it."""

    def __init__(self) -> None:
        self.is_paused = False

    def body_wanted(self) -> None:
        pass

    def pause_body(self) -> None:
        self.is_paused = True

    def resume_body(self) -> None:
        self.is_paused = False


class Sink:
    """Takes a body and remembers how it ended."""

    def __init__(self) -> None:
        self.data = b""
        self.trailers: list[tuple[bytes, bytes]] | None = None
        self.error: Exception | None = None

    def take_body(self, chunk: bytes) -> None:
        self.data += chunk

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.trailers = trailers

    def break_body(self, error: Exception) -> None:
        self.error = error


def make_reader(
    max_bytes: int = 8192, max_fields: int = 50, *, allows_upgrade: bool = True
) -> RequestReader:
    limits = HeadLimits(max_bytes, max_fields)
    return RequestReader(
        Source(), limits, scheme="http", peer_host="peer", allows_upgrade=allows_upgrade
    )


def read(reader: RequestReader, pieces: list[bytes]) -> int | Accepted:
    """Feed the pieces; return the refusal's status or every request, bodies complete."""
    sinks: list[tuple[Request, Sink]] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            take(reader, sinks)
    except BadRequest as error:
        take(reader, sinks)
        for _, sink in sinks:
            assert sink.trailers is not None or sink.error is not None
        return error.status
    assert all(sink.trailers is not None for _, sink in sinks)
    return tuple((each.method, each.url, each.host, sink.data) for each, sink in sinks)


def take(reader: RequestReader, sinks: list[tuple[Request, Sink]]) -> None:
    while reader.arrived:
        request = reader.arrived.popleft()
        sink = Sink()
        if isinstance(request.body, BodyStream):
            request.body.attach(sink)
        else:
            sink.take_body(request.body)
            sink.end_body(request.trailers)
        sinks.append((request, sink))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_strictness(row: Row) -> None:
    data = row.data
    assert read(make_reader(allows_upgrade=False), [data]) == row.expected, "whole"
    one_by_one = [data[at : at + 1] for at in range(len(data))]
    assert read(make_reader(allows_upgrade=False), one_by_one) == row.expected, "byte by byte"
    if len(data) < SPLIT_BELOW:
        for at in range(1, len(data)):
            result = read(make_reader(allows_upgrade=False), [data[:at], data[at:]])
            assert result == row.expected, f"split at {at}"


def test_the_table_is_documented() -> None:
    text = DOCS.read_text()
    missing = [row.name for row in ROWS if documented(row) not in text]
    assert not missing


def documented(row: Row) -> str:
    return f"| {row.name} | RFC {row.paragraph} | {row.decision} |"


def test_row_names_are_unique() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


# -- limits --------------------------------------------------------------------------------------


def feed_all(reader: RequestReader, data: bytes, size: int = 1000) -> None:
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        GET + b"X: " + b"a" * 9000 + b"\r\n\r\n",
        GET + b"X" * 9000 + b": a\r\n\r\n",
        GET + b"X: a\r\n" * 60 + b"\r\n",
        b"\r\n" * 9000,
        CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: a\r\n" * 60 + b"\r\n",
        CHUNKED + b"1\r\nx\r\n0\r\nX: " + b"a" * 10_000,
        CHUNKED + b"1;" + b"a" * 10_000,
    ],
    ids=["url", "value", "name", "fields", "empty lines", "trailer fields", "trailer", "extension"],
)
def test_limits(data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        feed_all(make_reader(), data)
    assert caught.value.status == 431


def test_head_limit_holds_within_one_segment() -> None:
    with pytest.raises(BadRequest) as caught:
        make_reader().feed(GET + b"X: " + b"a" * 9000 + b"\r\n\r\n")
    assert caught.value.status == 431


def test_head_limit_holds_behind_another_request() -> None:
    big = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n"
    with pytest.raises(BadRequest) as caught:
        make_reader().feed(GET + b"\r\n" + big)
    assert caught.value.status == 431


def test_a_body_does_not_count_as_head() -> None:
    reader = make_reader()
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000
    assert read(reader, [data]) == (("POST", "/", "a", b"x" * 20000),)
    assert read(reader, [data[:100], data[100:]]) == (("POST", "/", "a", b"x" * 20000),)


def test_small_chunks_have_no_limit() -> None:
    data = CHUNKED + b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n"
    for size in (len(data), 4096):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert read(make_reader(), pieces) == (("POST", "/", "a", b"x" * 10_000),)


def test_too_many_pipelined_requests() -> None:
    with pytest.raises(BadRequest) as caught:
        make_reader().feed((GET + b"\r\n") * 129)
    assert caught.value.status == 503


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
def test_many_refused_upgrades_in_one_segment(upgrade: bytes) -> None:
    reader = make_reader(allows_upgrade=False)
    one = GET + b"Connection: upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    reader.feed(one * 128)
    assert len(reader.arrived) == 128
    assert not any(request.upgrade for request in reader.arrived)


# -- streaming -----------------------------------------------------------------------------------


def test_body_that_breaks_its_framing_breaks_the_stream() -> None:
    reader = make_reader()
    reader.feed(CHUNKED + b"3\r\nabc\r\n")
    body = reader.arrived.popleft().body
    assert isinstance(body, BodyStream)
    sink = Sink()
    body.attach(sink)
    with pytest.raises(BadRequest):
        reader.feed(b"zz\r\n")
    assert sink.data == b"abc"
    assert isinstance(sink.error, BadRequest)
    assert sink.error.status == 400


def test_trailers_of_a_streamed_body() -> None:
    reader = make_reader()
    reader.feed(CHUNKED + b"3\r\nabc\r\n")
    body = reader.arrived.popleft().body
    assert isinstance(body, BodyStream)
    sink = Sink()
    body.attach(sink)
    reader.feed(b"0\r\nx-sum: 1 \r\n\r\n")
    assert sink.trailers == [(b"X-Sum", b"1")]


# -- upgrades ------------------------------------------------------------------------------------

UPGRADE = GET + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_bytes_behind_an_upgrade_are_held_back() -> None:
    reader = make_reader()
    reader.feed(UPGRADE + b"\x81\x00")
    reader.feed(b"\x82\x00")
    assert [request.upgrade for request in reader.arrived] == [b"websocket"]
    assert reader.held_back == [b"\x81\x00", b"\x82\x00"]


def test_refused_upgrade_goes_on_as_http() -> None:
    reader = make_reader()
    reader.feed(UPGRADE + GET)
    reader.feed(b"\r\n" + GET + b"\r\n")
    assert len(reader.arrived) == 1
    reader.release_held_back()
    assert len(reader.arrived) == 3


def test_h2c_is_never_an_upgrade() -> None:
    reader = make_reader()
    reader.feed(GET + b"Connection: upgrade\r\nUpgrade: websocket, H2C\r\n\r\n")
    assert reader.arrived.popleft().upgrade == b""
    assert reader.held_back is None


@pytest.mark.parametrize("length", [b"0", b"00", b"000"])
def test_an_upgrade_with_an_empty_body_loses_no_request(length: bytes) -> None:
    for allows_upgrade in (True, False):
        reader = make_reader(allows_upgrade=allows_upgrade)
        reader.feed(
            b"POST /first HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n"
            b"Content-Length: " + length + b"\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        if reader.held_back is not None:
            reader.release_held_back()
        assert [request.url for request in reader.arrived] == ["/first", "/second"]


def test_tiny_chunks_of_one_read_are_passed_on_as_one_piece() -> None:
    reader = make_reader()
    reader.feed(CHUNKED)
    sink = Sink()
    pieces: list[bytes] = []
    sink.take_body = pieces.append  # type: ignore[method-assign]
    body = reader.arrived.popleft().body
    assert isinstance(body, BodyStream)
    body.attach(sink)
    reader.feed(b"2\r\nab\r\n" * 500)
    assert pieces == [b"ab" * 500]
