"""A real HTTP/1.1 server in threads that records what it gets and misbehaves on demand.

Each path is a route, a function that is given the open socket. Routes that wait do so for
`release`, which `close` sets as well, so no test has to sleep and no thread outlives its test.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

WAIT_SECONDS = 20.0


@dataclass
class Received:
    """One request as its bytes arrived. `fields` keep order, spelling and repetition."""

    head: bytes
    method: str
    target: str
    fields: list[tuple[str, str]]
    connection: int
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


class Wire:
    """The open connection that a route answers on."""

    def __init__(self, upstream: Upstream, sock: socket.socket) -> None:
        self.upstream = upstream
        self.sock = sock
        self.stream = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, status: int, body: bytes, *fields: tuple[str, str]) -> None:
        """Send a whole answer with its length."""
        lines = [f"{name}: {value}\r\n" for name, value in fields]
        head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(body)}\r\n{''.join(lines)}\r\n"
        self.send(head.encode("latin-1") + body)

    def wait(self) -> None:
        """Wait until the test releases the waiting routes."""
        self.upstream.release.wait(WAIT_SECONDS)

    def wait_until_closed(self) -> None:
        """Read until the peer closes, then say so to `wait_for_disconnect`."""
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass
        self.upstream.disconnected.release()

    def reset(self) -> None:
        """End with a TCP reset instead of an end of file."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()
        self.sock.close()

    def read_body(self, received: Received) -> None:
        if "chunked" in (received.get("Transfer-Encoding") or "").lower():
            while size := int(self.stream.readline().split(b";")[0], 16):
                received.body += self._exactly(size)
                self.stream.readline()
            while (line := self.stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode("latin-1").partition(":")
                received.trailers.append((name, value.strip()))
        else:
            received.body = self._exactly(int(received.get("Content-Length") or 0))

    def _exactly(self, size: int) -> bytes:
        data = self.stream.read(size)
        if len(data) < size:
            raise ConnectionError("the request body was cut short")
        return data


Route = Callable[[Wire, Received], bool | None]
"""Answers one request; True means that the connection may be used again."""


class Upstream:
    """The server. A context manager; `url` is its base.

    `requests` grows by every request whose body (if any) was read whole; `heads` by every head.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.release = threading.Event()
        self.disconnected = threading.Semaphore(0)
        self.requests: list[Received] = []
        self.heads: list[Received] = []
        self.cut_short: list[Received] = []
        self.connection_count = 0
        self._tls = tls
        self._arrived = threading.Condition()
        self._routes: dict[str, Route] = dict(ROUTES)
        self._unread: set[str] = {"/early"}
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._is_closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def route(self, path: str, answer: Route, *, reads_body: bool = True) -> None:
        """Answer `path` by `answer`; with `reads_body` off the route reads the body itself."""
        self._routes[path] = answer
        if not reads_body:
            self._unread.add(path)

    def wait_for_requests(self, count: int) -> list[Received]:
        """Return once `count` heads have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.heads) >= count, WAIT_SECONDS), (
                f"{len(self.heads)} of {count} requests arrived"
            )
        return self.heads

    def wait_for_disconnect(self) -> None:
        """Return once the peer of a waiting route has closed its connection."""
        assert self.disconnected.acquire(timeout=WAIT_SECONDS), "the gateway did not disconnect"

    def close(self) -> None:
        self._is_closing = True
        self.release.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for sock in list(self._sockets):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(WAIT_SECONDS)

    # -- threads -----------------------------------------------------------------------------

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection_count += 1
            self._start(self._serve, sock, self.connection_count)

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError):
            sock.close()
            return
        self._sockets.add(sock)
        wire = Wire(self, sock)
        try:
            while self._serve_one(wire, number):
                pass
        except (OSError, ValueError):
            pass
        finally:
            self._sockets.discard(sock)
            wire.stream.close()
            sock.close()

    def _serve_one(self, wire: Wire, number: int) -> bool:
        received = _read_head(wire, number)
        if received is None:
            return False
        with self._arrived:
            self.heads.append(received)
            self._arrived.notify_all()
        path = urlsplit(received.target).path
        if path not in self._unread:
            try:
                wire.read_body(received)
            except (OSError, ValueError):
                self.cut_short.append(received)
                self.disconnected.release()
                return False
        self.requests.append(received)
        return bool(self._routes.get(path, echo)(wire, received))


def _read_head(wire: Wire, number: int) -> Received | None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = wire.stream.readline()
        if not line:
            return None
        head += line
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    fields = [(name, value.strip()) for name, _, value in pairs]
    return Received(head, method, target, fields, number)


# -- routes --------------------------------------------------------------------------------------


def echo(wire: Wire, received: Received) -> bool:
    """Say what arrived, as JSON. Every path without a route of its own does this."""
    seen = {
        "method": received.method,
        "target": received.target,
        "fields": received.fields,
        "body": received.body.decode("latin-1"),
        "trailers": received.trailers,
    }
    body = json.dumps(seen).encode()
    if received.method == "HEAD":
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    else:
        wire.answer(200, body, ("Content-Type", "application/json"))
    return True


def _body(wire: Wire, received: Received) -> bool:
    """Send the body back as it came."""
    wire.answer(200, received.body, ("Content-Type", "application/octet-stream"))
    return True


def _slow(wire: Wire, received: Received) -> bool:
    """Answer once released."""
    wire.wait()
    return echo(wire, received)


def _stall(wire: Wire, _: Received) -> None:
    """Never answer; wait for the peer to give up."""
    wire.wait_until_closed()


def _stall_body(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
    wire.wait_until_closed()


def _reset(wire: Wire, _: Received) -> None:
    wire.reset()


def _die(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")


def _die_chunked(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")


def _bad_head(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nBad Name: 1\r\nContent-Length: 2\r\n\r\nok")


def _two_lengths(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk")


def _bad_chunk(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n")


def _not_http(wire: Wire, _: Received) -> None:
    wire.send(b"220 smtp.example ESMTP\r\n")


def _extra(wire: Wire, _: Received) -> None:
    """A whole answer, with the beginning of another one behind it."""
    wire.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Evil"
    )
    wire.wait_until_closed()


def _chunked(wire: Wire, _: Received) -> bool:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.send(b"6\r\nhello \r\n")
    wire.send(b"5\r\nworld\r\n0\r\n\r\n")
    return True


def _trailers(wire: Wire, _: Received) -> bool:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
    wire.send(b"2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n")
    return True


def _until_close(wire: Wire, _: Received) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")


def _status(wire: Wire, received: Received) -> bool:
    """Answer `?code=`; 204 and 304 without a body."""
    code = int(received.query.get("code", ["200"])[0])
    if code in (204, 304):
        wire.send(b"HTTP/1.1 %d Status\r\n\r\n" % code)
    else:
        wire.answer(code, b"status", ("Content-Type", "text/plain"))
    return True


def _early_hints(wire: Wire, _: Received) -> bool:
    wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    wire.answer(200, b"ok")
    return True


def _early(wire: Wire, _: Received) -> None:
    """Answer before the body has been read, then wait."""
    wire.answer(403, b"no")
    wire.wait_until_closed()


def _sse(wire: Wire, _: Received) -> None:
    """One event at once, a second when released."""
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n")
    wire.wait()
    wire.send(b"data: second\n\n")


def _forever(wire: Wire, _: Received) -> None:
    """An answer that ends only when the peer closes."""
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    wire.wait_until_closed()


def _big(wire: Wire, received: Received) -> bool:
    """`?bytes=` zeros, made as they are sent."""
    left = int(received.query["bytes"][0])
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
    block = bytes(256 * 1024)
    while left:
        size = min(left, len(block))
        wire.send(block[:size])
        left -= size
    return True


def _upgrade(wire: Wire, received: Received) -> None:
    """Switch to a protocol that sends every line back; without an Upgrade field, echo."""
    if received.get("Upgrade") is None:
        echo(wire, received)
        return
    wire.send(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: line-echo\r\n\r\nhello\n")
    while line := wire.stream.readline():
        wire.send(line)
    wire.upstream.disconnected.release()


ROUTES: dict[str, Route] = {
    "/echo": echo,
    "/body": _body,
    "/slow": _slow,
    "/stall": _stall,
    "/stall-body": _stall_body,
    "/reset": _reset,
    "/die": _die,
    "/die-chunked": _die_chunked,
    "/bad-head": _bad_head,
    "/two-lengths": _two_lengths,
    "/bad-chunk": _bad_chunk,
    "/not-http": _not_http,
    "/extra": _extra,
    "/chunked": _chunked,
    "/trailers": _trailers,
    "/until-close": _until_close,
    "/status": _status,
    "/early-hints": _early_hints,
    "/early": _early,
    "/sse": _sse,
    "/forever": _forever,
    "/big": _big,
    "/upgrade": _upgrade,
}
