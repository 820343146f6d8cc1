"""Requests and responses become bytes; how an answer is framed, `answer` decides.

What a message says of its own framing and connection is dropped and written anew, so a header that
a plugin set can never contradict the body that follows it.
"""

from __future__ import annotations

from http import HTTPStatus

from propylon.http.message import BODYLESS_METHODS, Request, Response

_REASONS: dict[int, bytes] = {
    status.value: status.phrase.encode("ascii") for status in HTTPStatus
} | {499: b"Client Closed Request"}

# RFC 9110, 7.6.1 with the older names that Go's proxy removes too (gateway-core 3.7).
HOP_BY_HOP = frozenset(
    {
        b"Connection",
        b"Proxy-Connection",
        b"Keep-Alive",
        b"Proxy-Authenticate",
        b"Proxy-Authorization",
        b"Te",
        b"Trailer",
        b"Transfer-Encoding",
        b"Upgrade",
    }
)
_FRAMING = HOP_BY_HOP | {b"Content-Length"}

# RFC 9110, 6.5.1: fields that change framing, routing or authority make no sense behind a body.
_NO_TRAILERS = _FRAMING | {
    b"Host",
    b"Authorization",
    b"Cookie",
    b"Set-Cookie",
    b"Content-Encoding",
    b"Content-Type",
    b"Content-Range",
    b"Expect",
    b"Max-Forwards",
    b"Range",
}

LAST_CHUNK = b"0\r\n\r\n"


def drop_hop_by_hop(items: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the fields that travel on: without hop-by-hop ones and those named in Connection."""
    named: set[bytes] | None = None
    kept = []
    for item in items:
        if item[0] not in HOP_BY_HOP:
            kept.append(item)
        elif item[0] == b"Connection":
            named = connection_names(item[1], named)
    return [item for item in kept if item[0].lower() not in named] if named else kept


def connection_names(value: bytes, named: set[bytes] | None) -> set[bytes] | None:
    """Add the fields that a Connection value names; the usual options name none."""
    if value.lower() in _USUAL_OPTIONS:
        return named
    tokens = {token.strip().lower() for token in value.split(b",")}
    return tokens if named is None else named | tokens


_USUAL_OPTIONS = frozenset({b"close", b"keep-alive", b"upgrade", b"keep-alive, upgrade", b"te"})


def request_head(method: str, url: str, host: bytes, lines: list[bytes], framing: bytes) -> bytes:
    """Write a request head from whole lines.

    `lines` are without hop-by-hop fields, Host and Content-Length; `framing` is what replaces them.
    """
    start = f"{method} {url} HTTP/1.1\r\nHost: ".encode("latin-1")
    return b"".join([start, host, b"\r\n", *lines, framing, b"\r\n"])


def request_framing(request: Request) -> bytes:
    """Return the framing line of the request's body (RFC 9112, 6)."""
    body = request.body
    if isinstance(body, bytes):
        if request.trailers:
            return b"Transfer-Encoding: chunked\r\n"
        if body or request.method not in BODYLESS_METHODS:
            return b"Content-Length: %d\r\n" % len(body)
        # A client that said "0" for a GET is quoted, others get no line.
        return b"Content-Length: 0\r\n" if b"Content-Length" in request.headers else b""
    if body.length is None:
        return b"Transfer-Encoding: chunked\r\n"
    return b"Content-Length: %d\r\n" % body.length


def chunk_head(size: int) -> bytes:
    return b"%x\r\n" % size


def last_chunk(trailers: list[tuple[bytes, bytes]]) -> bytes:
    """End a chunked body; trailer fields that may not stand there are dropped."""
    if not trailers:
        return LAST_CHUNK
    lines = [b"%b: %b\r\n" % item for item in trailers if item[0] not in _NO_TRAILERS]
    return b"".join([b"0\r\n", *lines, b"\r\n"])


def whole_chunked(body: bytes, trailers: list[tuple[bytes, bytes]]) -> bytes:
    """Write a complete body in chunks, which is the only way to send trailers (RFC 9112, 7.1.2)."""
    chunk = b"%b%b\r\n" % (chunk_head(len(body)), body) if body else b""
    return chunk + last_chunk(trailers)


def response_head(response: Response, framing: bytes, extra: bytes, date: bytes) -> bytes:
    """Write a response head; `framing` and `extra` are whole lines, `date` the line to add.

    The Date line is added where the answer has none (RFC 9110, 6.6.1).
    """
    lines = []
    has_date = False
    for name, value in response.headers.items:
        if name in _FRAMING:
            continue
        if name == b"Date":
            has_date = True
        lines.append(b"%b: %b\r\n" % (name, value))
    status = response.status
    reason = response.reason or _REASONS.get(status, b"")
    start = b"HTTP/1.1 %d %b\r\n" % (status, reason)
    return b"".join([start, *lines, extra, b"" if has_date else date, framing, b"\r\n"])


def has_no_body(method: str, status: int) -> bool:
    """Tell whether an answer ends with its head (RFC 9112, 6.3)."""
    return method == "HEAD" or status in (204, 304) or 100 <= status < 200


def bodyless_framing(method: str, response: Response) -> bytes:
    """HEAD answers repeat the length that a GET would have (RFC 9110, 9.3.2)."""
    if method != "HEAD" or response.status in (204, 304) or response.status < 200:
        return b""
    length = response.headers.get(b"Content-Length")
    if length is not None and length.isdigit():
        return b"Content-Length: %b\r\n" % length
    if isinstance(response.body, bytes) and response.body:
        return b"Content-Length: %d\r\n" % len(response.body)
    return b""
