"""The demo's upstream: a small HTTP server that says what it was asked."""

from __future__ import annotations

import asyncio
import json

READ_SECONDS = 60
MAX_BODY_BYTES = 1024 * 1024

USER = {"name": "Ada", "email": "ada@example.org"}


async def start_upstream() -> asyncio.Server:
    """Listen on a free port of this machine. The caller closes the server."""
    return await asyncio.start_server(_serve, "127.0.0.1", 0)


def address_of(server: asyncio.Server) -> str:
    """Return the URL at which `server` listens."""
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://{host}:{port}/"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(READ_SECONDS):
            while await _answer_one(reader, writer):
                pass
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        pass  # the client has gone, or is none
    finally:
        writer.close()


async def _answer_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    request_line = await reader.readline()
    if not request_line:
        return False
    method, path, _ = request_line.decode("latin-1").split()
    headers = {}
    while (line := (await reader.readline()).strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.title()] = value.strip()
    length = int(headers.get("Content-Length", 0))
    if length > MAX_BODY_BYTES:
        return False
    body = await reader.readexactly(length)
    writer.write(_response(method, path, headers, body.decode("latin-1")))
    await writer.drain()
    return True


def _response(method: str, path: str, headers: dict[str, str], body: str) -> bytes:
    seen = {"method": method, "path": path, "headers": headers, "body": body}
    document = USER if path == "/user" else seen
    payload = json.dumps(document, indent=2).encode() + b"\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}"
    return head.encode() + b"\r\n\r\n" + payload
