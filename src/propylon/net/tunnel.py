"""Two sockets joined after a 101: bytes pass both ways, each side's back-pressure holds the other.

Nothing is judged here; an end that closes closes the other.
"""

from __future__ import annotations

import asyncio


class Tunnel:
    """The bytes between client and upstream once they speak another protocol."""

    __slots__ = ("_client", "_upstream", "bytes_to_client")

    def __init__(self, client: asyncio.Transport, upstream: asyncio.Transport) -> None:
        self._client = client
        self._upstream = upstream
        self.bytes_to_client = 0

    def from_client(self, data: bytes) -> None:
        self._upstream.write(data)

    def from_upstream(self, data: bytes) -> None:
        self.bytes_to_client += len(data)
        self._client.write(data)

    def client_is_full(self, is_full: bool) -> None:
        """The client does not keep up: stop or go on reading from the upstream."""
        _set_reading(self._upstream, not is_full)

    def upstream_is_full(self, is_full: bool) -> None:
        _set_reading(self._client, not is_full)

    def close(self) -> None:
        self._client.close()
        self._upstream.close()


def _set_reading(transport: asyncio.Transport, is_reading: bool) -> None:
    if transport.is_closing():
        return
    if is_reading:
        transport.resume_reading()
    else:
        transport.pause_reading()
