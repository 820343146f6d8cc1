"""What a client gets and what an upstream sees, over real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.gateway_process import GatewayProcess
from support.raw_client import Answer, RawClient
from support.upstream import Received, Upstream


def seen(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200
    assert answer.is_complete
    return json.loads(answer.body)  # type: ignore[no-any-return]


def fields(answer: Answer, name: str) -> list[str]:
    return [value for each, value in seen(answer)["fields"] if each.lower() == name.lower()]


# -- the request on its way up ---------------------------------------------------------------------


def test_fields_of_a_bare_request(client: RawClient, origin: Upstream) -> None:
    names = [name for name, _ in seen(client.get("/plain/echo"))["fields"]]
    assert names == ["Host", "User-Agent", "X-Forwarded-For"]
    assert fields(client.get("/plain/echo"), "Host") == [origin.host]
    assert fields(client.get("/plain/echo"), "User-Agent")[0].startswith("Tyk/")


def test_hop_by_hop_fields_stay_here(client: RawClient) -> None:
    answer = client.get(
        "/plain/echo",
        "Connection: keep-alive, X-Private",
        "X-Private: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic eA==",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Upgrade: websocket",
        "X-Public: 1",
        "X-Public: 2",
    )
    names = [name for name, _ in seen(answer)["fields"]]
    assert names == ["Host", "X-Public", "X-Public", "User-Agent", "X-Forwarded-For", "Te"]
    assert fields(answer, "X-Public") == ["1", "2"]


def test_forwarded_for_is_joined(client: RawClient) -> None:
    lines = ("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2, 3.3.3.3")
    answer = client.get("/plain/echo", *lines)
    assert fields(answer, "X-Forwarded-For") == ["1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1"]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/plain/", "/"),
        ("/plain/a", "/a"),
        ("/plain/a/", "/a/"),
        ("/plain/a%2Fb%20c?x=%2F&&y", "/a%2Fb%20c?x=%2F&&y"),
        ("/joined/", "/base?fixed=1"),
        ("/joined/a?b=1", "/base/a?fixed=1&b=1"),
        ("/kept/a", "/kept/a"),
    ],
)
def test_paths_and_queries(client: RawClient, path: str, target: str) -> None:
    assert seen(client.get(path))["target"] == target


def test_preserve_host_header(client: RawClient) -> None:
    assert fields(client.get("/kept/a"), "Host") == ["gateway"]


def test_absolute_form(client: RawClient) -> None:
    client.send(b"GET http://other/kept/a?b HTTP/1.1\r\nHost: gateway\r\n\r\n")
    answer = client.answer()
    assert seen(answer)["target"] == "/kept/a?b"
    assert fields(answer, "Host") == ["other"]


def test_unclear_requests_never_reach_the_upstream(
    gateway: GatewayProcess, origin: Upstream
) -> None:
    before = len(origin.heads)
    head = b"POST /plain/echo HTTP/1.1\r\nHost: a\r\n"
    for framing in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: a\r\n Content-Length: 5\r\n",
        b"Host: b\r\n",
    ):
        with RawClient(gateway.port) as raw:
            raw.send(head + framing + b"\r\n0\r\n\r\nGET /plain/x HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = raw.answer()
            assert answer.status in (400, 501)
            assert answer.get("Connection") == "close"
            assert raw.is_closed()
    assert len(origin.heads) == before


# -- bodies --------------------------------------------------------------------------------------


def test_body_with_a_length(client: RawClient) -> None:
    head = b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    client.send(head + b"hello")
    answer = client.answer()
    assert seen(answer)["body"] == "hello"
    assert fields(answer, "Content-Length") == ["5"]


def test_chunked_body_that_arrives_in_pieces(client: RawClient, origin: Upstream) -> None:
    count = len(origin.heads)
    client.send(
        b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc"
    )
    origin.wait_for_requests(count + 1)  # the head is on its way before the body is complete
    client.send(b"\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n")
    answer = client.answer()
    assert seen(answer)["body"] == "abcde"
    assert fields(answer, "Transfer-Encoding") == ["chunked"]
    assert seen(answer)["trailers"] == [["X-Sum", "1"]]


def test_trailers_of_a_request_that_arrives_at_once(client: RawClient) -> None:
    head = b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.send(head + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert seen(client.answer())["trailers"] == [["X-Sum", "1"]]


def test_expect_continue(client: RawClient) -> None:
    head = (
        b"POST /plain/echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    )
    client.send(head)
    assert client.answer().status == 100
    client.send(b"hello")
    answer = client.answer()
    assert seen(answer)["body"] == "hello"
    assert fields(answer, "Expect") == []


def test_no_continue_for_a_request_that_is_refused(client: RawClient) -> None:
    client.send(
        b"POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    )
    answer = client.answer()
    assert answer.status == 404
    assert answer.get("Connection") == "close"


def test_answer_before_the_body_was_sent(client: RawClient) -> None:
    client.send(
        b"POST /plain/early HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * 1000
    )
    answer = client.answer()
    assert (answer.status, answer.body) == (403, b"no")
    assert answer.get("Connection") == "close"
    client.send(b"x" * 100_000)  # lingers, so that the answer is not lost to a reset
    assert client.is_closed()


@pytest.mark.parametrize("path", ["chunked", "trailers", "until-close", "early-hints"])
def test_answers_of_every_framing(client: RawClient, path: str) -> None:
    answer = client.get(f"/plain/{path}")
    if path == "early-hints":
        assert (answer.status, answer.get("Link")) == (103, "</a.css>")
        answer = client.answer()
    bodies = {"chunked": b"hello world", "until-close": b"until the end"}
    assert (answer.status, answer.body) == (200, bodies.get(path, b"ok"))
    assert answer.is_complete
    assert (answer.get("X-Sum") == "42") == (path == "trailers")
    assert seen(client.get("/plain/echo"))  # and the connection goes on


@pytest.mark.parametrize("code", [204, 304, 404, 500, 599])
def test_statuses(client: RawClient, code: int) -> None:
    assert client.get(f"/plain/status?code={code}").status == code
    assert client.get(f"/plain/status?code={code}").status == code


def test_head(client: RawClient) -> None:
    answer = client.get("/plain/echo", method="HEAD")
    assert int(answer.get("Content-Length") or 0) > 10
    assert seen(client.get("/plain/echo"))["method"] == "GET"


def test_http_1_0(gateway: GatewayProcess) -> None:
    with RawClient(gateway.port) as raw:
        raw.send(b"GET /plain/chunked HTTP/1.0\r\n\r\n")
        answer = raw.answer()
        assert answer.body == b"hello world"
        assert answer.get("Transfer-Encoding") is None
    with RawClient(gateway.port) as raw:
        raw.send(b"GET /plain/echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert raw.answer().get("Connection") == "keep-alive"
        raw.send(b"GET /plain/echo HTTP/1.0\r\n\r\n")
        assert raw.answer().get("Connection") == "close"
        assert raw.is_closed()


# -- connections -----------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(client: RawClient) -> None:
    numbers = range(50)
    lines = [f"GET /plain/echo?n={n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in numbers]
    client.send("".join(lines).encode())
    assert [seen(client.answer())["target"] for _ in numbers] == [f"/echo?n={n}" for n in numbers]


def test_pipelined_refusals_and_requests(client: RawClient) -> None:
    one = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\nGET /plain/echo HTTP/1.1\r\nHost: a\r\n\r\n"
    client.send(one * 40)
    assert [client.answer().status for _ in range(80)] == [404, 200] * 40


def test_pipelined_bodies(client: RawClient) -> None:
    body = b"x" * 300_000
    head = b"POST /plain/body HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.sock.settimeout(20)
    for _ in range(3):
        client.send(head + body + b"GET /plain/echo HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().body == body
        assert client.answer().status == 200


def test_requests_before_a_bad_one_are_answered(client: RawClient) -> None:
    client.send(b"GET /plain/echo HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9.9\r\n\r\n")
    assert client.answer().status == 200
    assert client.answer().status in (400, 505)
    assert client.is_closed()


def test_upstream_connections_are_kept(gateway: GatewayProcess, origin: Upstream) -> None:
    before = origin.connection_count
    for _ in range(5):
        with RawClient(gateway.port) as raw:
            assert raw.get("/plain/echo").status == 200
    assert origin.connection_count <= before + 1


def test_stale_connection_is_repeated(client: RawClient, origin: Upstream) -> None:
    """The upstream drops the kept-alive connection when the next request arrives."""
    dropped: list[int] = []

    def drop_once(wire: Any, received: Received) -> bool:
        if not dropped and received.connection in known:
            dropped.append(received.connection)
            return False
        wire.answer(200, b"ok")
        return True

    origin.route("/drop", drop_once)
    known = {head.connection for head in origin.heads}
    assert client.get("/plain/echo").status == 200
    known = {head.connection for head in origin.heads}
    assert client.get("/plain/drop").body == b"ok"
    assert dropped


# -- upgrades and events ---------------------------------------------------------------------------

UPGRADE = (
    b"GET /plain/upgrade HTTP/1.1\r\nHost: a\r\n"
    b"Connection: keep-alive, Upgrade\r\nUpgrade: line-echo\r\n\r\n"
)


def test_upgrade_with_early_bytes_on_both_sides(client: RawClient, origin: Upstream) -> None:
    client.send(UPGRADE + b"early\n")
    answer = client.answer()
    assert (answer.status, answer.get("Upgrade")) == (101, "line-echo")
    assert client.stream.readline() == b"hello\n"
    assert client.stream.readline() == b"early\n"
    for size in (1, 100_000):
        line = b"x" * size + b"\n"
        client.send(line)
        assert client.stream.readline() == line
    client.close()
    origin.wait_for_disconnect()


def test_refused_upgrade_goes_on_as_http(client: RawClient) -> None:
    upgrade = UPGRADE.replace(b"/plain/upgrade", b"/plain/echo")
    client.send(upgrade + b"GET /plain/echo?second HTTP/1.1\r\nHost: a\r\n\r\n")
    assert fields(client.answer(), "Upgrade") == ["line-echo"]
    assert seen(client.answer())["target"] == "/echo?second"


def test_h2c_is_not_passed_on(client: RawClient) -> None:
    client.send(
        UPGRADE.replace(b"line-echo", b"h2c") + b"GET /plain/echo HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    assert fields(client.answer(), "Upgrade") == []
    assert client.answer().status == 200


def test_events_are_flushed_at_once(client: RawClient, origin: Upstream) -> None:
    client.send(b"GET /plain/sse HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.head().get("Content-Type") == "text/event-stream"
    assert [client.stream.readline() for _ in range(2)] == [b"d\r\n", b"data: first\n"]
    origin.release.set()
    rest = [client.stream.readline() for _ in range(4)]
    origin.release.clear()
    assert b"data: second\n" in rest
