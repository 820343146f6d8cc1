"""Clients that other people wrote talk through the gateway."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import httpx_sse
import pytest
import websockets.asyncio.client
import websockets.sync.server

from support.gateway_process import GatewayProcess, keyless
from support.upstream import Upstream

NODE_SCRIPT = """
const base = process.argv[1];
const sent = 'x'.repeat(300000);
const start = c => { c.enqueue(new TextEncoder().encode(sent)); c.close(); };
const stream = new ReadableStream({ start });
const posted = await fetch(base + '/plain/body', { method: 'POST', body: stream, duplex: 'half' });
const same = (await posted.text()) === sent;
const many = await Promise.all([...Array(40).keys()].map(
  async n => (await (await fetch(base + '/plain/echo?n=' + n)).json()).target));
console.log(JSON.stringify({ same, many }));
"""


@pytest.fixture(scope="module")
def socket_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway in front of a WebSocket server of the `websockets` package."""

    def echo(connection: websockets.sync.server.ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        target = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        folder = tmp_path_factory.mktemp("sockets")
        with GatewayProcess(folder, [keyless(target, api_id="ws", listen_path="/ws/")]) as process:
            yield process
        server.shutdown()
        thread.join()


async def test_websockets(socket_gateway: GatewayProcess) -> None:
    url = socket_gateway.base_url.replace("http", "ws") + "/ws/"
    async with websockets.asyncio.client.connect(url, max_size=None) as one:
        for message in ("hello", b"\x00\xff", "x" * 3_000_000):
            await one.send(message)
            assert await one.recv() == message
        pong = await one.ping()
        await pong
    assert one.close_code == 1000


async def test_many_websockets_at_once(socket_gateway: GatewayProcess) -> None:
    url = socket_gateway.base_url.replace("http", "ws") + "/ws/"

    async def talk(number: int) -> None:
        async with websockets.asyncio.client.connect(url) as one:
            await one.send(str(number))
            assert await one.recv() == str(number)

    await asyncio.gather(*(talk(number) for number in range(50)))


async def test_httpx_sse(gateway: GatewayProcess, origin: Upstream) -> None:
    async with (
        httpx.AsyncClient() as client,
        httpx_sse.aconnect_sse(client, "GET", f"{gateway.base_url}/plain/sse") as source,
    ):
        events = source.aiter_sse()
        assert (await anext(events)).data == "first"  # while the upstream still waits
        origin.release.set()
        assert (await anext(events)).data == "second"
    origin.release.clear()


async def test_httpx_many_at_once(gateway: GatewayProcess) -> None:
    async with httpx.AsyncClient(base_url=gateway.base_url, timeout=20) as client:
        answers = await asyncio.gather(
            *(client.post(f"/plain/echo?n={n}", content=b"x" * n) for n in range(100))
        )
    assert [len(answer.json()["body"]) for answer in answers] == list(range(100))


def test_curl(gateway: GatewayProcess, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 2_000_000)
    url = f"{gateway.base_url}/plain/"
    for arguments in (
        [url + "body", "--data-binary", f"@{upload}"],
        [url + "body", "--data-binary", f"@{upload}", "-H", "Transfer-Encoding: chunked"],
        [url + "body", "--data-binary", f"@{upload}", "-H", "Expect: 100-continue"],
        [url + "body", "--data-binary", f"@{upload}", "--http2"],
        [url + "body", "-T", str(upload), "-X", "POST"],
    ):
        assert len(_run(["curl", "-sS", "--max-time", "20", *arguments])) == 2_000_000
    assert _run(["curl", "-sS", "-I", url + "echo"]).startswith(b"HTTP/1.1 200")
    assert json.loads(_run(["curl", "-sS", "--http1.0", url + "echo"]))["target"] == "/echo"
    assert _run(["curl", "-sS", url + "chunked", url + "until-close"]).endswith(b"until the end")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_node_fetch(gateway: GatewayProcess) -> None:
    command = ["node", "--input-type=module", "-e", NODE_SCRIPT, gateway.base_url]
    result = json.loads(_run(command))
    assert result["same"]
    assert result["many"] == [f"/echo?n={n}" for n in range(40)]


def _run(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
