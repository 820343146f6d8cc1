"""Versions and path lists: gateway-core 2.3, 3.4, 3.6."""

from __future__ import annotations

from typing import Any

import pytest
from stepkit import make_config, make_definition, make_exchange, make_paths, run

from propylon.apis.definition import ApiDefinition
from propylon.errors import DefinitionError, Refusal
from propylon.steps import version_check

FORBIDDEN = "Requested endpoint is forbidden"
NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


def refusal_of(definition: ApiDefinition, **request: Any) -> tuple[int, str]:
    step = version_check.build(definition, make_config(), clock=lambda: NOON)
    with pytest.raises(Refusal) as refused:
        run(step, make_exchange(version="", **request))
    return refused.value.status, refused.value.message


def check(definition: ApiDefinition, **request: Any) -> Any:
    exchange = make_exchange(version="", **request)
    step = version_check.build(definition, make_config(), clock=lambda: NOON)
    response = run(step, exchange)
    return response if response is not None else exchange


def versioned(locator: dict[str, Any], versions: dict[str, Any], **data: Any) -> ApiDefinition:
    return make_definition(
        definition=locator,
        version_data={"not_versioned": False, "versions": versions, **data},
    )


# --- not versioned -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["Default"], "Default"),
        (["v9"], "v9"),
        (["v9", "Default"], "Default"),
        (["v9", "default"], "default"),
        (["v9", ""], ""),
    ],
)
def test_row_051_single_version(names: list[str], chosen: str) -> None:
    data = {"not_versioned": True, "versions": {name: {"name": name} for name in names}}
    assert check(make_definition(version_data=data)).version == chosen


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Default", "default"], "Ambiguous default API version for this non-versioned API"),
        (["Default", ""], "Ambiguous default API version for this non-versioned API"),
        (["v1", "v2"], "No default API version for this non-versioned API found"),
        ([], "No default API version for this non-versioned API found"),
    ],
)
def test_row_051_no_single_version(names: list[str], message: str) -> None:
    data = {"not_versioned": True, "versions": {name: {} for name in names}}
    assert refusal_of(make_definition(version_data=data)) == (403, message)


def test_row_021_api_expiration() -> None:
    expired = "API has expired, please check documentation or contact administrator"
    assert refusal_of(make_definition(expiration="2026-01-01 11:59")) == (403, expired)
    assert check(make_definition(expiration="2026-01-01 12:01")).version == "Default"


def test_row_021_version_expires() -> None:
    expired = "Api Version has expired, please check documentation or contact administrator"
    assert refusal_of(make_definition({"expires": "2025-12-31 00:00"})) == (403, expired)
    exchange = check(make_definition({"expires": "2026-02-01 08:05"}))
    assert exchange.client_headers == [(b"X-Tyk-Api-Expires", b"Sun, 01 Feb 2026 08:05:00 UTC")]
    assert check(make_definition({"expires": "-1"})).client_headers is None


def test_expiry_that_is_no_date_is_refused_at_load() -> None:
    with pytest.raises(DefinitionError, match=r"versions\.Default\.expires"):
        version_check.build(make_definition({"expires": "soon"}), make_config())


# --- versioned -----------------------------------------------------------------------------------


@pytest.mark.parametrize("strips", [True, False])
def test_row_047_header(strips: bool) -> None:
    definition = versioned(
        {"location": "header", "key": "x-version", "strip_versioning_data": strips},
        {"v1": {}, "v2": {"override_target": "http://two.test"}},
    )
    exchange = check(definition, headers={"X-Version": "v2"})
    assert exchange.version == "v2"
    assert exchange.target_override == "http://two.test"
    assert (b"X-Version" in exchange.request.headers) is not strips


def test_row_047_query() -> None:
    definition = versioned({"location": "url-param", "key": "v", "strip_path": True}, {"v1": {}})
    exchange = check(definition, url="/app/get?a=%20&v=v1&b")
    assert (exchange.version, exchange.request.url) == ("v1", "/app/get?a=%20&b")


@pytest.mark.parametrize(
    ("slug", "pattern", "url", "rewritten"),
    [
        ("", "", "/app/v1/get?x", "/app/get?x"),
        ("", "", "/app/v1", "/app/v1"),
        ("", "", "/app//v1/get", "/app//get"),
        ("shop", "", "/app/shop/v1/get", "/app/shop/get"),
        ("", "^v[0-9]$", "/app/v1/v1/", "/app/v1/"),
        ("", "^x", "/app/v1/get", "/app/v1/get"),
    ],
)
def test_row_047_url(slug: str, pattern: str, url: str, rewritten: str) -> None:
    locator = {"location": "url", "strip_path": True, "url_versioning_pattern": pattern}
    data = {"versions": {"v1": {}}}
    definition = make_definition(definition=locator, version_data=data, slug=slug)
    exchange = check(definition, url=url)
    assert (exchange.version, exchange.request.url) == ("v1", rewritten)


def test_row_047_segment_is_taken_at_its_place() -> None:
    definition = make_definition(
        definition={"location": "url", "strip_path": True},
        proxy={"listen_path": "/v1/app/"},
        version_data={"versions": {"v1": {}}},
    )
    assert check(definition, url="/v1/app/v1/get").request.url == "/v1/app/get"


def test_row_048_no_version() -> None:
    definition = versioned({"location": "header"}, {"v1": {}})
    assert refusal_of(definition) == (403, "Version information not found")
    with_default = versioned({"location": "header"}, {"v1": {}}, default_version="v1")
    assert check(with_default).version == "v1"


def test_no_versions_at_all() -> None:
    assert refusal_of(versioned({}, {})) == (403, "Version information not found")


def test_row_049_unknown_version() -> None:
    definition = versioned({"location": "header"}, {"v1": {}}, default_version="v1")
    headers = {"X-Api-Version": "v7"}
    unknown = "This API version does not seem to exist"
    assert refusal_of(definition, headers=headers) == (403, unknown)


def test_row_050_fallback() -> None:
    locator = {"location": "header", "fallback_to_default": True}
    definition = versioned(locator, {"v1": {}}, default_version="v1")
    assert check(definition, headers={"X-Api-Version": "v7"}).version == "v1"
    nowhere = versioned(locator, {"v1": {}}, default_version="gone")
    assert refusal_of(nowhere)[0] == 403


def test_version_header() -> None:
    definition = versioned({"location": "header"}, {"v1": {}}, default_version="v1")
    config = make_config(version_header="x-tyk-version")
    exchange = make_exchange()
    run(version_check.build(definition, config), exchange)
    assert exchange.client_headers == [(b"X-Tyk-Version", b"v1")]


def test_row_160_api_level_versioning_is_refused() -> None:
    definition = make_definition(definition={"enabled": True, "versions": {"v2": "other"}})
    with pytest.raises(DefinitionError, match=r"\$\.definition\.enabled"):
        version_check.build(definition, make_config())


def test_unknown_location_is_refused() -> None:
    with pytest.raises(DefinitionError, match="location"):
        version_check.build(versioned({"location": "cookie"}, {"v1": {}}), make_config())


# --- path lists ----------------------------------------------------------------------------------


def test_row_052_white_list_blocks_everything_else() -> None:
    definition = make_definition(make_paths(white_list=[{"path": "/get", "method": "GET"}]))
    assert not check(definition, url="/app/get").is_ignored
    assert refusal_of(definition, url="/app/put") == (403, FORBIDDEN)
    assert refusal_of(definition, method="POST", url="/app/get") == (403, FORBIDDEN)


def test_disabled_white_list_blocks_nothing() -> None:
    definition = make_definition(make_paths(white_list=[{"path": "/get", "disabled": True}]))
    assert check(definition, url="/app/put").version == "Default"


def test_row_053_black_list() -> None:
    definition = make_definition(
        make_paths(black_list=[{"path": "/admin"}, {"path": "/x/{id}", "method": "DELETE"}])
    )
    assert refusal_of(definition, url="/app/admin/1") == (403, FORBIDDEN)
    assert refusal_of(definition, url="/app/%61dmin") == (403, FORBIDDEN)
    assert refusal_of(definition, method="DELETE", url="/app/x/1") == (403, FORBIDDEN)
    assert check(definition, method="GET", url="/app/x/1").version == "Default"


def test_row_054_ignored_waives_authentication() -> None:
    definition = make_definition(make_paths(ignored=[{"path": "/Open", "ignore_case": True}]))
    assert check(definition, url="/app/open").is_ignored
    assert not check(definition, url="/app/closed").is_ignored


def test_row_055_mock() -> None:
    mock = {
        "path": "/hi",
        "method": "GET",
        "code": 418,
        "body": '{"a": 1}',
        "headers": {"x-mock": "yes"},
    }
    definition = make_definition(make_paths(mock_response=[mock]))
    response = check(definition, url="/app/hi")
    assert (response.status, response.body) == (418, b'{"a": 1}')
    assert response.headers.get(b"X-Mock") == b"yes"
    assert b"Content-Type" in response.headers
    assert not response.runs_response_chain
    assert check(definition, method="POST", url="/app/hi").version == "Default"


def test_mocks_do_not_share_their_headers() -> None:
    definition = make_definition(make_paths(mock_response=[{"path": "/hi", "body": "x"}]))
    step = version_check.build(definition, make_config())
    first = run(step, make_exchange(url="/app/hi"))
    assert first is not None
    first.headers.add(b"X-Edited", b"1")
    second = run(step, make_exchange(url="/app/hi"))
    assert second is not None
    assert b"X-Edited" not in second.headers


def test_method_actions() -> None:
    entry = {
        "path": "/old",
        "method_actions": {
            "GET": {"action": "no_action"},
            "POST": {"action": "reply", "code": 201, "data": "made", "headers": {"A": "b"}},
        },
    }
    definition = make_definition(make_paths(white_list=[entry]))
    assert check(definition, url="/app/old").version == "Default"
    assert check(definition, method="POST", url="/app/old").status == 201
    assert refusal_of(definition, method="PUT", url="/app/old") == (403, FORBIDDEN)


@pytest.mark.parametrize(
    ("sections", "outcome"),
    [
        (["mock_response", "ignored", "black_list", "white_list"], "mock"),
        (["ignored", "black_list", "white_list"], "ignored"),
        (["black_list", "white_list"], "forbidden"),
        (["white_list"], "allowed"),
        (["internal", "ignored", "mock_response"], "forbidden"),
    ],
)
def test_row_056_order_of_conflicting_lists(sections: list[str], outcome: str) -> None:
    definition = make_definition(make_paths(**{section: [{"path": "/x"}] for section in sections}))
    if outcome == "forbidden":
        assert refusal_of(definition, url="/app/x") == (403, FORBIDDEN)
        return
    result = check(definition, url="/app/x")
    if outcome == "mock":
        assert result.status == 200
    else:
        assert result.is_ignored is (outcome == "ignored")


def test_legacy_lists() -> None:
    paths = {"ignored": ["/open"], "black_list": ["/no"], "white_list": ["/yes"]}
    definition = make_definition({"paths": paths})
    assert check(definition, url="/app/open").is_ignored
    assert refusal_of(definition, url="/app/no") == (403, FORBIDDEN)
    assert check(definition, url="/app/yes").version == "Default"
    assert refusal_of(definition, url="/app/other") == (403, FORBIDDEN)
    unused = make_definition({"paths": paths, "use_extended_paths": True})
    assert check(unused, url="/app/no").version == "Default"


def test_preflight_is_ignored() -> None:
    preflight = {"Access-Control-Request-Method": "GET"}
    paths = make_paths(white_list=[{"path": "/get"}])
    with_cors = make_definition(paths, cors={"enable": True})
    assert check(with_cors, method="OPTIONS", url="/app/x", headers=preflight).is_ignored
    assert refusal_of(make_definition(paths), method="OPTIONS", url="/app/x", headers=preflight)
    assert refusal_of(with_cors, method="OPTIONS", url="/app/x")


def test_bad_pattern_in_a_protective_list_is_refused() -> None:
    definition = make_definition(make_paths(black_list=[{"path": "/[a"}]))
    with pytest.raises(DefinitionError, match=r"black_list\[0\]\.path"):
        version_check.build(definition, make_config())
