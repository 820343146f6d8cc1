"""Steps that meddle, clients that leave at bad moments, drains, limits."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from serving import AStep, serving

from propylon.errors import Refusal
from propylon.http.message import Response
from propylon.pipeline.exchange import Exchange
from support.raw_client import RawClient
from support.upstream import Upstream

GET = "GET /plain/%s HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = (
    b"GET /plain/upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: line-echo\r\n\r\n"
)


def set_method(method: str) -> AStep:
    def work(exchange: Exchange) -> None:
        exchange.request.method = method

    return AStep(work)


def set_status(status: int) -> AStep:
    def work(exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.status = status

    return AStep(work)


# -- steps that meddle -----------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "made"), [("HEAD", "GET"), ("GET", "HEAD"), ("HEAD", "POST")])
async def test_method_changed_by_a_step(
    tmp_path: Path, upstream: Upstream, asked: str, made: str
) -> None:
    """The framing of the answer follows the method that the client used."""
    async with serving(tmp_path, upstream.url, steps=[set_method(made)]) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                # This upstream sends bodies behind HEAD answers; in pieces they may meet the next
                # request on the same connection, which then rightly fails.
                for path in ("echo", "echo") if made == "HEAD" else ("echo", "chunked", "echo"):
                    answer = raw.get(f"/plain/{path}", method=asked)
                    assert answer.status == 200
                    assert answer.is_complete

        await asyncio.to_thread(talk)
    assert {head.method for head in upstream.heads} == {made}


@pytest.mark.parametrize("status", [0, 99, 100, 101, 103, 1000])
@pytest.mark.parametrize("where", ["request", "response"])
async def test_status_that_is_no_final_answer(
    tmp_path: Path, upstream: Upstream, status: int, where: str
) -> None:
    steps = [AStep(lambda _: Response(status))] if where == "request" else []
    response_steps = [set_status(status)] if where == "response" else []
    async with serving(
        tmp_path, upstream.url, steps=steps, response_steps=response_steps
    ) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                for _ in range(2):
                    answer = raw.get("/plain/chunked")
                    assert answer.status == 500
                    assert b"Middleware error" in answer.body

        await asyncio.to_thread(talk)


async def test_upgrade_refused_by_a_response_step(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(tmp_path, upstream.url, response_steps=[set_status(403)]) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                raw.send(UPGRADE + b"GET /plain/echo HTTP/1.1\r\nHost: a\r\n\r\n")
                assert raw.answer().status == 403
                assert raw.answer().status == 403
            upstream.wait_for_disconnect()

        await asyncio.to_thread(talk)


async def test_body_taken_away_by_a_response_step(tmp_path: Path, upstream: Upstream) -> None:
    """The upstream would send for ever: nobody goes on reading it."""
    async with serving(tmp_path, upstream.url, response_steps=[set_status(204)]) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                assert raw.get("/plain/forever").status == 204
                upstream.wait_for_disconnect()
                assert raw.get("/plain/forever").status == 204

        await asyncio.to_thread(talk)


@pytest.mark.parametrize("where", ["request", "response"])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("error", "status"), [(Refusal(418, "no"), 418), (RuntimeError("bug"), 500)]
)
async def test_step_that_raises(
    tmp_path: Path, upstream: Upstream, error: Exception, status: int, *, where: str, waits: bool
) -> None:
    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise error

    def fail(_: Exchange) -> Any:
        if waits:
            return fail_later()
        raise error

    steps = {"steps" if where == "request" else "response_steps": [AStep(fail)]}
    async with serving(tmp_path, upstream.url, **steps) as gateway:  # type: ignore[arg-type]

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                for path in ("echo", "forever"):
                    assert raw.get(f"/plain/{path}").status == status

        await asyncio.to_thread(talk)


async def test_answer_of_a_waiting_step_cannot_hang(tmp_path: Path, upstream: Upstream) -> None:
    async def answer() -> Response:
        await asyncio.sleep(0)
        return Response(100)

    async with serving(tmp_path, upstream.url, steps=[AStep(lambda _: answer())]) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                assert raw.get("/plain/").status == 500

        await asyncio.to_thread(talk)


# -- collected bodies ------------------------------------------------------------------------------


async def test_body_collected_for_a_step(tmp_path: Path, upstream: Upstream) -> None:
    bodies: list[object] = []
    step = AStep(lambda exchange: bodies.append(exchange.request.body), needs_body=True)
    async with serving(tmp_path, upstream.url, steps=[step]) as gateway:

        def talk() -> None:
            head = b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nContent-Length: "
            with RawClient(gateway.port) as raw:
                raw.send(head + b"6\r\nExpect: 100-continue\r\n\r\n")
                assert raw.answer().status == 100
                raw.send(b"abc")
                raw.send(b"def")
                assert raw.answer().status == 200
                raw.send(head + b"2000\r\n\r\n" + b"x" * 1500)
                assert raw.answer().status == 413
                assert raw.is_closed()

        await asyncio.to_thread(talk)
    assert bodies == [b"abcdef"]


@pytest.mark.parametrize("framing", [b"Content-Length: 11", b"Transfer-Encoding: chunked"])
async def test_max_request_body_size(tmp_path: Path, upstream: Upstream, framing: bytes) -> None:
    config = {"http_server_options": {"max_request_body_size": 10}}
    async with serving(tmp_path, upstream.url, config=config) as gateway:

        def talk() -> None:
            head = b"POST /plain/echo HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n"
            for pieces in (
                [head + b"b\r\n01234567890\r\n0\r\n\r\n"],
                [head, b"10\r\n0123456789012345"],
            ):
                with RawClient(gateway.port) as raw:
                    for piece in pieces:
                        raw.send(piece)
                    answer = raw.answer()
                    assert answer.status == 413
                    assert answer.body == b"Request Entity Too Large\n"

        await asyncio.to_thread(talk)
    assert not upstream.requests


@pytest.mark.parametrize("path", ["die", "die-chunked", "big?bytes=3000000"])
async def test_answer_that_cannot_be_collected(
    tmp_path: Path, upstream: Upstream, path: str
) -> None:
    step = AStep(lambda _: None, needs_body=True)
    async with serving(tmp_path, upstream.url, response_steps=[step]) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                assert raw.get(f"/plain/{path}").status == 500

        await asyncio.to_thread(talk)


# -- clients that leave ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["request", "response"])
@pytest.mark.parametrize("path", ["echo", "forever", "upgrade"])
async def test_client_that_leaves_while_a_step_waits(
    tmp_path: Path, upstream: Upstream, where: str, path: str
) -> None:
    reached, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    steps = {"steps" if where == "request" else "response_steps": [AStep(lambda _: wait())]}
    async with serving(tmp_path, upstream.url, **steps) as gateway:  # type: ignore[arg-type]
        with RawClient(gateway.port) as raw:
            data = UPGRADE if path == "upgrade" else (GET % path).encode()
            await asyncio.to_thread(raw.send, data)
            await asyncio.wait_for(reached.wait(), 20)
        await asyncio.wait_for(cancelled.wait(), 20)
        exchange = await gateway.next_ended()
        assert exchange.client_gone
        if where == "response" and path != "echo":
            await asyncio.to_thread(upstream.wait_for_disconnect)


async def test_client_that_leaves_while_connecting(tmp_path: Path) -> None:
    with _unaccepting() as (port, _):
        async with serving(tmp_path, f"http://127.0.0.1:{port}") as gateway:
            with RawClient(gateway.port) as raw:
                await asyncio.to_thread(raw.send, (GET % "echo").encode())
                while "in_flight=1" not in repr(gateway.snapshot):
                    await asyncio.sleep(0.01)
            assert (await gateway.next_ended()).client_gone


async def test_connect_timeout(tmp_path: Path) -> None:
    with _unaccepting() as (port, _):
        config = {"proxy_default_timeout": 1}
        async with serving(tmp_path, f"http://127.0.0.1:{port}", config=config) as gateway:

            def talk() -> None:
                with RawClient(gateway.port) as raw:
                    assert raw.get("/plain/").status == 504

            await asyncio.to_thread(talk)


class _unaccepting:
    """A port whose queue of connections is full: the kernel answers no further one."""

    def __enter__(self) -> tuple[int, list[socket.socket]]:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        port = self._listener.getsockname()[1]
        self._fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            self._fillers.append(filler)
        return port, self._fillers

    def __exit__(self, *_: object) -> None:
        for sock in (*self._fillers, self._listener):
            sock.close()


# -- connections -----------------------------------------------------------------------------------


async def test_upstream_that_closes_new_connections(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    other = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with serving(tmp_path, f"http://127.0.0.1:{port}") as gateway:

        def talk() -> None:
            for _ in range(50):
                with RawClient(gateway.port) as raw:
                    assert raw.get("/plain/").status == 500

        await asyncio.to_thread(talk)
    other.close()
    await other.wait_closed()


async def test_host_name_that_cannot_be_encoded(tmp_path: Path) -> None:
    async with serving(tmp_path, f"http://{'a' * 70}.test") as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                assert raw.get("/plain/").status == 500

        await asyncio.to_thread(talk)


async def test_too_many_connections(tmp_path: Path, upstream: Upstream) -> None:
    config = {"http_limits": {"max_connections": 2}}
    async with serving(tmp_path, upstream.url, config=config) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as one, RawClient(gateway.port) as two:
                assert one.get("/plain/echo").status == 200
                assert two.get("/plain/echo").status == 200
                with RawClient(gateway.port) as three:
                    assert three.is_closed()
                assert one.get("/plain/echo").status == 200

        await asyncio.to_thread(talk)


async def test_drain_lets_requests_finish(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(tmp_path, upstream.url) as gateway:
        with RawClient(gateway.port) as busy, RawClient(gateway.port) as idle:
            await asyncio.to_thread(idle.get, "/plain/echo")
            await asyncio.to_thread(busy.send, (GET % "slow").encode())
            await asyncio.to_thread(upstream.wait_for_requests, 2)
            drain = asyncio.ensure_future(gateway.server.drain(20))
            assert await asyncio.to_thread(idle.is_closed)
            assert not drain.done()
            upstream.release.set()
            answer = await asyncio.to_thread(busy.answer)
            assert answer.status == 200
            assert answer.get("Connection") == "close"
            await drain


async def test_a_retired_snapshot_waits_for_its_requests(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with serving(tmp_path, upstream.url) as gateway:
        retired = asyncio.Event()
        with RawClient(gateway.port) as raw:
            await asyncio.to_thread(raw.send, (GET % "slow").encode())
            await asyncio.to_thread(upstream.wait_for_requests, 1)
            gateway.server.swap(gateway.snapshot, lambda _: retired.set())
            assert not retired.is_set()
            upstream.release.set()
            assert (await asyncio.to_thread(raw.answer)).status == 200
            await asyncio.wait_for(retired.wait(), 20)


async def test_upload_that_completes_while_nobody_takes_it(
    tmp_path: Path, upstream: Upstream
) -> None:
    """The body is whole, and past the high mark, before the step lets the proxy begin."""
    is_sent = asyncio.Event()

    async def hold(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await is_sent.wait()

    loop = asyncio.get_running_loop()
    async with serving(tmp_path, upstream.url, steps=[AStep(hold)]) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                raw.send(b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
                raw.send(b"x" * 99_999)
                loop.call_soon_threadsafe(is_sent.set)
                assert raw.answer().status == 200
                assert raw.get("/plain/echo").status == 200

        await asyncio.to_thread(talk)


async def test_bytes_that_are_no_request_are_logged(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(tmp_path, upstream.url) as gateway:

        def talk() -> None:
            with RawClient(gateway.port) as raw:
                raw.send(b"GET / HTTP/1.1\r\n\r\n")
                assert raw.answer().status == 400

        await asyncio.to_thread(talk)
        ended = await gateway.next_ended()
        assert ended.response is not None
        assert (ended.response.status, ended.request.peer_host) == (400, "127.0.0.1")
