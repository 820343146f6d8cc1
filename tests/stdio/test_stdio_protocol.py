"""Framing, the handshake, and what a plugin may ask of the gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stdio_kit import make_exchange, program, refusal_of

from propylon.plugins.stdio.backoff import Backoff
from propylon.plugins.stdio.framing import Framer, FrameTooLargeError, framed
from propylon.plugins.stdio.launcher import plugin_environment
from propylon.plugins.stdio.settings import RestartSettings
from propylon.plugins.stdio.store import PluginStore

STREAMS = [
    (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    (b'{"a":1}\r\n\r\n\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    (b"Content-Length: 3\r\n\r\n{ }", [b"{ }"]),
    (b"content-type: x\r\nCONTENT-LENGTH:2\n\n{}{}\n", [b"{}", b"{}"]),
    (b"garbage\n{}\n", [b"garbage", b"{}"]),
    (b"Content-Length: many\r\n\r\n{}\n", [b"Content-Length: many", b"{}"]),
    (b"Cannot open\n{}\n", [b"Cannot open", b"{}"]),
    (b"Content-Length: 5\r\n\r\n{\n\n\n}{}\n", [b"{\n\n\n}", b"{}"]),
]


@pytest.mark.parametrize(("stream", "frames"), STREAMS)
def test_frames_whole_and_byte_by_byte(stream: bytes, frames: list[bytes]) -> None:
    assert [each.strip() for each in Framer(100).feed(stream)] == frames
    framer = Framer(100)
    bytewise = [frame for byte in stream for frame in framer.feed(bytes([byte]))]
    assert [each.strip() for each in bytewise] == frames


@pytest.mark.parametrize("with_headers", [False, True])
def test_what_we_write_we_read(with_headers: bool) -> None:
    framer = Framer(100)
    assert framer.feed(framed(b'{"a": 1}', with_headers=with_headers)) == [b'{"a": 1}']
    assert framer.saw_headers is with_headers


@pytest.mark.parametrize("stream", [b"x" * 101, b"x" * 101 + b"\n", b"Content-Length: 101\n\n"])
def test_frame_over_the_limit(stream: bytes) -> None:
    with pytest.raises(FrameTooLargeError):
        Framer(100).feed(stream)


def test_backoff_grows_to_its_limit_and_resets() -> None:
    backoff = Backoff(RestartSettings(initial_ms=500, factor=2, max_ms=1500, jitter=0.2))
    assert [backoff.next_delay(None, 0.5) for _ in range(4)] == [0.5, 1.0, 1.5, 1.5]
    assert backoff.next_delay(1.0, 1.0) == pytest.approx(1.8)
    assert backoff.next_delay(60.0, 0.0) == pytest.approx(0.4)
    assert not backoff.is_failed
    assert [backoff.is_failed for _ in range(5) if backoff.next_delay(None, 0)][-1]


def test_environment_keeps_the_gateway_secrets() -> None:
    gateway = {"PATH": "/bin", "TYK_GW_SECRET": "s", "TYK_X": "1", "AWS_KEY": "k"}
    assert plugin_environment(gateway, {"A": "b"}) == {"PATH": "/bin", "TYK_X": "1", "A": "b"}


def test_store_expires_and_is_bounded() -> None:
    store = PluginStore()
    store.put("a", "1", 10, now=0)
    assert store.get("a", now=9) == "1"
    assert store.get("a", now=10) is None
    for number in range(10_000):
        store.put(str(number), "", 1, now=0)
    store.put("one more", "", 0, now=5)
    assert len(store) == 1


async def hello(start: Any, body: str, **arguments: Any) -> bytes | None:
    gateway = await start.hook(body, **arguments)
    exchange = make_exchange()
    await gateway.pre(exchange)
    return exchange.request.headers.get(b"X-Hello")


async def test_plugin_uses_the_store_while_it_serves(start: Any) -> None:
    body = """
assert ask("GetData", key="k")["result"] == {"value": None}
ask("StoreData", key="k", value="kept", ttl=60)
value = ask("GetData", key="k")["result"]["value"]
ask("DeleteData", key="k")
assert ask("GetData", key="k")["result"] == {"value": None}
assert ask("TriggerEvent", name="Custom", payload="p")["result"] == {}
assert ask("StoreData", key=5)["error"]["code"] == -32602
assert ask("NoSuchMethod")["error"]["code"] == -32601
send(method="Log", params={"level": "warn", "message": "said by the plugin"})
return {"request": {"set_headers": {"X-Hello": value}}}
"""
    assert await hello(start, body) == b"kept"


async def test_initialize_tells_the_apis(start: Any) -> None:
    source = program("return {'request': {'set_headers': {'X-Hello': told}}}")
    source[-1] = source[-1].replace(
        'send(id=message["id"], result=INITIALIZE)',
        "told = json.dumps(message['params']); send(id=message[\"id\"], result=INITIALIZE)",
    )
    gateway = await start(source)
    exchange = make_exchange()
    await gateway.pre(exchange)
    told = json.loads(exchange.request.headers.get(b"X-Hello") or b"{}")
    assert told["protocol_version"] == "1.0"
    assert told["apis"][0]["api_id"] == "api-1"
    assert {"type": "Pre", "name": "Pre"} in told["apis"][0]["hooks"]
    assert told["limits"]["timeout_ms"] == 5000


async def test_hook_that_the_plugin_did_not_name_fails_without_a_call(start: Any) -> None:
    gateway = await start.hook("sys.exit(1)", initialize={"hooks": ["Other"]})
    await gateway.until(lambda status: status["state"] == "ready")
    assert await refusal_of(gateway.pre(make_exchange())) == (500, "Middleware error")
    assert gateway.owner.status()["restarts"] == 0


async def test_wrong_protocol_version_is_not_served(start: Any) -> None:
    gateway = await start.hook("return {'request': {}}", initialize={"protocol_version": "2.0"})
    assert await refusal_of(gateway.pre(make_exchange())) == (500, "Middleware error")


async def test_minimal_plugin_is_served_one_call_at_a_time(start: Any) -> None:
    source = (
        "import sys, json\n"
        "for line in sys.stdin:\n"
        "    m = json.loads(line)\n"
        "    r = {'result': {'request': {'set_headers': {'X-Hello': '1'}}}}\n"
        "    if m['method'] != 'Dispatch': r = {'error': {'code': -32601, 'message': ''}}\n"
        "    print(json.dumps({'id': str(m['id']), **r}), flush=True)\n"
    )
    gateway = await start([*program("")[:2], "-c", source])
    exchange = make_exchange()
    await gateway.pre(exchange)
    assert exchange.request.headers.get(b"X-Hello") == b"1"


async def test_header_framed_answers_switch_the_writer(start: Any) -> None:
    body = """
body = json.dumps({"id": message["id"], "result": {"request": {}}})
out.write(f"Content-Length: {len(body)}\\r\\n\\r\\n{body}"); out.flush()
if call["request"]["url"] == "/first":
    head = sys.stdin.readline(); sys.stdin.readline()
    message = json.loads(sys.stdin.read(int(head.split(":")[1])))
    send(id=message["id"], result={"request": {"set_headers": {"X-Hello": "headers"}}})
return None
"""
    gateway = await start.hook(body)
    await gateway.pre(make_exchange(url="/first"))
    exchange = make_exchange(url="/second")
    await gateway.pre(exchange)
    assert exchange.request.headers.get(b"X-Hello") == b"headers"
