"""Bytes from a client become requests, or a refusal: the strict half of RFC 9112.

llhttp (behind httptools) does the lexing and refuses what is malformed: bare CR or LF, obs-fold,
repeated or conflicting Content-Length, Transfer-Encoding beside Content-Length, bad chunk sizes.
This file decides what llhttp leaves open: versions, Host, the forms of the target, transfer
codings, limits. Whatever could be read in two ways is refused, so it never reaches an upstream.

Feed bytes, then take the requests from `arrived`; a body that is still arriving is a `BodyStream`
that later feeds go on filling. After `BadRequest` the connection can only answer and close.
"""

from __future__ import annotations

import re
from collections import deque

import httptools

from propylon.errors import Refusal
from propylon.http.body import BodyBroken, BodySource, BodyStream
from propylon.http.headers import Headers, canonical, known_spellings
from propylon.http.message import Request

# A pipelining client that sends more than this without reading answers is cut off: it may repeat
# what was not answered (RFC 9112, 9.3.2), and one segment cannot fill the memory with requests.
MAX_PIPELINED_REQUESTS = 128

# RFC 9110, 7.2 and RFC 3986, 3.2.2: a name, an IPv4 or a bracketed IPv6 address, maybe a port.
_HOST = re.compile(rb"(?:[A-Za-z0-9_.~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_ABSOLUTE_FORM = re.compile(r"(?i:https?)://([^/?#]+)(.*)", re.DOTALL)
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


class BadRequest(Refusal):
    """The bytes cannot be understood as one request only; answer `status` and close."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message, reason=message)


class HeadLimits:
    """What a request head may measure: bytes in all, and number of field lines."""

    __slots__ = ("max_bytes", "max_fields")

    def __init__(self, max_bytes: int, max_fields: int) -> None:
        self.max_bytes = max_bytes
        self.max_fields = max_fields


class RequestReader:
    """The reading side of one client connection.

    `source` is told to pause while a body's consumer is busy. `scheme` and `peer_host` are facts of
    the connection that every request carries.
    """

    __slots__ = (
        # for the life of the connection
        "_allows_upgrade",
        "_limits",
        "_scheme",
        "_source",
        "arrived",
        "peer_host",
        # for the message being read
        "_chunks",
        "_decided",
        "_head_bytes",
        "_head_is_done",
        "_headers",
        "_has_upgrade",
        "_is_continuation",
        "_is_head_behind",
        "_parser",
        "_request",
        "_side_bytes",
        "_stream",
        "_target",
        "_trailers",
        # what the last request named, and found valid
        "_usual_host",
        "_usual_hosts",
        # what follows an upgrade request, until its answer decides what it is
        "held_back",
    )

    def __init__(
        self,
        source: BodySource,
        limits: HeadLimits,
        *,
        scheme: str,
        peer_host: str,
        allows_upgrade: bool,
    ) -> None:
        self._source = source
        self._limits = limits
        self._scheme = scheme
        self.peer_host = peer_host
        self._allows_upgrade = allows_upgrade
        self.arrived: deque[Request] = deque()
        self._usual_hosts: list[bytes] | None = None
        self._usual_host = ""
        self._stream: BodyStream | None = None
        self._request: Request | None = None
        self._head_bytes = 0
        self._head_is_done = False
        self.held_back: list[bytes] | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._is_continuation = False
        self._start_message()

    def __repr__(self) -> str:
        return f"<RequestReader head={self._head_bytes}B waiting={len(self.arrived)}>"

    @property
    def is_mid_head(self) -> bool:
        """True while a head has begun and is not complete: the time for the header deadline."""
        return self._head_bytes > 0 and not self._head_is_done

    @property
    def is_mid_message(self) -> bool:
        """True while a request has begun and its body is not complete."""
        return self._head_bytes > 0 or self._stream is not None

    def feed(self, data: bytes) -> None:
        """Read the next bytes. Raises `BadRequest`; what came before it is in `arrived`."""
        if self.held_back is not None:
            self.held_back.append(data)
            return
        if self._head_is_done:
            self._side_bytes += len(data)
        else:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade_head(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            raise self._explain(error) from error
        if self._stream is not None:
            self._feed_stream(self._stream)
        if not self._head_is_done:
            if self._head_bytes > self._limits.max_bytes:
                raise BadRequest(431, "Request Header Fields Too Large")
        elif self._request is not None:
            self._hand_over_stream()
        elif self._side_bytes > self._limits.max_bytes:
            raise self._broken(BadRequest(431, "Request Header Fields Too Large"))

    def release_held_back(self) -> None:
        """The upgrade was refused: read what followed it as ordinary requests."""
        held, self.held_back = self.held_back, None
        self._parser = httptools.HttpRequestParser(self)
        for data in held or ():
            self.feed(data)

    def fail(self, error: Exception) -> None:
        """The connection is gone; a body that was arriving breaks."""
        if self._stream is not None:
            self._stream.fail(error)
            self._stream = None

    # -- called by httptools, in the order of the message ------------------------------------

    def on_message_begin(self) -> None:
        if not self._head_bytes:
            # It begins behind another message in the same segment, whose bytes are not its own.
            self._head_bytes = 1
            self._is_head_behind = True

    def on_url(self, fragment: bytes) -> None:
        self._target += fragment

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp keeps the optional white space behind a value (RFC 9112, 5.1: not part of it).
        if self._head_is_done:
            if len(self._trailers) >= self._limits.max_fields:
                raise BadRequest(431, "Request Header Fields Too Large")
            self._trailers.append((known_spellings.get(name) or canonical(name), value.rstrip()))
            return
        name = known_spellings.get(name) or canonical(name)
        if name in _DECIDED:
            self._decided.append((name, value.rstrip()))
            if name == b"Host":
                return
        self._headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        self._head_is_done = True
        if self._is_continuation:
            return
        if len(self._headers) > self._limits.max_fields or (
            (self._is_head_behind or self._head_bytes > self._limits.max_bytes)
            and _head_size(self._target, self._headers) > self._limits.max_bytes
        ):
            raise BadRequest(431, "Request Header Fields Too Large")
        self._request = self._build_request()

    def on_body(self, chunk: bytes) -> None:
        self._side_bytes = 0
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        request = self._request
        if self._stream is not None:
            self._feed_stream(self._stream)
            self._stream.finish(self._trailers)
        elif request is not None:
            request.body = b"".join(self._chunks)
            request.trailers = self._trailers
            self._queue(request)
        if not self._has_upgrade:  # else the parser stops here and `feed` goes on
            self._start_message()

    # -- decisions ---------------------------------------------------------------------------

    def _start_message(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._decided: list[tuple[bytes, bytes]] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._head_bytes = 0
        self._head_is_done = False
        self._has_upgrade = False
        self._is_continuation = False
        self._is_head_behind = False
        self._request = None
        # Bytes since the last piece of body: trailers and chunk extensions have no other bound.
        self._side_bytes = 0
        self._stream = None

    def _queue(self, request: Request) -> None:
        if len(self.arrived) >= MAX_PIPELINED_REQUESTS:
            raise BadRequest(503, "Too many pipelined requests")
        self.arrived.append(request)

    def _hand_over_stream(self) -> None:
        request = self._request
        assert request is not None
        length = request.headers.get(b"Content-Length")
        stream = BodyStream(self._source, None if length is None else int(length))
        request.body = stream
        self._request = None
        self._feed_stream(stream)
        self._stream = stream
        self._queue(request)

    def _feed_stream(self, stream: BodyStream) -> None:
        """Pass on what one read brought of the body as one piece, however small its chunks."""
        if self._chunks:
            chunks, self._chunks = self._chunks, []
            stream.feed(b"".join(chunks))

    def _build_request(self) -> Request:
        parser = self._parser
        version = parser.get_http_version()
        if version not in _VERSIONS:
            raise BadRequest(505, f"HTTP version {version} is not supported")
        hosts: list[bytes] = []
        for name, value in self._decided:
            if name == b"Host":
                hosts.append(value)
            else:
                self._decide(name, value, version)
        method = parser.get_method().decode("ascii")
        target = self._target.decode("latin-1")
        if hosts == self._usual_hosts and target[0] == "/" and method != "CONNECT":
            url, host = _origin_form(target), self._usual_host
        else:
            url, host = self._target_and_host(method, target, hosts, version)
        request = Request(
            method,
            url,
            Headers(self._headers),
            host=host,
            scheme=self._scheme,
            peer_host=self.peer_host,
            http_version=version,
        )
        if url != target:
            request.request_uri = target
        request.keep_alive = parser.should_keep_alive()
        if parser.should_upgrade():
            self._has_upgrade = True
            if version == "1.1":  # RFC 9110, 7.8: ignored in HTTP/1.0
                request.upgrade = _switchable(request.headers.get(b"Upgrade") or b"")
        return request

    def _decide(self, name: bytes, value: bytes, version: str) -> None:
        if name == b"Transfer-Encoding":
            if version == "1.0":  # RFC 9112, 6.1: treat the framing as faulty
                raise BadRequest(400, "Transfer-Encoding in an HTTP/1.0 request")
            if value.lower() != b"chunked":  # RFC 9112, 6.1: 501 for codings not understood
                raise BadRequest(501, "Only the transfer coding chunked is supported")
        elif value.lower() != b"100-continue":  # RFC 9110, 10.1.1
            raise BadRequest(417, "Expectation Failed")

    def _target_and_host(
        self, method: str, target: str, hosts: list[bytes], version: str
    ) -> tuple[str, str]:
        """Decide the four forms of RFC 9112, 3.2 and the Host field of 3.2 and RFC 9110, 7.2."""
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise BadRequest(400, "A request needs exactly one Host")
        host = hosts[0] if hosts else b""
        if not _HOST.fullmatch(host):
            raise BadRequest(400, "Invalid Host")
        if method == "CONNECT":
            raise BadRequest(405, "Method Not Allowed")
        if target.startswith("/") or (target == "*" and method == "OPTIONS"):
            url = target
            if hosts:  # most connections name one host; once it is known to be valid is enough
                self._usual_hosts, self._usual_host = hosts, host.decode("latin-1")
        elif absolute := _ABSOLUTE_FORM.fullmatch(target):
            # 3.2.2: the target's authority replaces Host, which the sender should have made equal.
            host = absolute[1].encode("latin-1")
            if not host or not _HOST.fullmatch(host):
                raise BadRequest(400, "Invalid Host")
            url = absolute[2] if absolute[2].startswith("/") else "/" + absolute[2]
        else:
            raise BadRequest(400, "Invalid request target")
        return _origin_form(url), host.decode("latin-1")

    def _after_upgrade_head(self, rest: bytes) -> None:
        """Go on behind a request that asked for an upgrade.

        llhttp stops there, even where the request has a body. An upgrade that cannot happen (not
        allowed, or the request has a body, RFC 9110, 7.8) is an ordinary request to us.
        """
        request = self._request
        assert request is not None
        length = request.headers.get(b"Content-Length")
        has_length = length is not None and int(length) > 0
        has_body = has_length or b"Transfer-Encoding" in request.headers
        if request.upgrade and self._allows_upgrade and not has_body:
            self._start_message()
            self.held_back = [rest] if rest else []
            return
        request.upgrade = b""
        self._parser = httptools.HttpRequestParser(self)
        if not has_body:
            self._start_message()
        else:
            self.arrived.remove(request)
            request.body = b""
            self._resume_body(request, length)
        if rest:
            self.feed(rest)
        elif self._request is not None:
            self._hand_over_stream()

    def _resume_body(self, request: Request, length: bytes | None) -> None:
        """Make a fresh parser stand where the old one stopped: behind this request's head."""
        self._start_message()
        self._is_continuation = True
        framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: " + length
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        self._headers = []
        self._request = request

    def _explain(self, error: httptools.HttpParserError) -> Exception:
        cause = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError) and isinstance(cause, Exception):
            return self._broken(cause)
        if isinstance(error, httptools.HttpParserInvalidMethodError):
            return BadRequest(501, "Method Not Implemented")
        if not self._head_is_done and self._head_bytes > self._limits.max_bytes:
            return BadRequest(431, "Request Header Fields Too Large")
        return self._broken(BadRequest(400, f"Bad Request: {error}"))

    def _broken(self, failure: Exception) -> Exception:
        """Break the body that was arriving, for the same reason."""
        self.fail(failure if isinstance(failure, BadRequest) else BodyBroken(str(failure)))
        return failure


def _origin_form(url: str) -> str:
    """Check a path and query. Go takes a query as it comes: `?discount=50%` is common."""
    if "#" in url:
        raise BadRequest(400, "A request target has no fragment")
    if "%" in url and _BAD_ESCAPE.search(url.partition("?")[0]):
        raise BadRequest(400, "Invalid percent escape in the request target")
    return url


def _switchable(upgrade: bytes) -> bytes:
    """Return the protocols to switch to, or nothing where one of them is HTTP.

    Behind a 101 to `h2c` a client could send the upstream requests that no step has seen.
    """
    names = {each.partition(b"/")[0].strip().lower() for each in upgrade.split(b",")}
    return b"" if names & _HTTP_PROTOCOLS else upgrade


_HTTP_PROTOCOLS = frozenset({b"http", b"h2", b"h2c", b"tls"})
_VERSIONS = frozenset({"1.0", "1.1"})
_DECIDED = frozenset({b"Host", b"Transfer-Encoding", b"Expect"})


def _head_size(target: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
