"""Upstreams and clients that misbehave: each gets an answer or an end, and nothing is left."""

from __future__ import annotations

import concurrent.futures
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from support.gateway_process import GatewayProcess, keyless
from support.raw_client import Answer, RawClient
from support.upstream import Upstream

PROBLEM = "There was a problem proxying the request"
TIMEOUT = "Upstream service reached hard timeout."
SETTLE_SECONDS = 10.0
GET = b"GET /plain/%b HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def nothing_is_left(gateway: GatewayProcess) -> Iterator[None]:
    """No descriptor more than before: client and upstream connections are gone, or idle ones."""
    before = gateway.fd_count()
    yield
    wait_until(lambda: gateway.fd_count() <= before + 2, "descriptors are left open")
    assert not [line for line in gateway.log if line.get("level") == "raw"]
    bugs = [line for line in gateway.log if "bug" in line.get("message", "")]
    assert not bugs


def wait_until(is_true: Callable[[], bool], message: str) -> None:
    """Look again and again: the gateway closes on its own clock, and no event says so outside."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, message
        time.sleep(0.02)


# -- upstreams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["reset", "bad-head", "two-lengths", "not-http"])
def test_no_usable_answer(client: RawClient, path: str) -> None:
    answer = client.get(f"/plain/{path}")
    assert answer.status == 500
    assert PROBLEM.encode() in answer.body
    assert answer.get("Content-Type") == "application/json"
    assert client.get("/plain/echo").status == 200


def test_silent_upstream(client: RawClient, origin: Upstream) -> None:
    answer = client.get("/plain/stall")
    assert answer.status == 504
    assert TIMEOUT.encode() in answer.body
    origin.wait_for_disconnect()
    assert client.get("/plain/echo").status == 200


@pytest.mark.parametrize("path", ["die", "die-chunked"])
def test_answer_that_breaks_off(client: RawClient, path: str) -> None:
    answer = client.get(f"/plain/{path}")
    assert answer.status == 200
    assert not answer.is_complete
    assert client.is_closed()


def test_answer_with_a_bad_chunk(client: RawClient) -> None:
    """Refused whole where the fault comes with the head, else cut short."""
    answer = client.get("/plain/bad-chunk")
    assert answer.status == 500 or not answer.is_complete


def test_answer_that_breaks_off_for_http_1_0(client: RawClient) -> None:
    """Nothing but a reset tells an HTTP/1.0 client that this body is not whole."""
    client.send(b"GET /plain/die-chunked HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        client.answer()


def test_answer_that_stalls(client: RawClient, origin: Upstream) -> None:
    answer = client.get("/plain/stall-body")
    assert not answer.is_complete
    origin.wait_for_disconnect()


def test_bytes_behind_an_answer_reach_nobody(gateway: GatewayProcess) -> None:
    for _ in range(3):
        with RawClient(gateway.port) as raw:
            assert raw.get("/plain/extra").body == b"ok"
            assert raw.get("/plain/status?code=404").status == 404


def test_upstream_that_takes_no_body(client: RawClient, origin: Upstream) -> None:
    origin.route("/full", lambda wire, _: wire.wait() or False, reads_body=False)
    client.sock.settimeout(20)
    client.send(b"POST /plain/full HTTP/1.1\r\nHost: a\r\nContent-Length: 99000000\r\n\r\n")
    block = bytes(1024 * 1024)
    try:
        for _ in range(90):
            client.send(block)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        pass
    try:
        assert client.answer().status == 504
    except ConnectionResetError:
        pass  # it would not stop sending: the end of patience is a reset
    origin.release.set()
    origin.release.clear()


@pytest.mark.parametrize("target", ["http://127.0.0.1:1", "http://nowhere.invalid"])
def test_no_upstream(gateway: GatewayProcess, target: str) -> None:
    since = len(gateway.log)
    gateway.write_definition(keyless(target, api_id="gone", listen_path="/gone/"))
    gateway.reload()
    gateway.wait_for_log("API Loaded", since=since, api_id="gone")
    answers: list[Answer] = []

    def is_applied() -> bool:
        with RawClient(gateway.port) as raw:
            answers.append(raw.get("/gone/"))
        body = answers[-1].body
        return answers[-1].status == 500 and (b"lookup failed" in body) == ("invalid" in target)

    wait_until(is_applied, "the new upstream is not asked")


# -- clients ---------------------------------------------------------------------------------------


def test_head_that_trickles(client: RawClient) -> None:
    client.send(b"GET /plain/echo HTTP/1.1\r\n")
    started = time.monotonic()
    try:
        for byte in b"X-Slow: " + b"a" * 1000:
            client.sock.settimeout(0.1)
            client.send(bytes([byte]))
            try:
                assert client.sock.recv(1, socket.MSG_PEEK)
                break
            except TimeoutError:
                pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    client.sock.settimeout(20)
    assert time.monotonic() - started < 5
    assert client.answer().status == 408
    assert client.is_closed()


def test_silent_client(client: RawClient) -> None:
    assert client.is_closed()


def test_idle_connection_is_closed(client: RawClient) -> None:
    assert client.get("/plain/echo").status == 200
    assert client.is_closed()


def test_body_that_stalls(client: RawClient, origin: Upstream) -> None:
    count = len(origin.cut_short)
    client.send(b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    answer = client.answer()
    assert answer.status == 500
    assert b"reading Body" in answer.body
    assert client.is_closed()
    wait_until(lambda: len(origin.cut_short) > count, "the upstream waits for the rest")


def test_body_with_a_broken_chunk(client: RawClient, origin: Upstream) -> None:
    count = len(origin.heads)
    client.send(
        b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc"
    )
    origin.wait_for_requests(count + 1)
    whole = len(origin.requests)
    client.send(b"XX\r\n0\r\n\r\n")
    assert client.answer().status == 400
    assert client.is_closed()
    assert len(origin.requests) == whole


@pytest.mark.parametrize("path", ["stall", "forever", "stall-body"])
def test_client_that_leaves(gateway: GatewayProcess, origin: Upstream, path: str) -> None:
    count = len(origin.heads)
    with RawClient(gateway.port) as raw:
        raw.send(GET % path.encode())
        origin.wait_for_requests(count + 1)
    origin.wait_for_disconnect()


def test_client_that_leaves_in_mid_upload(gateway: GatewayProcess, origin: Upstream) -> None:
    count = len(origin.heads)
    with RawClient(gateway.port) as raw:
        raw.send(
            b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + bytes(100)
        )
        origin.wait_for_requests(count + 1)
    origin.wait_for_disconnect()


def test_client_that_reads_nothing(gateway: GatewayProcess) -> None:
    before = gateway.rss_bytes()
    with RawClient(gateway.port) as raw:
        raw.send(GET % b"big?bytes=200000000")
        wait_until(lambda: _is_cut(raw), "the client was not cut off")
    assert gateway.rss_bytes() - before < 30_000_000


def _is_cut(raw: RawClient) -> bool:
    try:
        raw.sock.send(b"\r\n")
    except OSError:
        return True
    return False


def test_client_that_reads_slowly_gets_everything(gateway: GatewayProcess) -> None:
    """Longer than the write timeout in all, but never without progress for so long."""
    size = 8_000_000
    with RawClient(gateway.port) as raw:
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.send(GET % b"big?bytes=%d" % size)
        assert raw.head().status == 200
        got = 0
        while got < size:
            data = raw.stream.read(min(size - got, 500_000))
            assert data
            got += len(data)
            time.sleep(0.2)  # this is the slowness, not a wait


def test_pipeliner_that_reads_nothing(gateway: GatewayProcess) -> None:
    before = gateway.rss_bytes()
    with RawClient(gateway.port) as raw:
        raw.sock.settimeout(0.5)
        try:
            for _ in range(2000):
                raw.send((GET % b"nowhere") * 100)
        except OSError:
            pass
        assert gateway.rss_bytes() - before < 30_000_000


def test_many_clients_that_leave_at_every_moment(gateway: GatewayProcess, origin: Upstream) -> None:
    paths = [b"stall", b"forever", b"echo", b"die", b"big?bytes=3000000", b"reset", b"sse"]
    request = b"POST /plain/%b HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + bytes(2000)

    def visit(number: int) -> None:
        with RawClient(gateway.port) as raw:
            data = request % paths[number % len(paths)]
            raw.send(data[: 1 + number * 37 % len(data)])
            if number % 3 == 0:
                raw.sock.settimeout(0.05)
                try:
                    raw.sock.recv(100)
                except OSError:
                    pass

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(visit, range(300)))
    origin.release.set()
    origin.release.clear()


def test_it_still_serves(client: RawClient) -> None:
    assert client.get("/plain/echo").status == 200
