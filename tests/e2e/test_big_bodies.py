"""Bodies far larger than memory should hold: flat memory, first byte at once, nothing lost."""

from __future__ import annotations

import hashlib
import threading

from support.gateway_process import GatewayProcess
from support.raw_client import RawClient
from support.upstream import Received, Upstream, Wire

GIB = 1024**3
ALLOWED_GROWTH = 32 * 1024 * 1024
BLOCK = 256 * 1024


def test_a_gibibyte_down(gateway: GatewayProcess, origin: Upstream) -> None:
    before = gateway.rss_bytes()
    with RawClient(gateway.port) as raw:
        raw.send(f"GET /plain/big?bytes={GIB} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert raw.head().get("Content-Length") == str(GIB)
        left, peak = GIB, 0
        buffer = bytearray(BLOCK)
        while left:
            got = raw.stream.readinto(buffer)  # type: ignore[attr-defined]
            assert got
            if left // (64 * BLOCK) != (left - got) // (64 * BLOCK):
                peak = max(peak, gateway.rss_bytes())
            left -= got
    assert peak - before < ALLOWED_GROWTH


def test_a_big_body_up(gateway: GatewayProcess, origin: Upstream) -> None:
    """256 MiB in chunks; the upstream has the first byte before the client sends the second."""
    size, first = 1024 * BLOCK, threading.Event()
    sums: list[int] = []

    def count(wire: Wire, _: Received) -> bool:
        total = 0
        while chunk := int(wire.stream.readline(), 16):
            while chunk:
                got = len(wire.stream.read(min(chunk, BLOCK)))
                assert got
                chunk -= got
                total += got
                first.set()
            wire.stream.readline()
        wire.stream.readline()
        sums.append(total)
        wire.answer(200, b"%d" % total)
        return True

    origin.route("/count", count, reads_body=False)
    before = gateway.rss_bytes()
    with RawClient(gateway.port) as raw:
        raw.send(b"POST /plain/count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.send(b"1\r\nx\r\n")
        assert first.wait(20)
        peak = 0
        for number in range(1024):
            raw.send(b"%x\r\n" % BLOCK + bytes(BLOCK) + b"\r\n")
            if number % 64 == 0:
                peak = max(peak, gateway.rss_bytes())
        raw.send(b"0\r\n\r\n")
        assert int(raw.answer().body) == size + 1
    assert peak - before < ALLOWED_GROWTH


def test_nothing_is_lost_or_reordered(gateway: GatewayProcess) -> None:
    """Both directions at once, body larger than every buffer on the way."""
    body = b"".join(number.to_bytes(4, "big") for number in range(2_000_000))
    with RawClient(gateway.port) as raw:
        head = f"POST /plain/body HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        sender = threading.Thread(target=raw.send, args=(head.encode() + body,))
        sender.start()
        answer = raw.answer()
        sender.join()
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
