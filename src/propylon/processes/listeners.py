"""The listening sockets: opened once by the supervisor, shared by every worker.

Workers inherit the same sockets instead of binding their own with `SO_REUSEPORT`: a connection that
waits in the queue of a dead worker's own socket would be reset, one in the shared queue is accepted
by the next worker.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from propylon.config.model import Config
from propylon.observe.logs import get_logger
from propylon.processes.errors import StartError

log = get_logger("main")

# The kernel cuts it to net.core.somaxconn. Long enough for a burst while a worker is replaced.
BACKLOG = 4096

# A kernel without IPv6 says one of these; listening on IPv4 alone is right there.
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket and what is served on it: `main` or `control`."""

    role: str
    socket: socket.socket

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Listeners:
    """Every listening socket of the gateway; a context manager that closes them."""

    def __init__(self, listeners: tuple[Listener, ...]) -> None:
        self._listeners = listeners

    @classmethod
    def open(cls, config: Config) -> Listeners:
        """Bind and listen; raises `StartError` naming the address that is not to be had."""
        opened: list[Listener] = []
        try:
            opened += _open_role("main", config.listen_address, config.listen_port)
            if config.control_api_port:
                opened += _open_role("control", config.listen_address, config.control_api_port)
        except BaseException:
            cls(tuple(opened)).close()
            raise
        return cls(tuple(opened))

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def log_addresses(self) -> None:
        """Write one line per socket; with port 0 it is where the real port is found."""
        for listener in self._listeners:
            host, port = listener.socket.getsockname()[:2]
            log.info(
                "listening", address=listener.address, host=host, port=port, listener=listener.role
            )

    def close(self) -> None:
        for listener in self._listeners:
            listener.socket.close()


def _open_role(role: str, address: str, port: int) -> list[Listener]:
    if address:
        return [Listener(role, _bind(role, _family(role, address), address, port))]
    return _open_everywhere(role, port)


def _open_everywhere(role: str, port: int) -> list[Listener]:
    """Listen on all addresses with a socket per family.

    One dual-stack socket would report IPv4 peers as `::ffff:a.b.c.d`, which no IP list expects.
    """
    ipv4 = Listener(role, _bind(role, socket.AF_INET, "0.0.0.0", port))  # noqa: S104 - the default
    try:
        ipv6 = _listen(socket.AF_INET6, "::", ipv4.socket.getsockname()[1])
    except OSError as error:
        if error.errno in _NO_IPV6:
            return [ipv4]
        ipv4.socket.close()
        raise _cannot_listen(role, "::", port, error) from error
    return [ipv4, Listener(role, ipv6)]


def _family(role: str, address: str) -> socket.AddressFamily:
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _cannot_listen(role, address, 0, error) from error
    return found[0][0]


def _bind(role: str, family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    try:
        return _listen(family, address, port)
    except OSError as error:
        raise _cannot_listen(role, address, port, error) from error


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _cannot_listen(role: str, address: str, port: int, error: OSError) -> StartError:
    setting = "control_api_port" if role == "control" else "listen_port"
    reason = error.strerror or os.strerror(error.errno or 0)
    return StartError(f"cannot listen on {address}:{port} ({setting}): {reason}")
