"""CORS, row by row of gateway-core 9.18."""

from __future__ import annotations

from typing import Any

import pytest
from stepkit import make_config, make_definition, make_exchange, run

from propylon.http.message import Response
from propylon.steps import cors

PREFLIGHT_VARY = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def build(**settings: Any) -> cors.CorsStep:
    step = cors.build(make_definition(cors={"enable": True, **settings}), make_config())
    assert step is not None
    return step


def preflight(step: cors.CorsStep, origin: str, method: str, headers: str = "") -> Response:
    fields = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        fields["Access-Control-Request-Headers"] = headers
    response = run(step, make_exchange("OPTIONS", headers=fields))
    assert response is not None
    return response


def names(response: Response) -> dict[bytes, bytes]:
    return {k.removeprefix(b"Access-Control-"): v for k, v in response.headers.items}


def test_row_149_preflight_with_defaults() -> None:
    response = preflight(build(), "https://a.test", "POST", "content-type, x-requested-with")
    assert (response.status, response.body) == (204, b"")
    assert names(response) == {
        b"Vary": PREFLIGHT_VARY,
        b"Allow-Origin": b"*",
        b"Allow-Methods": b"POST",
        b"Allow-Headers": b"content-type, x-requested-with",
    }


def test_row_149_preflight_with_everything() -> None:
    step = build(
        allowed_origins=["https://A.test"],
        allowed_methods=["put"],
        allowed_headers=["X-Key"],
        allow_credentials=True,
        max_age=24,
    )
    assert names(preflight(step, "https://a.test", "PUT", "x-key")) == {
        b"Vary": PREFLIGHT_VARY,
        b"Allow-Origin": b"https://a.test",
        b"Allow-Methods": b"PUT",
        b"Allow-Headers": b"x-key",
        b"Allow-Credentials": b"true",
        b"Max-Age": b"24",
    }


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("", "PUT", ""),
        ("https://b.test", "PUT", ""),
        ("https://a.test", "POST", ""),
        ("https://a.test", "put", ""),
        ("https://a.test", "PUT", "x-other"),
        ("https://a.test", "PUT", "x-key,x-other"),
    ],
)
def test_row_149_preflight_refused(origin: str, method: str, headers: str) -> None:
    step = build(
        allowed_origins=["https://a.test"], allowed_methods=["PUT"], allowed_headers=["x-key"]
    )
    response = preflight(step, origin, method, headers)
    assert response.status == 204
    assert names(response) == {b"Vary": PREFLIGHT_VARY}


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        ("https://*.a.test", "https://x.A.test", True),
        ("https://*.a.test", "https://a.test", False),
        ("https://*.a.test", "http://x.a.test", False),
        ("ab*ba", "aba", False),
        ("*", "null", True),
    ],
)
def test_origin_wildcards(allowed: str, origin: str, is_allowed: bool) -> None:
    response = preflight(build(allowed_origins=[allowed]), origin, "GET")
    assert (b"Access-Control-Allow-Origin" in response.headers) is is_allowed


def test_actual_request_goes_on_with_headers_for_its_answer() -> None:
    step = build(allowed_origins=["https://a.test"], exposed_headers=["x-one", "x-two"], max_age=5)
    exchange = make_exchange(headers={"Origin": "https://a.test"})
    assert run(step, exchange) is None
    assert exchange.client_headers == [
        (b"Vary", b"Origin"),
        (b"Access-Control-Allow-Origin", b"https://a.test"),
        (b"Access-Control-Expose-Headers", b"X-One, X-Two"),
    ]


@pytest.mark.parametrize(
    ("method", "origin"), [("GET", ""), ("GET", "https://b.test"), ("DELETE", "https://a.test")]
)
def test_actual_request_that_is_not_allowed(method: str, origin: str) -> None:
    exchange = make_exchange(method, headers={"Origin": origin} if origin else {})
    assert run(build(allowed_origins=["https://a.test"]), exchange) is None
    assert exchange.client_headers == [(b"Vary", b"Origin")]


def test_star_stays_a_star_with_credentials() -> None:
    exchange = make_exchange(headers={"Origin": "https://a.test"})
    run(build(allow_credentials=True), exchange)
    assert (b"Access-Control-Allow-Origin", b"*") in (exchange.client_headers or [])


def test_plain_options_is_answered() -> None:
    response = run(build(), make_exchange("OPTIONS", headers={"Origin": "https://a.test"}))
    assert response is not None
    assert (response.status, response.body) == (200, b"")
    assert names(response) == {b"Vary": b"Origin", b"Allow-Origin": b"*"}


def test_row_149_off_means_untouched() -> None:
    assert cors.build(make_definition(), make_config()) is None


@pytest.mark.parametrize(
    ("settings", "skips"),
    [
        ({"enable": True, "options_passthrough": True}, True),
        ({"enable": True}, False),
        ({"options_passthrough": True}, False),
    ],
)
def test_row_078_options_passthrough(settings: dict[str, bool], skips: bool) -> None:
    assert cors.skips_options(make_definition(cors=settings)) is skips
