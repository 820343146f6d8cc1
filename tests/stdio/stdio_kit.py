"""What the stdio tests share: a real owner and host over a real plugin program."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import PropylonError
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.pipeline.exchange import Exchange
from propylon.plugins.hook import Hook, HookType, LoadedHooks
from propylon.plugins.stdio.host import StdioHost
from propylon.plugins.stdio.owner import StdioOwner
from propylon.plugins.stdio.supervisor import WatchSettings

EXAMPLES = Path(__file__).parents[2] / "examples" / "stdio"

# A plugin whose hook is the body of a function `hook(call)`; `reply`, `error` and `ask` speak.
PROGRAM = """
import json, os, sys, time, threading
out = sys.stdout
def send(**message):
    out.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n"); out.flush()
def messages():
    for line in sys.stdin:
        yield json.loads(line)
stream = messages()
def ask(method, **params):
    send(id="ask", method=method, params=params)
    for message in stream:
        if message.get("id") == "ask":
            return message
def hook(call, message):
%s
for message in stream:
    method = message.get("method")
    if method == "Dispatch":
        result = hook(message["params"], message)
        if result is not None:
            send(id=message["id"], result=result)
    elif method == "initialize":
        send(id=message["id"], result=INITIALIZE)
    elif "id" in message and method:
        send(id=message["id"], result={})
"""


def program(body: str, initialize: dict[str, Any] | None = None) -> list[str]:
    """Return the command of a Python plugin with this hook body."""
    indented = "\n".join("    " + line for line in body.strip().splitlines())
    head = f"INITIALIZE = {initialize or {'name': 'test'}!r}\n"
    return [sys.executable, "-u", "-c", head + PROGRAM % indented]


class Gateway:
    """One owner and one host, and the steps of one API."""

    def __init__(self, owner: StdioOwner, host: StdioHost, loaded: LoadedHooks) -> None:
        self.owner = owner
        self.host = host
        self.loaded = loaded

    async def pre(self, exchange: Exchange) -> Response | None:
        return await run_step(self.loaded.pre[0], exchange)

    async def auth(self, exchange: Exchange) -> Response | None:
        return await run_step(self.loaded.auth_check, exchange)

    async def response(self, exchange: Exchange) -> None:
        await self.loaded.response[0](exchange)

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a state of the child; the test's time-out bounds it."""
        while not condition(status := self.owner.status()):
            await asyncio.sleep(0.005)
        return status


async def run_step(step: Any, exchange: Exchange) -> Response | None:
    result = step(exchange)
    if result is None or isinstance(result, Response):
        return result
    return await result


def make_exchange(
    method: str = "GET",
    url: str = "/l/x",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
    **values: Any,
) -> Exchange:
    request = Request(method, url, Headers(headers or []), host="api.test", body=body)
    exchange = Exchange(request, id="request-1", started_at=0.0)
    for name, value in values.items():
        setattr(exchange, name, value)
    return exchange


def make_config(command: list[str], **options: Any) -> Config:
    coprocess = {
        "enable_coprocess": True,
        "coprocess_command": command[0] if command else "",
        "coprocess_args": command[1:],
        "coprocess_timeout_ms": 5000,
        "coprocess_stop_timeout_s": 2,
        "coprocess_restart": {"initial_ms": 20, "max_ms": 200},
        **options,
    }
    verbatim = coprocess.pop("verbatim", False)
    return msgspec.convert(
        {"coprocess_options": coprocess, "ignore_canonical_mime_header_key": verbatim}, Config
    )


def make_definition(**members: Any) -> ApiDefinition:
    base = {
        "api_id": "api-1",
        "org_id": "org-1",
        "name": "test api",
        "proxy": {"listen_path": "/l/", "target_url": "http://upstream.test"},
        "custom_middleware": {
            "driver": "jsonrpc",
            "pre": [{"name": "Pre"}],
            "auth_check": {"name": "Auth"},
            "response": [{"name": "Response"}],
        },
        **members,
    }
    return msgspec.convert(base, ApiDefinition)


ALL_HOOKS = (
    Hook(HookType.PRE, "Pre"),
    Hook(HookType.AUTH_CHECK, "Auth"),
    Hook(HookType.POST_KEY_AUTH, "PostKeyAuth"),
    Hook(HookType.POST, "Post"),
    Hook(HookType.RESPONSE, "Response"),
)


@asynccontextmanager
async def running(
    command: list[str],
    *,
    definition: ApiDefinition | None = None,
    hooks: tuple[Hook, ...] = ALL_HOOKS,
    config: Config | None = None,
    watch: WatchSettings | None = None,
    **options: Any,
) -> AsyncIterator[Gateway]:
    """Run a plugin behind a host in this process."""
    config = config or make_config(command, **options)
    definition = definition or make_definition()
    owner = StdioOwner(config.coprocess_options, "0.0", watch=watch or WatchSettings())
    host = StdioHost(config, owner, 0)
    async with AsyncExitStack() as stack:
        await owner.start()
        stack.push_async_callback(owner.stop)
        await host.start()
        stack.push_async_callback(host.stop)
        gateway = Gateway(owner, host, host.load(definition, hooks))
        host.snapshot_changed((definition,))
        yield gateway


class StartedGateways:
    """Hands out gateways that end with the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, command: list[str], **arguments: Any) -> Gateway:
        return await self._stack.enter_async_context(running(command, **arguments))

    async def hook(self, body: str, **arguments: Any) -> Gateway:
        """Start a Python plugin whose hook has this body."""
        initialize = arguments.pop("initialize", None)
        return await self(program(body, initialize), **arguments)


async def refusal_of(awaitable: Any) -> tuple[int, str]:
    """Return status and message of the refusal that this ends in."""
    try:
        answer = await awaitable
    except PropylonError as error:
        return getattr(error, "status", 0), str(error)
    raise AssertionError(f"not refused but {answer!r}")
