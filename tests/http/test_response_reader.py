"""What an upstream may send, how bodies end, and that nothing leaks into the next answer."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from propylon.http.body import BodyBroken, BodyStream
from propylon.http.response_reader import MAX_FIELDS, MAX_INTERIM, BadResponse, ResponseReader


class Source:
    def body_wanted(self) -> None:
        pass

    def pause_body(self) -> None:
        pass

    def resume_body(self) -> None:
        pass


class Sink:
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


@dataclass(frozen=True, slots=True)
class Case:
    """`body` is None where the upstream broke the protocol."""

    name: str
    data: bytes
    body: bytes | None
    keep_alive: bool = True
    method: str = "GET"
    ends: bool = False
    "The upstream closes behind the data."


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

CASES = (
    Case("length", OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
    Case("no body", OK + b"Content-Length: 0\r\n\r\n", b""),
    Case("chunked", CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"ok"),
    Case("until close", OK + b"\r\nok", b"ok", keep_alive=False, ends=True),
    Case("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", keep_alive=False),
    Case("close", OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", b"", keep_alive=False),
    Case("HEAD", OK + b"Content-Length: 2\r\n\r\n", b"", method="HEAD"),
    Case("HEAD chunked", CHUNKED, b"", method="HEAD"),
    Case("204 with a length", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", b""),
    Case("304 with a length", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", b""),
    Case("100 first", b"HTTP/1.1 100 Go\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
    Case("no reason", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    Case("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", None),
    Case("obs-fold", OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", None),
    Case("space before colon", OK + b"X : a\r\nContent-Length: 0\r\n\r\n", None),
    Case("two lengths", OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk", None),
    Case("length and chunked", OK + b"Content-Length: 2\r\n" + CHUNKED[len(OK) :], None),
    Case("gzip coding", OK + b"Transfer-Encoding: gzip\r\n\r\n", None),
    Case("gzip, chunked", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", None),
    Case("bad chunk size", CHUNKED + b"2\r\nok\r\nzz\r\n", None),
    Case("status 099", b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n", None),
    Case("HTTP/2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", None),
    Case("not HTTP", b"220 smtp.example\r\n", None),
    Case("101 without Upgrade", b"HTTP/1.1 101 Go\r\n\r\n", None),
    Case("too many interim", b"HTTP/1.1 103 H\r\n\r\n" * (MAX_INTERIM + 1), None),
    Case("too many fields", OK + b"X: a\r\n" * (MAX_FIELDS + 1) + b"\r\n", None),
    Case("too many trailers", CHUNKED + b"0\r\n" + b"X: a\r\n" * (MAX_FIELDS + 2), None),
    Case("end within a length", OK + b"Content-Length: 9\r\n\r\nok", None, ends=True),
    Case("end within a chunk", CHUNKED + b"9\r\nok", None, ends=True),
    Case("end before the last chunk", CHUNKED + b"2\r\nok\r\n", None, ends=True),
)  # fmt: skip


class Reading:
    """Feeds pieces and attaches a sink to the body as soon as there is a head, as a caller does."""

    def __init__(self, method: str) -> None:
        self.reader = ResponseReader(Source())
        self.reader.expect(method)
        self.sink: Sink | None = None

    def feed(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.reader.feed(piece)
            response = self.reader.response
            body = response.body if response is not None and self.sink is None else b""
            if isinstance(body, BodyStream):
                self.sink = Sink()
                body.attach(self.sink)

    @property
    def body(self) -> bytes:
        if self.sink is not None:
            if self.sink.error is not None:
                raise self.sink.error
            return self.sink.data
        assert self.reader.response is not None
        assert isinstance(self.reader.response.body, bytes)
        return self.reader.response.body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases(case: Case) -> None:
    data = case.data
    cuts = [[data], [data[at : at + 1] for at in range(len(data))]]
    if len(data) < 120:
        cuts += [[data[:at], data[at:]] for at in range(1, len(data))]
    for pieces in cuts:
        reading = Reading(case.method)
        if case.body is None:
            with pytest.raises((BadResponse, BodyBroken)):
                _read_to_the_end(reading, pieces, ends=case.ends)
            continue
        _read_to_the_end(reading, pieces, ends=case.ends)
        assert reading.reader.is_done
        assert reading.body == case.body
        assert reading.reader.keep_alive == case.keep_alive


def _read_to_the_end(reading: Reading, pieces: list[bytes], *, ends: bool) -> None:
    reading.feed(pieces)
    if ends:
        reading.reader.feed_end()
    assert reading.body is not None


@pytest.mark.parametrize(
    "extra",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX",
        b"H",
        b"evil",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bytes_behind_an_answer_end_the_connection(extra: bytes, method: str) -> None:
    reading = Reading(method)
    body = b"" if method == "HEAD" else b"ok"
    reading.feed([OK + b"Content-Length: 2\r\n\r\n" + body + extra])
    assert reading.reader.is_done
    assert reading.body == body
    assert reading.reader.response is not None
    assert reading.reader.response.status == 200
    assert not reading.reader.keep_alive


def test_next_answer_after_each_kind() -> None:
    reading = Reading("GET")
    for method, data in (
        ("GET", CHUNKED + b"1\r\nx\r\n0\r\nX-T: 1\r\n\r\n"),
        ("HEAD", OK + b"Content-Length: 99\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"),
        ("GET", b"HTTP/1.1 103 H\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("GET", OK + b"X-Last: 1\r\nContent-Length: 2\r\n\r\nok"),
    ):
        reading.sink = None
        reading.reader.expect(method)
        reading.feed([data])
        assert reading.reader.is_done
        assert reading.reader.keep_alive
    response = reading.reader.response
    assert response is not None
    assert response.body == b"ok"
    assert response.headers.items == [(b"X-Last", b"1"), (b"Content-Length", b"2")]
    assert response.trailers == []


def test_switching_protocols() -> None:
    reading = Reading("GET")
    head = b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    reading.feed([head + b"raw"])
    assert reading.reader.switched
    assert reading.reader.rest == b"raw"


def test_endless_trailer_is_bounded() -> None:
    reading = Reading("GET")
    reading.feed([CHUNKED + b"1\r\nx\r\n"])
    with pytest.raises(BadResponse):
        reading.feed([b"0\r\nX: ", *[b"a" * 65536] * 6])
    assert reading.sink is not None
    assert isinstance(reading.sink.error, BadResponse)
