"""Runs real scripts through the real host: one API, its hooks, one exchange at a time."""

from __future__ import annotations

import base64
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from structlog.testing import LogCapture

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.pipeline.exchange import Exchange
from propylon.plugins.hook import Hook, HookType, LoadedHooks
from propylon.plugins.javascript import JavaScriptHost


class Scene:
    """One host and what its scripts logged."""

    def __init__(self, folder: Path, logs: LogCapture) -> None:
        self.folder = folder
        self.logs = logs
        self.hosts: list[JavaScriptHost] = []
        self.host: JavaScriptHost | None = None

    def start(self, **config: Any) -> JavaScriptHost:
        settings = {"enable_jsvm": True, "jsvm_timeout": 2, **config}
        settings.setdefault("middleware_path", str(self.folder / "middleware"))
        self.host = JavaScriptHost(msgspec.convert(settings, Config))
        self.hosts.append(self.host)
        return self.host

    def file(self, text: str, name: str = "plugin.js") -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return str(path)

    def definition(self, **fields: Any) -> ApiDefinition:
        return msgspec.convert({"api_id": "api1", "name": "API one", **fields}, ApiDefinition)

    def load(self, *hooks: Hook, **fields: Any) -> LoadedHooks:
        host = self.host or self.start()
        return host.load(self.definition(**fields), hooks)

    def body(self, statements: str, kind: HookType = HookType.PRE, **options: Any) -> LoadedHooks:
        """Load one hook `m` whose callback runs `statements`."""
        fields = options.pop("fields", {})
        path = self.file(middleware(statements))
        return self.load(Hook(kind, "m", path, **options), **fields)

    def messages(self, level: str | None = None) -> list[str]:
        return [
            each["event"]
            for each in self.logs.entries
            if level is None or each["log_level"] == level
        ]


def middleware(statements: str, name: str = "m", before: str = "") -> str:
    return (
        f"{before}\nvar {name} = new TykJS.TykMiddleware.NewMiddleware({{}});\n"
        f"{name}.NewProcessRequest(function (request, session, config) {{\n"
        f"{statements}\nreturn {name}.ReturnData(request, {{}});\n}});\n"
    )


def exchange_of(
    method: str = "GET",
    url: str = "/a/b",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    **options: Any,
) -> Exchange:
    items = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    request = Request(method, url, Headers(items), host="example.com", body=body, **options)
    return Exchange(request, id="r1", started_at=0.0)


async def run(step: Any, exchange: Exchange | None = None) -> tuple[Exchange, Response | None]:
    """Call a step as the chain does."""
    exchange = exchange or exchange_of()
    result = step(exchange)
    if inspect.isawaitable(result):
        result = await result
    return exchange, result


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    logs = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[logs], cache_logger_on_first_use=False)
    made = Scene(tmp_path, logs)
    yield made
    for host in made.hosts:
        await host.stop()
    structlog.configure(**before)


@pytest.fixture
def call() -> Callable[..., Any]:
    return run


@pytest.fixture
def new_exchange() -> Callable[..., Exchange]:
    return exchange_of


@pytest.fixture
def script() -> Callable[..., str]:
    return middleware


@pytest.fixture
def inline() -> Callable[[str], str]:
    return lambda text: base64.b64encode(text.encode()).decode()
