"""Calls over a unix socket between workers and the process that owns the child.

Packets have a fixed head (kind, call id, length) so that the owner routes them without reading the
JSON inside. `PacketReader` is pure; the two protocols on top move packets, nothing else.
"""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import cast

import msgspec

from propylon.errors import PropylonError
from propylon.plugins.stdio.calls import Caller, ChildFacts
from propylon.plugins.stdio.dispatcher import Dispatcher

_HEAD = struct.Struct("!BQI")

# Room for what a packet holds beside a message of the maximal size.
PACKET_SLACK_BYTES = 64 * 1024


class Kind(IntEnum):
    # worker to owner
    CALL = 1
    CANCEL = 2
    TABLE = 3
    # owner to worker
    RESULT = 4
    FAILURE = 5
    FACTS = 6


_KINDS = {kind.value: kind for kind in Kind}


class RelayError(PropylonError):
    """The peer speaks something else: a foreign process, or another version of the gateway."""


class PacketReader:
    """Cuts a stream into packets."""

    __slots__ = ("_buffer", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[tuple[Kind, int, bytes]]:
        """Take bytes, return the packets they complete. Raises `RelayError`."""
        buffer = self._buffer
        buffer += data
        packets = []
        start, end = 0, len(buffer)
        while end - start >= _HEAD.size:
            kind, call_id, length = _HEAD.unpack_from(buffer, start)
            if kind not in _KINDS or length > self._max_bytes:
                raise RelayError(f"a packet of kind {kind} and {length} bytes")
            body = start + _HEAD.size
            if end - body < length:
                break
            packets.append((_KINDS[kind], call_id, bytes(buffer[body : body + length])))
            start = body + length
        del buffer[:start]
        return packets


class _PacketProtocol(asyncio.Protocol, ABC):
    """Sends packets of one loop turn in one write."""

    def __init__(self, max_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = PacketReader(max_bytes)
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            packets = self._reader.feed(data)
        except RelayError:
            self.close()
            return
        for kind, call_id, payload in packets:
            self._take(kind, call_id, payload)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self, kind: Kind, call_id: int, payload: bytes) -> None:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(_HEAD.pack(kind, call_id, len(payload)))
        self._outgoing.append(payload)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(outgoing))

    @abstractmethod
    def _take(self, kind: Kind, call_id: int, payload: bytes) -> None:
        """Act on one packet of the peer."""


class WorkerConnection(_PacketProtocol):
    """The owner's end: a `Caller` whose results cross the socket."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        announce: Callable[[bytes], None],
        connections: set[WorkerConnection],
        facts: Callable[[], ChildFacts],
        max_bytes: int,
    ) -> None:
        super().__init__(max_bytes)
        self._dispatcher = dispatcher
        self._announce = announce
        self._connections = connections
        self._facts = facts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        self.take_facts(self._facts())

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._dispatcher.drop(self)

    def take_result(self, call_id: int, result: bytes) -> None:
        self._send(Kind.RESULT, call_id, bytes(result))

    def take_failure(self, call_id: int, reason: str) -> None:
        self._send(Kind.FAILURE, call_id, reason.encode("utf-8", "replace"))

    def take_facts(self, facts: ChildFacts) -> None:
        self._send(Kind.FACTS, 0, msgspec.json.encode(facts))

    def _take(self, kind: Kind, call_id: int, payload: bytes) -> None:
        match kind:
            case Kind.CALL:
                self._dispatcher.submit(self, call_id, payload)
            case Kind.CANCEL:
                self._dispatcher.cancel(call_id)
            case Kind.TABLE:
                self._announce(payload)
            case _:
                self.close()


class OwnerConnection(_PacketProtocol):
    """A worker's end: a `Port` across the socket. `lost` is called once, when it is gone."""

    def __init__(self, caller: Caller, lost: Callable[[], None], max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._caller = caller
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()

    def submit(self, call_id: int, frame: bytes) -> None:
        self._send(Kind.CALL, call_id, frame)

    def cancel(self, call_id: int) -> None:
        self._send(Kind.CANCEL, call_id, b"")

    def announce(self, table: bytes) -> None:
        self._send(Kind.TABLE, 0, table)

    def _take(self, kind: Kind, call_id: int, payload: bytes) -> None:
        match kind:
            case Kind.RESULT:
                self._caller.take_result(call_id, payload)
            case Kind.FAILURE:
                self._caller.take_failure(call_id, payload.decode())
            case Kind.FACTS:
                self._caller.take_facts(msgspec.json.decode(payload, type=ChildFacts))
            case _:
                self.close()
