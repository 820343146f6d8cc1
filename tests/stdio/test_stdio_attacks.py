"""Replies made to hurt the gateway: too many edits, too deep, no text, no JSON-RPC."""

from __future__ import annotations

from typing import Any

import pytest
from stdio_kit import make_exchange

from propylon.errors import Refusal
from propylon.http.headers import Headers
from propylon.http.message import Response

ECHO = "return {'request': {'set_headers': {'X-Seen': '1'}}}"


async def reason_of(awaitable: Any) -> str:
    """Return why the hook refused with 500."""
    with pytest.raises(Refusal) as refused:
        await awaitable
    assert refused.value.status == 500
    return refused.value.reason


def attack(case: str) -> str:
    """Return a hook body that hurts at /hurt only."""
    many = "MANY = {f'X-{n}': '1' for n in range(15000)}"
    return f"{many}\nif call['request']['url'] == '/hurt':\n    {case}\n{ECHO}"


async def serves(gateway: Any) -> bool:
    exchange = make_exchange(url="/fine")
    await gateway.pre(exchange)
    return exchange.request.headers.get(b"X-Seen") == b"1"


# --- what one reply may change ----------------------------------------------------------------

EXCESSES = [
    ("'set_headers': {f'X-{n}': '1' for n in range(1001)}", "1001 header edits"),
    ("'set_headers': {f'X-{n}': '1' for n in range(15000)}", "15000 header edits"),
    ("'delete_headers': [f'X-{n}' for n in range(1001)]", "1001 header edits"),
    ("'set_headers': {f'X-{n}': 'x' * 300 for n in range(900)}", "header block of 27"),
    ("'set_headers': {'X': 'x' * 262144}", "header block of 262149 bytes"),
    ("'add_params': {str(n): '1' for n in range(15000)}", "15000 parameter edits"),
    ("'delete_params': [str(n) for n in range(1001)]", "1001 parameter edits"),
    ("'add_params': {'a': 'é' * 300000}", "300001 characters"),
    ("'url': '/' + ' ' * 300000", "request.url: 300001 characters"),
    ("'method': 'A' * 300000", "request.method: 300000 characters"),
    ("'return_overrides': {'response_code': 200, 'headers': MANY}", "15000 header edits"),
]


@pytest.mark.parametrize("verbatim", [False, True])
@pytest.mark.parametrize(("edits", "words"), EXCESSES)
async def test_row_010_edits_are_bounded(
    start: Any, edits: str, words: str, verbatim: bool
) -> None:
    gateway = await start.hook(attack(f"return {{'request': {{{edits}}}}}"), verbatim=verbatim)
    assert words in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    assert await serves(gateway)
    assert gateway.owner.status()["restarts"] == 0


@pytest.mark.parametrize("verbatim", [False, True])
async def test_as_many_edits_as_allowed_are_applied_in_order(start: Any, verbatim: bool) -> None:
    case = (
        "return {'request': {'set_headers': {f'x-{n}': str(n) for n in range(998)}, "
        "'delete_headers': ['x-A', 'X-999'], "
        "'add_params': {str(n): '1' for n in range(1000)}}}"
    )
    gateway = await start.hook(attack(case), verbatim=verbatim)
    lines = [(b"X-A", b"a"), (b"X-5", b"old"), (b"X-B", b"b"), (b"X-5", b"older")]
    exchange = make_exchange(url="/hurt", headers=lines)
    await gateway.pre(exchange)
    names = [name for name, _ in exchange.request.headers]
    if verbatim:
        assert names == [b"X-B", *(b"x-%d" % n for n in range(998))]
    else:
        assert names == [b"X-5", b"X-B", *(b"X-%d" % n for n in range(998) if n != 5)]
    assert exchange.request.url == "/hurt?" + "&".join(f"{n}=1" for n in range(1000))


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ("'headers': {f'X-{n}': '1' for n in range(15000)}", "15000 header edits"),
        ("'headers': {'X': 'x' * 262144}", "header block of 262149 bytes"),
        (
            "'multivalue_headers': [{'key': 'X', 'values': ['1'] * 15000}]",
            "15000 header edits",
        ),
    ],
)
async def test_row_010_answers_are_bounded(start: Any, edits: str, words: str) -> None:
    gateway = await start.hook(f"return {{'response': {{{edits}}}}}")
    exchange = make_exchange()
    exchange.response = Response(200, Headers([(b"X-A", b"1")]), b"body")
    assert words in await reason_of(gateway.response(exchange))


@pytest.mark.parametrize("scheme", ["tyk", "TYK", "Tyk"])
async def test_internal_redirects_are_refused_in_any_case(start: Any, scheme: str) -> None:
    gateway = await start.hook(attack(f"return {{'request': {{'url': '{scheme}://self/x'}}}}"))
    assert "internal redirect" in await reason_of(gateway.pre(make_exchange(url="/hurt")))
    gateway = await start.hook(f"return {{'request': {{'url': '{scheme}://self/x'}}}}")
    rewritten = make_exchange(rewritten_url="http://upstream.test/y")
    assert "internal redirect" in await reason_of(gateway.pre(rewritten))
