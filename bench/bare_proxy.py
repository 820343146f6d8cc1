"""The least proxy that uvloop and httptools allow: what the gateway's own work is measured against.

It forwards heads as they came, knows one upstream, keeps connections alive, checks nothing and
obeys no back-pressure. Not for use.

    python bench/bare_proxy.py LISTEN_PORT UPSTREAM_PORT
"""

from __future__ import annotations

import asyncio
import sys

import httptools
import uvloop

idle: list[Upstream] = []


class Upstream(asyncio.Protocol):
    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.client: Client | None = None
        self.out: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self in idle:
            idle.remove(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)
        out, self.out = self.out, []
        if self.client is not None:
            self.client.transport.write(b"".join(out))
            if self.is_complete:
                self.client = None
                idle.append(self)

    def on_message_begin(self) -> None:
        self.is_complete = False
        self.head: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in (b"connection", b"keep-alive"):
            self.head += [name, b": ", value, b"\r\n"]

    def on_headers_complete(self) -> None:
        status = b"HTTP/1.1 %d OK\r\n" % self.parser.get_status_code()
        self.out += [status, *self.head, b"\r\n"]

    def on_body(self, body: bytes) -> None:
        self.out.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True


class Client(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, upstream_port: int) -> None:
        self.loop = loop
        self.upstream_port = upstream_port
        self.parser = httptools.HttpRequestParser(self)
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.head: list[bytes] = []
        self.body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in (b"connection", b"keep-alive"):
            self.head += [name, b": ", value, b"\r\n"]

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        line = b"%s %s HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        message = b"".join([line, *self.head, b"\r\n", *self.body])
        if idle:
            self.send(idle.pop(), message)
        else:
            self.connecting = self.loop.create_task(self.connect(message))

    async def connect(self, message: bytes) -> None:
        _, upstream = await self.loop.create_connection(Upstream, "127.0.0.1", self.upstream_port)
        self.send(upstream, message)

    def send(self, upstream: Upstream, message: bytes) -> None:
        upstream.client = self
        upstream.transport.write(message)


async def serve(listen_port: int, upstream_port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Client(loop, upstream_port), "127.0.0.1", listen_port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
