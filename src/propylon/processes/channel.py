"""One end of the socket pair between the supervisor and a worker.

Messages arrive in a callback, the end of the other side in another. The end is how each side learns
that the other died, however it died: the kernel closes the socket.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import msgspec

Incoming = TypeVar("Incoming")

# A Start message carries every definition: ten thousand of 20 KB fit.
MAX_MESSAGE_BYTES = 256 * 1024 * 1024


class Channel(asyncio.Protocol, Generic[Incoming]):
    """Sends messages and hands the received ones, typed, to `on_message`.

    `on_close` is called once. Anything that is not a message of the expected type closes the
    channel: both ends are the same release, so it is a bug or a stranger.
    """

    def __init__(
        self,
        incoming: Any,
        on_message: Callable[[Incoming], None],
        on_close: Callable[[], None],
    ) -> None:
        self._decoder = msgspec.json.Decoder(incoming)
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._on_message = on_message
        self._on_close = on_close
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<Channel {'open' if self.is_open else 'closed'}>"

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        incoming: Any,
        on_message: Callable[[Incoming], None],
        on_close: Callable[[], None],
    ) -> Channel[Incoming]:
        """Attach to one end of a socket pair; the channel owns the socket from now on."""
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        _, channel = await loop.create_unix_connection(
            lambda: cls(incoming, on_message, on_close), sock=sock
        )
        return channel

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, message: msgspec.Struct) -> None:
        """Send a message; one to a side that has gone is dropped, `on_close` tells of it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._encode(message) + b"\n")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports have the methods without the base class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if b"\n" not in data:
            self._keep(data)
            return
        *lines, rest = (b"".join(self._chunks) + data).split(b"\n")
        self._chunks, self._size = [], 0
        for line in lines:
            self._take(line)
        if rest:
            self._keep(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_close()

    def _keep(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > MAX_MESSAGE_BYTES:
            self.close()

    def _take(self, line: bytes) -> None:
        try:
            message = self._decoder.decode(line)
        except msgspec.DecodeError:
            self.close()
            return
        self._on_message(message)
