"""The access log: fields, template, flags."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import Refusal
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.observe.access_log import AccessLog
from propylon.observe.line_writer import LineWriter
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.session import Session

Logged = Callable[..., str]


def config_of(**settings: Any) -> Config:
    template = settings.pop("template", [])
    logs = {"enabled": True, "template": template}
    return msgspec.convert({"access_logs": logs, "log_format": "json", **settings}, Config)


def an_exchange() -> Exchange:
    request = Request(
        "GET",
        "/t/things?q=1",
        Headers([(b"User-Agent", b"curl/8\x9b")]),
        host="api.example",
        peer_host="10.0.0.9",
    )
    exchange = Exchange(request, id="r-1", started_at=100.0)
    exchange.definition = msgspec.convert(
        {"name": "Things", "api_id": "t1", "org_id": "o1"}, ApiDefinition
    )
    exchange.response = Response(200)
    exchange.bytes_sent = 512
    exchange.upstream_seconds = 0.010
    exchange.upstream_address = "10.0.0.1:80"
    return exchange


@pytest.fixture
def logged() -> Logged:
    """Return a function that logs one exchange and returns the line."""

    def log(exchange: Exchange, now: float = 100.025, **settings: Any) -> str:
        reading, writing = os.pipe()
        writer = LineWriter(writing)
        access_log = AccessLog.from_config(config_of(**settings), writer)
        assert access_log is not None
        access_log.log(exchange, now)
        writer.close()
        os.close(writing)
        with os.fdopen(reading) as file:
            return file.read()

    return log


def test_off_is_none() -> None:
    assert AccessLog.from_config(Config()) is None


def test_full_line(logged: Logged) -> None:
    exchange = an_exchange()
    exchange.record_hook("pre:AddHeader", 0.00125, "ok")
    exchange.session = Session(key_id="0123456789abcdef")
    entry = json.loads(logged(exchange))
    del entry["time"]
    assert entry == {
        "level": "info",
        "message": "access",
        "prefix": "access-log",
        "request_id": "r-1",
        "api_id": "t1",
        "api_name": "Things",
        "org_id": "o1",
        "api_type": "classic",
        "api_key": "****cdef",
        "method": "GET",
        "host": "api.example",
        "original_path": "/t/things",
        "path": "/t/things",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 512,
        "client_ip": "10.0.0.9",
        "remote_addr": "10.0.0.9",
        "user_agent": "curl/8\x9b",
        "latency_total": 25.0,
        "latency_gateway": 15.0,
        "upstream_latency": 10.0,
        "upstream_addr": "10.0.0.1:80",
        "upstream_status": 200,
        "hooks": [{"name": "pre:AddHeader", "ms": 1.25, "outcome": "ok"}],
    }


def test_control_characters_of_clients_are_escaped(logged: Logged) -> None:
    assert "\\u009b" in logged(an_exchange())
    assert '"curl/8\\x9b"' in logged(an_exchange(), log_format="text")


def test_template_selects_and_orders(logged: Logged) -> None:
    line = logged(an_exchange(), template=["status", "api_id", "trace_id", "status"])
    assert line.endswith('"prefix":"access-log","status":200,"api_id":"t1"}\n')


def test_template_of_unknown_fields_leaves_a_valid_line(logged: Logged) -> None:
    assert json.loads(logged(an_exchange(), template=["trace_id"]))["prefix"] == "access-log"


def test_key_logging_shows_the_key(logged: Logged) -> None:
    exchange = an_exchange()
    exchange.session = Session(key_id="abc")
    assert json.loads(logged(exchange))["api_key"] == "----"
    assert json.loads(logged(exchange, enable_key_logging=True))["api_key"] == "abc"


def test_text_line(logged: Logged) -> None:
    line = logged(an_exchange(), log_format="text", template=["status", "request_id"])
    assert line.endswith("level=info message=access prefix=access-log request_id=r-1 status=200\n")


@pytest.mark.parametrize(
    ("message", "flag"),
    [
        ("Authorization field missing", "AMF"),
        ("Request Entity Too Large", "BTL"),
        ("Upstream service reached hard timeout.", "URT"),
        ("something else", None),
    ],
)
def test_refusals_have_a_flag(logged: Logged, message: str, flag: str | None) -> None:
    exchange = an_exchange()
    exchange.refusal = Refusal(400, message, reason="because")
    exchange.response = Response(400)
    entry = json.loads(logged(exchange))
    assert entry.get("response_flag") == flag
    assert entry["error"] == "because"
    assert "upstream_status" not in entry


def test_flags_without_a_refusal(logged: Logged) -> None:
    exchange = an_exchange()
    exchange.response = Response(502)
    assert json.loads(logged(exchange))["response_flag"] == "URS"
    exchange.definition, exchange.upstream_address = None, ""
    exchange.response = Response(404)
    assert json.loads(logged(exchange))["response_flag"] == "NRH"
    exchange.client_gone = True
    exchange.response = None
    entry = json.loads(logged(exchange))
    assert (entry["response_flag"], entry["status"]) == ("CDC", 499)


def test_time_is_now(logged: Logged) -> None:
    assert json.loads(logged(an_exchange()))["time"][:4] == time.strftime("%Y")
