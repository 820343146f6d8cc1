"""Header transforms of request and response: gateway-core 9.6."""

from __future__ import annotations

from typing import Any

import pytest
from stepkit import answer, make_config, make_definition, make_exchange, make_paths, run

from propylon.apis.definition import ApiDefinition
from propylon.errors import DefinitionError
from propylon.steps import request_headers, response_headers, response_urls


def sent_upstream(definition: ApiDefinition, headers: dict[str, str], **options: Any) -> Any:
    exchange = make_exchange(headers=headers)
    run(request_headers.build(definition, make_config(**options)), exchange)
    return exchange.request


def seen_by_client(definition: ApiDefinition, headers: dict[str, str]) -> dict[bytes, bytes]:
    exchange = make_exchange()
    exchange.response = answer(headers)
    step = response_headers.build(definition, make_config())
    assert step is not None
    assert step(exchange) is None
    return dict(exchange.response.headers.items)


GLOBAL = {"global_headers": {"x-set": "new"}, "global_headers_remove": ["x-drop"]}


def test_row_143_request_global() -> None:
    request = sent_upstream(make_definition(GLOBAL), {"X-Set": "old", "X-Drop": "1", "X-Keep": "2"})
    assert request.headers.items == [(b"X-Set", b"new"), (b"X-Keep", b"2")]


def test_row_143_endpoint_comes_after_global() -> None:
    entry = {
        "path": "/get",
        "method": "GET",
        "delete_headers": ["X-Set"],
        "add_headers": {"X-Endpoint": "1"},
    }
    definition = make_definition({**GLOBAL, **make_paths(transform_headers=[entry])})
    assert sent_upstream(definition, {}).headers.items == [(b"X-Endpoint", b"1")]


def test_only_the_version_of_the_request_counts() -> None:
    data = {"versions": {"v1": GLOBAL, "v2": {}}}
    step = request_headers.build(make_definition(version_data=data), make_config())
    exchange = make_exchange(version="v2")
    run(step, exchange)
    assert exchange.request.headers.items == []


def test_nothing_configured_means_no_step() -> None:
    off = {**GLOBAL, "global_headers_disabled": True}
    assert request_headers.build(make_definition(off), make_config()) is None
    assert response_headers.build(make_definition(), make_config()) is None
    assert response_urls.build(make_definition(), make_config()) is None


def test_spelling_is_kept_on_demand() -> None:
    definition = make_definition({"global_headers": {"x-lower": "1"}})
    request = sent_upstream(definition, {"X-Lower": "0"}, ignore_canonical_mime_header_key=True)
    assert request.headers.items == [(b"x-lower", b"1")]


def test_host_is_the_host_and_framing_stays_ours() -> None:
    definition = make_definition(
        {"global_headers": {"host": "other.test", "content-length": "3", "A": "b"}}
    )
    request = sent_upstream(definition, {})
    assert request.host == "other.test"
    assert request.headers.items == [(b"A", b"b")]


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "$tyk_meta.name"},
        {"X": "$tyk_context.path"},
        {"X": "$secret_conf.k"},
        {"X Y": "1"},
        {"X": "a\r\nb"},
        {"": "1"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(DefinitionError, match=r"versions\.Default\.global_headers"):
        request_headers.build(make_definition({"global_headers": headers}), make_config())


def test_row_143_response_order() -> None:
    entry = {"path": "/get", "add_headers": {"A": "endpoint", "B": "endpoint", "C": "endpoint"}}
    version = {
        **make_paths(transform_response_headers=[entry]),
        "global_response_headers": {"B": "global", "C": "global"},
        "global_response_headers_remove": ["Server"],
    }
    injector = {"name": "header_injector", "options": {"add_headers": {"C": "injected"}}}
    definition = make_definition(version, response_processors=[injector])
    assert seen_by_client(definition, {"Server": "x", "Z": "1"}) == {
        b"Z": b"1",
        b"A": b"endpoint",
        b"B": b"global",
        b"C": b"injected",
    }


def test_injector_options_are_checked() -> None:
    wrong = {"name": "header_injector", "options": {"add_headers": ["X"]}}
    with pytest.raises(DefinitionError, match=r"response_processors\[0\]"):
        response_headers.build(make_definition(response_processors=[wrong]), make_config())


@pytest.mark.parametrize(
    ("strips", "target", "value", "moved"),
    [
        (True, "http://up.test/base", "http://up.test/base/x?y", "https://gw.test/app/x?y"),
        (True, "http://up.test", "http://up.test/x", "https://gw.test/app/x"),
        (False, "http://up.test/base", "http://up.test/base/x", "https://gw.test/x"),
        (True, "http://up.test/base", "/base/x", "https://gw.test/app/x"),
        (True, "http://up.test", "http://up.testing/x", "http://up.testing/x"),
        (True, "http://up.test", "//cdn.test/x", "//cdn.test/x"),
        (True, "http://up.test", "relative", "relative"),
    ],
)
def test_header_transform(strips: bool, target: str, value: str, moved: str) -> None:
    options = {
        "rev_proxy_header_cleanup": {"headers": ["Location"], "Target_host": "https://gw.test"}
    }
    definition = make_definition(
        proxy={"listen_path": "/app/", "target_url": target, "strip_listen_path": strips},
        response_processors=[{"name": "header_transform", "options": options}],
    )
    step = response_urls.build(definition, make_config())
    assert step is not None
    exchange = make_exchange()
    exchange.response = answer({"Location": value})
    step(exchange)
    assert exchange.response.headers.get(b"Location") == moved.encode()
