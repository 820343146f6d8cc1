"""A request and a response as the gateway holds them between its two sockets.

Steps and plugins edit these objects in place. Text that came from the wire is kept as bytes in
headers and bodies; `url` is text in which every character is one byte (latin-1), percent-encoding
untouched.
"""

from __future__ import annotations

from propylon.http.body import BodyStream
from propylon.http.headers import Headers


class Request:
    """What the client asked, and what the steps made of it so far.

    `host` holds the Host field, which is therefore not in `headers` (Go does the same). `url` is
    the origin form `path?query`, still with the listen path; `request_uri` is the request target as
    received and never changes. `upgrade` is the protocol that the client asks to switch to, if it
    may. `body` is bytes once it is complete; a step that needs it says
    `needs_body` and then finds bytes.
    """

    __slots__ = (
        "body",
        "headers",
        "host",
        "http_version",
        "keep_alive",
        "method",
        "peer_host",
        "request_uri",
        "scheme",
        "trailers",
        "upgrade",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: str,
        headers: Headers,
        *,
        host: str = "",
        body: bytes | BodyStream = b"",
        scheme: str = "http",
        peer_host: str = "",
        http_version: str = "1.1",
    ) -> None:
        self.method = method
        self.url = url
        self.request_uri = url
        self.headers = headers
        self.host = host
        self.body = body
        self.scheme = scheme
        self.peer_host = peer_host
        self.http_version = http_version
        self.trailers: list[tuple[bytes, bytes]] = []
        self.keep_alive = True
        self.upgrade = b""

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url} host={self.host}>"

    @property
    def path(self) -> str:
        """The path as sent, percent-encoding untouched."""
        return self.url.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query, without `?`."""
        return self.url.partition("?")[2]

    def replace_body(self, body: bytes) -> None:
        """Put a complete body in the place of the old one and correct its framing."""
        self.body = body
        self.headers.remove(b"Transfer-Encoding")
        self.trailers = []
        if body or self.method not in BODYLESS_METHODS:
            self.headers.set(b"Content-Length", b"%d" % len(body))
        else:
            self.headers.remove(b"Content-Length")


# RFC 9110, 8.6: a Content-Length of 0 is not sent where a body has no meaning.
BODYLESS_METHODS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Response:
    """An answer, from the upstream, a plugin or the gateway itself.

    `runs_response_chain` is false for answers that by contract skip the response steps (errors,
    mocks, rich plugin overrides). The writer frames the body: a `Content-Length` or
    `Transfer-Encoding` in `headers` is replaced by what is really sent.
    """

    __slots__ = (
        "body",
        "headers",
        "reason",
        "runs_response_chain",
        "status",
        "trailers",
    )

    def __init__(
        self,
        status: int,
        headers: Headers | None = None,
        body: bytes | BodyStream = b"",
        *,
        reason: bytes = b"",
        runs_response_chain: bool = False,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.trailers: list[tuple[bytes, bytes]] = []
        self.runs_response_chain = runs_response_chain

    def __repr__(self) -> str:
        size = len(self.body) if isinstance(self.body, bytes) else self.body
        return f"<Response {self.status} body={size}>"
