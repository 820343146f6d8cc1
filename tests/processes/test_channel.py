"""Messages over a socket pair, in pieces, broken, and the end of the other side."""

from __future__ import annotations

import asyncio
import socket

import msgspec

from propylon.processes.channel import Channel
from propylon.processes.messages import Commit, Ping, Prepare, Start, ToWorker

NO_FILES = msgspec.Raw(b'{"files":[]}')


class End:
    """One end of a channel and what came out of it."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[ToWorker] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def open(self, sock: socket.socket) -> Channel[ToWorker]:
        return await Channel.open(sock, ToWorker, self.messages.put_nowait, self.closed.set)


async def test_messages_arrive_typed_and_in_order() -> None:
    ours, theirs = socket.socketpair()
    here, there = End(), End()
    sender, receiver = await here.open(ours), await there.open(theirs)
    config = msgspec.Raw(msgspec.json.encode({"secret": "x" * 300_000}))
    start = Start(
        config=config,
        sources=NO_FILES,
        listeners=[],
        slot=1,
        is_replacement=False,
        worker_count=2,
        plugin_socket=None,
    )
    for message in (start, Prepare(1, NO_FILES), Commit(1)):
        sender.send(message)
    async with asyncio.timeout(5):
        first = await there.messages.get()
        assert isinstance(first, Start)
        assert bytes(first.config) == bytes(config)
        assert [await there.messages.get() for _ in range(2)] == [
            Prepare(1, NO_FILES),
            Commit(1),
        ]
        sender.close()
        await there.closed.wait()
        await here.closed.wait()
    assert not receiver.is_open
    receiver.send(Ping())


async def test_bytes_in_any_pieces() -> None:
    ours, theirs = socket.socketpair()
    end = End()
    channel = await end.open(ours)
    with theirs:
        for byte in b'{"type":"ping"}\n{"type":"prepare","reload":3,"sources":{"files":[]}}\n':
            theirs.send(bytes([byte]))
        async with asyncio.timeout(5):
            assert [await end.messages.get() for _ in range(2)] == [
                Ping(),
                Prepare(3, NO_FILES),
            ]
    channel.close()
    await end.closed.wait()


async def test_strange_message_closes() -> None:
    ours, theirs = socket.socketpair()
    end = End()
    await end.open(ours)
    with theirs:
        theirs.send(b'{"type":"make coffee"}\n')
        async with asyncio.timeout(5):
            await end.closed.wait()
    assert end.messages.empty()
