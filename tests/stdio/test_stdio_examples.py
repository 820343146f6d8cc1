"""The example plugins, run as they are."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from stdio_kit import EXAMPLES, make_exchange

from propylon.errors import Refusal
from propylon.http.headers import Headers
from propylon.http.message import Response
from propylon.plugins.hook import Hook, HookType

HOOKS = (
    Hook(HookType.PRE, "AddHeader"),
    Hook(HookType.AUTH_CHECK, "CheckToken"),
    Hook(HookType.RESPONSE, "MarkAnswer"),
)

COMMANDS = {
    "python": "python/plugin.py",
    "node": "node/plugin.mjs",
    "shell": "shell/plugin.sh",
}
NEEDS = {"python": "python3", "node": "node", "shell": "jq"}


@pytest.fixture(params=sorted(COMMANDS))
def example(request: pytest.FixtureRequest) -> str:
    if shutil.which(NEEDS[request.param]) is None:
        pytest.skip(f"{NEEDS[request.param]} is not installed")
    return request.param


async def test_example_adds_checks_and_marks(start: Any, example: str) -> None:
    gateway = await start([str(EXAMPLES / COMMANDS[example])], hooks=HOOKS)

    exchange = make_exchange(headers=[(b"Authorization", b"let-me-in")])
    assert await gateway.pre(exchange) is None
    assert exchange.request.headers.get(b"X-Hello") == f"from {example}".encode()

    assert await gateway.auth(exchange) is None
    assert exchange.session is not None
    assert exchange.session.key_id == "let-me-in"
    assert exchange.session.rate == 100

    exchange.response = Response(200, Headers([(b"X-A", b"1")]), b"body")
    await gateway.response(exchange)
    assert exchange.response.headers.get(b"X-Seen-By") == example.encode()
    assert exchange.response.body == b"body"

    with pytest.raises(Refusal) as refused:
        await gateway.auth(make_exchange())
    assert (refused.value.status, refused.value.message) == (401, "who are you?")


def test_examples_are_short_and_need_no_sdk() -> None:
    for path in COMMANDS.values():
        assert len((EXAMPLES / path).read_text().splitlines()) < 40
