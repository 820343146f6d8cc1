"""Real definitions and exchanges for the tests of steps, in one line each."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.http.headers import Headers, canonical
from propylon.http.message import Request, Response
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.session import Session
from propylon.pipeline.step import Step, StepResult


def make_config(**values: Any) -> Config:
    return msgspec.convert(values, Config)


def make_definition(version: dict[str, Any] | None = None, **values: Any) -> ApiDefinition:
    """Make a keyless API `one` on `/app/`, not versioned, with `version` as its only version."""
    fields: dict[str, Any] = {
        "name": "One",
        "api_id": "one",
        "use_keyless": True,
        "proxy": {"listen_path": "/app/", "target_url": "http://upstream.test"},
        "version_data": {"not_versioned": True, "versions": {"Default": version or {}}},
    }
    return msgspec.convert(fields | values, ApiDefinition)


def make_paths(**sections: list[dict[str, Any]]) -> dict[str, Any]:
    return {"use_extended_paths": True, "extended_paths": sections}


def make_exchange(
    method: str = "GET",
    url: str = "/app/get",
    headers: dict[str, str] | None = None,
    *,
    version: str = "Default",
    session: Session | None = None,
    peer_host: str = "192.0.2.9",
) -> Exchange:
    items = [(canonical(k.encode()), v.encode()) for k, v in (headers or {}).items()]
    request = Request(method, url, Headers(items), host="gw.test", peer_host=peer_host)
    exchange = Exchange(request, id="1", started_at=0)
    exchange.version = version
    exchange.session = session
    return exchange


def answer(headers: dict[str, str] | None = None) -> Response:
    items = [(canonical(k.encode()), v.encode()) for k, v in (headers or {}).items()]
    return Response(200, Headers(items), b"upstream", runs_response_chain=True)


def run(step: Step | None, exchange: Exchange) -> Response | None:
    """Call a step that must decide at once."""
    assert step is not None
    result: StepResult = step(exchange)
    assert not inspect.isawaitable(result)
    return result
