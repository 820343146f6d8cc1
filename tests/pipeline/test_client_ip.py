"""Client addresses, row by row of gateway-core 3.14."""

from __future__ import annotations

import pytest

from propylon.http.headers import Headers
from propylon.http.message import Request
from propylon.pipeline.client_ip import client_ip
from propylon.pipeline.exchange import Exchange


def exchange(headers: list[tuple[bytes, bytes]]) -> Exchange:
    request = Request("GET", "/", Headers(headers), peer_host="192.0.2.9")
    return Exchange(request, id="1", started_at=0)


def forwarded(*lines: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"X-Forwarded-For", line) for line in lines]


@pytest.mark.parametrize(
    ("headers", "depth", "expected"),
    [
        ([], 0, "192.0.2.9"),
        ([(b"X-Real-Ip", b"10.0.0.1")], 0, "10.0.0.1"),
        ([(b"X-Real-Ip", b"10.0.0.1"), *forwarded(b"10.9.9.9")], 0, "10.0.0.1"),
        ([(b"X-Real-Ip", b"nonsense"), *forwarded(b"10.9.9.9")], 0, "10.9.9.9"),
        (forwarded(b"10.0.0.1, 10.0.0.2, 10.0.0.3"), 0, "10.0.0.1"),
        (forwarded(b"10.0.0.1, 10.0.0.2, 10.0.0.3"), 1, "10.0.0.3"),
        (forwarded(b"10.0.0.1, 10.0.0.2, 10.0.0.3"), 3, "10.0.0.1"),
        (forwarded(b"10.0.0.1, 10.0.0.2, 10.0.0.3"), 4, ""),
        (forwarded(b"10.0.0.1"), -1, ""),
        (forwarded(b"10.0.0.1", b"10.0.0.2"), 1, "10.0.0.2"),
        (forwarded(b"nonsense"), 0, "192.0.2.9"),
        (forwarded(b""), 2, "192.0.2.9"),
        (forwarded(b"2001:DB8::1"), 0, "2001:db8::1"),
        (forwarded(b"::ffff:10.0.0.1"), 0, "10.0.0.1"),
        (forwarded(b"fe80::1%eth0"), 0, "192.0.2.9"),
    ],
)
def test_row_044_client_ip(headers: list[tuple[bytes, bytes]], depth: int, expected: str) -> None:
    assert client_ip(exchange(headers), depth) == expected


def test_the_first_answer_stays() -> None:
    one = exchange(forwarded(b"10.0.0.1"))
    assert client_ip(one, 0) == "10.0.0.1"
    one.request.headers.remove(b"X-Forwarded-For")
    assert client_ip(one, 0) == "10.0.0.1"
