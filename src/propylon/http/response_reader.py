"""Bytes from an upstream become responses, or a failure. Parsing is as strict as for requests.

A reader belongs to one upstream connection and is told about each request before its answer
arrives (`expect`), because the answer to a HEAD has no body whatever its head says (RFC 9112, 6.3).
"""

from __future__ import annotations

import httptools

from propylon.errors import PropylonError
from propylon.http.body import BodyBroken, BodySource, BodyStream
from propylon.http.headers import Headers, canonical, known_spellings
from propylon.http.message import Response

MAX_HEAD_BYTES = 256 * 1024
MAX_FIELDS = 1000
# 1xx answers are passed on at once, past any back-pressure: RFC 9110, 15.2 sets no bound, we do.
MAX_INTERIM = 32


class BadResponse(PropylonError):  # noqa: N818 - it names what the upstream sent
    """The upstream broke the protocol; nothing more can be read from its connection."""


class ResponseReader:
    """The reading side of one upstream connection.

    After each `feed`, look at `response` (the head has arrived), `interim` (1xx answers to pass on)
    and `is_done` (the whole message has arrived). `switched` is set once the upstream has answered
    101; the bytes behind it are in `rest`.
    """

    __slots__ = (
        "_chunks",
        "_head_bytes",
        "_head_is_done",
        "_headers",
        "_interim_count",
        "_is_head_request",
        "_parser",
        "_reason",
        "_side_bytes",
        "_source",
        "_stream",
        "_trailers",
        "_until_close",
        "interim",
        "is_done",
        "keep_alive",
        "response",
        "rest",
        "switched",
    )

    def __init__(self, source: BodySource) -> None:
        self._source = source
        self._parser = httptools.HttpResponseParser(self)
        self.expect("GET")

    def __repr__(self) -> str:
        return f"<ResponseReader {self.response!r} done={self.is_done}>"

    def expect(self, method: str) -> None:
        """Make ready for the answer to the next request on this connection."""
        self._is_head_request = method == "HEAD"
        self.response: Response | None = None
        self.interim: list[Response] = []
        self._interim_count = 0
        self.is_done = False
        self.keep_alive = True
        self.switched = False
        self.rest = b""
        self._stream: BodyStream | None = None
        self._until_close = False
        self._start_head()

    def feed(self, data: bytes) -> None:
        """Read the next bytes. Raises `BadResponse`."""
        if self._head_is_done:
            self._side_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.switched = True
            self.rest = data[upgrade.args[0] :]
            return
        except httptools.HttpParserError as error:
            if self.is_done:
                # The answer is whole; what follows it must not become part of the next one.
                self.keep_alive = False
                return
            raise self._explain(error) from error
        if self._stream is not None:
            self._feed_stream(self._stream)
        if not self._head_is_done:
            if self._head_bytes > MAX_HEAD_BYTES:
                raise BadResponse(f"a response head of more than {MAX_HEAD_BYTES} bytes")
        elif self._stream is None and not self.is_done and self.response is not None:
            self._hand_over_stream()
        elif self._side_bytes > MAX_HEAD_BYTES:
            failure = BadResponse(f"more than {MAX_HEAD_BYTES} bytes of trailers or extensions")
            self.fail(failure)
            raise failure

    def feed_end(self) -> None:
        """The upstream closed its side: the end of a body without framing, else a failure."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            if self._until_close:
                self.is_done = True
                stream.finish()
            else:
                stream.fail(BodyBroken("the upstream closed the connection in mid-body"))

    def fail(self, error: Exception) -> None:
        """The connection broke; a body that was arriving breaks with it."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.fail(error)

    # -- called by httptools -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_done:
            raise BadResponse("bytes behind the end of the response")

    def on_status(self, fragment: bytes) -> None:
        self._reason += fragment

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_done:
            return
        pairs = self._trailers if self._head_is_done else self._headers
        if len(pairs) >= MAX_FIELDS:
            raise BadResponse(f"more than {MAX_FIELDS} fields")
        pairs.append((known_spellings.get(name) or canonical(name), value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if status < 100 or version not in ("1.1", "1.0"):
            raise BadResponse(f"status {status} of HTTP version {version}")
        if status == 101 and not self._parser.should_upgrade():
            raise BadResponse("a 101 that names no protocol")
        response = Response(status, Headers(self._headers), reason=self._reason)
        if status < 200 and status != 101:
            self._interim_count += 1
            if self._interim_count > MAX_INTERIM:
                raise BadResponse(f"more than {MAX_INTERIM} interim responses")
            self.interim.append(response)
            return
        self._head_is_done = True
        self.response = response
        self.keep_alive = self._parser.should_keep_alive()
        if self._is_head_request:
            # The parser waits for a body that never comes; the next answer gets a fresh one.
            self.is_done = True
            self._parser = httptools.HttpResponseParser(self)
        elif status not in (101, 204, 304):
            self._until_close = True
            for name, value in self._headers:
                if name == b"Content-Length":
                    self._until_close = False
                elif name == b"Transfer-Encoding":
                    self._until_close = False
                    _check_coding(value)

    def on_body(self, chunk: bytes) -> None:
        self._side_bytes = 0
        if self.is_done:  # a body behind the answer to a HEAD
            self.keep_alive = False
        else:
            self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        if not self._head_is_done:
            self._start_head()
            return
        if self.is_done:
            return
        self.is_done = True
        if self._stream is not None:
            stream, self._stream = self._stream, None
            self._feed_stream(stream)
            stream.finish(self._trailers)
        elif self.response is not None:
            self.response.body = b"".join(self._chunks)
            self.response.trailers = self._trailers

    # -- decisions ---------------------------------------------------------------------------

    def _start_head(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._reason = b""
        self._head_bytes = 0
        self._side_bytes = 0
        self._head_is_done = False

    def _hand_over_stream(self) -> None:
        response = self.response
        assert response is not None
        length = response.headers.get(b"Content-Length")
        stream = BodyStream(self._source, None if length is None else int(length))
        self._feed_stream(stream)
        self._stream = stream
        response.body = stream

    def _feed_stream(self, stream: BodyStream) -> None:
        """Pass on what one read brought of the body as one piece, however small its chunks."""
        if self._chunks:
            chunks, self._chunks = self._chunks, []
            stream.feed(b"".join(chunks))

    def _explain(self, error: httptools.HttpParserError) -> Exception:
        failure = error.__context__
        is_ours = isinstance(error, httptools.HttpParserCallbackError)
        if not is_ours or not isinstance(failure, Exception):
            failure = BadResponse(f"the upstream's answer is not HTTP/1.1: {error}")
        self.fail(failure)
        return failure


def _check_coding(coding: bytes) -> None:
    if coding.lower() != b"chunked":
        raise BadResponse(f"transfer coding {coding.decode('latin-1')!r} is not supported")
