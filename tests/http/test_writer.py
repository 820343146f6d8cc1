"""Writer and reader are inverse, however the bytes are cut; framing is the writer's alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from propylon.http.body import BodyStream
from propylon.http.headers import ALWAYS_CANONICAL, Headers, canonical, is_token
from propylon.http.message import Request, Response
from propylon.http.request_reader import BadRequest, HeadLimits, RequestReader
from propylon.http.writer import (
    HOP_BY_HOP,
    chunk_head,
    drop_hop_by_hop,
    has_no_body,
    last_chunk,
    request_framing,
    request_head,
    response_head,
    whole_chunked,
)

TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=12).map(str.encode)
NAMES = TOKEN.map(canonical).filter(
    lambda name: name not in HOP_BY_HOP | {b"Host", b"Content-Length", b"Expect"}
)
VALUES = st.binary(max_size=20).map(
    lambda raw: bytes(c for c in raw if c == 9 or (31 < c != 127)).strip(b" \t")
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
URLS = st.text("abz019-._~!$&'()*+,;=:@/?", max_size=30).map(lambda text: "/" + text)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "REPORT"])


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
        self.trailers: list[tuple[bytes, bytes]] = []

    def take_body(self, chunk: bytes) -> None:
        self.data += chunk

    def end_body(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.trailers = trailers

    def break_body(self, error: Exception) -> None:
        raise AssertionError(error)


def write(request: Request) -> bytes:
    body = request.body
    assert isinstance(body, bytes)
    data = whole_chunked(body, request.trailers) if request.trailers else body
    framing = request_framing(request)
    lines = [b"%b: %b\r\n" % item for item in request.headers.items]
    return request_head(request.method, request.url, b"host", lines, framing) + data


def read(data: bytes, cuts: list[int]) -> list[tuple[Request, bytes, list[tuple[bytes, bytes]]]]:
    limits = HeadLimits(65536, 100)
    reader = RequestReader(Source(), limits, scheme="http", peer_host="", allows_upgrade=False)
    sinks: list[tuple[Request, Sink]] = []
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    for start, end in pairwise(edges):
        if start == end:
            continue
        reader.feed(data[start:end])
        while reader.arrived:
            request, sink = reader.arrived.popleft(), Sink()
            if isinstance(request.body, BodyStream):
                request.body.attach(sink)
            else:
                sink.data, sink.trailers = request.body, request.trailers
            sinks.append((request, sink))
    return [(request, sink.data, sink.trailers) for request, sink in sinks]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    body = draw(st.binary(max_size=60))
    request = Request(draw(METHODS), draw(URLS), Headers(draw(FIELDS)), body=body)
    if draw(st.booleans()):
        request.trailers = [(b"X-Trailer", value) for value in draw(st.lists(VALUES, max_size=3))]
    return request


@settings(max_examples=150, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=3), st.lists(st.integers(0, 9999), max_size=6))
def test_what_is_written_is_read_back(sent: list[Request], cuts: list[int]) -> None:
    got = read(b"".join(write(request) for request in sent), cuts)
    assert len(got) == len(sent)
    for request, (again, body, trailers) in zip(sent, got, strict=True):
        assert (again.method, again.url, again.host) == (request.method, request.url, "host")
        framing = (b"Content-Length", b"Transfer-Encoding")
        fields = [item for item in again.headers.items if item[0] not in framing]
        assert fields == request.headers.items
        assert body == request.body
        assert trailers == request.trailers


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"\n",
                b"\r",
                b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b" ", b"abc",
                b"3\r\nabc\r\n", b"0\r\n\r\n", b"X: y\r\n", b"Connection: upgrade\r\n",
                b"Upgrade: x\r\n", b"\x00", b"Expect: 100-continue\r\n",
            ]
        ),
        max_size=12,
    ).map(b"".join),
    st.lists(st.integers(0, 9999), max_size=6),
)  # fmt: skip
def test_cuts_change_nothing(data: bytes, cuts: list[int]) -> None:
    """Two readers agree on the requests, or on refusing, however the bytes arrive."""
    assert _outcome(data, []) == _outcome(data, cuts)


def _outcome(data: bytes, cuts: list[int]) -> object:
    try:
        return [(r.method, r.url, r.headers.items, body) for r, body, _ in read(data, cuts)]
    except BadRequest as error:
        return error.status
    except AssertionError:
        return 400  # the body that was arriving broke first


# -- framing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "fields", "body", "framing"),
    [
        ("GET", [], b"", b""),
        ("GET", [(b"Content-Length", b"0")], b"", b"Content-Length: 0\r\n"),
        ("GET", [], b"x", b"Content-Length: 1\r\n"),
        ("POST", [], b"", b"Content-Length: 0\r\n"),
        ("POST", [(b"Content-Length", b"99")], b"x", b"Content-Length: 1\r\n"),
        ("POST", [], BodyStream(Source(), 5), b"Content-Length: 5\r\n"),
        ("POST", [], BodyStream(Source(), None), b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_request_framing(
    method: str, fields: list[tuple[bytes, bytes]], body: bytes | BodyStream, framing: bytes
) -> None:
    assert request_framing(Request(method, "/", Headers(fields), body=body)) == framing


def test_response_framing_is_not_the_headers() -> None:
    fields = [(b"Content-Length", b"99"), (b"Transfer-Encoding", b"x"), (b"X-A", b"1")]
    head = response_head(Response(200, Headers(fields)), b"F: 1\r\n", b"E: 1\r\n", b"Date: now\r\n")
    assert head == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nE: 1\r\nDate: now\r\nF: 1\r\n\r\n"


def test_date_of_the_answer_is_kept() -> None:
    head = response_head(Response(299, Headers([(b"Date", b"then")])), b"", b"", b"Date: now\r\n")
    assert head == b"HTTP/1.1 299 \r\nDate: then\r\n\r\n"


def test_hop_by_hop_fields_are_dropped() -> None:
    items = [
        (b"Connection", b"close, X-One,x-two"),
        (b"Connection", b"X-Three"),
        *((name, b"v") for name in (b"X-One", b"X-Two", b"X-Three", b"X-Four")),
        *((name, b"v") for name in sorted(HOP_BY_HOP - {b"Connection"})),
    ]
    assert drop_hop_by_hop(items) == [(b"X-Four", b"v")]


def test_trailers_that_may_not_be() -> None:
    trailers = [(b"X-Sum", b"1"), (b"Content-Length", b"5"), (b"Host", b"a"), (b"Set-Cookie", b"a")]
    assert last_chunk(trailers) == b"0\r\nX-Sum: 1\r\n\r\n"


def test_an_empty_chunk_is_never_written() -> None:
    assert whole_chunked(b"", [(b"X", b"1")]) == b"0\r\nX: 1\r\n\r\n"
    assert chunk_head(255) == b"ff\r\n"


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("HEAD", 200, True),
        ("GET", 204, True),
        ("GET", 304, True),
        ("GET", 100, True),
        ("GET", 200, False),
        ("GET", 205, False),
    ],
)
def test_which_answers_have_no_body(method: str, status: int, *, expected: bool) -> None:
    assert has_no_body(method, status) == expected


@given(TOKEN)
def test_canonical_names(name: bytes) -> None:
    spelled = canonical(name)
    assert is_token(spelled)
    assert spelled.lower() == name.lower()
    assert canonical(spelled) == spelled


def test_no_spelling_gets_past_the_framing() -> None:
    assert {name.lower() for name in HOP_BY_HOP} <= ALWAYS_CANONICAL
    headers = Headers()
    for name in (b"transfer-ENCODING", b"content-length", b"x-Own"):
        headers.set_spelling(name, b"9")
    head = response_head(Response(200, headers), b"", b"", b"")
    assert head == b"HTTP/1.1 200 OK\r\nx-Own: 9\r\n\r\n"
