"""Who may call: auth token, session checks, stripped credentials (gateway-core 5.2, 6.9, 9.19)."""

from __future__ import annotations

from typing import Any

import pytest
from stepkit import make_config, make_definition, make_exchange, run

from propylon.errors import Refusal
from propylon.pipeline.session import AccessDefinition, Session, UrlAccess
from propylon.pipeline.step import Step
from propylon.steps import auth_token, session_checks, strip_auth


def outcome(step: Step | None, exchange: Any) -> tuple[int, str] | None:
    try:
        assert run(step, exchange) is None
    except Refusal as refused:
        return refused.status, refused.message
    return None


KEYED = {"use_keyless": False}


def test_row_082_without_a_key_store() -> None:
    step = auth_token.build(make_definition(**KEYED), make_config())
    assert outcome(step, make_exchange()) == (401, "Authorization field missing")
    for sent in ("key", "Bearer key"):
        exchange = make_exchange(headers={"Authorization": sent})
        assert outcome(step, exchange) == (403, "Access to this API has been disallowed")
    bare = make_exchange(headers={"Authorization": "Bearer "})
    assert outcome(step, bare) == (401, "Authorization field missing")


def test_row_054_ignored_requests_need_no_key() -> None:
    exchange = make_exchange()
    exchange.is_ignored = True
    for build in (
        auth_token.build,
        session_checks.build_key_expired,
        session_checks.build_access_rights,
        session_checks.build_granular_access,
    ):
        assert outcome(build(make_definition(**KEYED), make_config()), exchange) is None


@pytest.mark.parametrize(
    ("fields", "is_present"),
    [
        ({"use_keyless": True}, False),
        ({}, True),
        ({"use_standard_auth": True}, True),
        ({"custom_plugin_auth_enabled": True}, False),
        ({"enable_coprocess_auth": True}, False),
        ({"use_go_plugin_auth": True}, False),
        ({"custom_plugin_auth_enabled": True, "use_standard_auth": True}, True),
        (
            {
                "custom_plugin_auth_enabled": True,
                "custom_middleware": {"auth_check": {"disabled": True}},
            },
            True,
        ),
    ],
)
def test_row_079_auth_token_is_the_default(fields: dict[str, Any], is_present: bool) -> None:
    definition = make_definition(**(KEYED | fields))
    assert (auth_token.build(definition, make_config()) is not None) is is_present


NO_SESSION = (
    400,
    "Session state is missing or unset! Please make sure that auth headers are properly applied",
)


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (None, NO_SESSION),
        (Session(), None),
        (Session(is_inactive=True), (403, "Key is inactive, please renew")),
        (Session(expires=999), (401, "Key has expired, please renew")),
        (Session(expires=1001), None),
        (Session(expires=-1), None),
    ],
)
def test_row_096_key_expired(session: Session | None, expected: tuple[int, str] | None) -> None:
    step = session_checks.KeyExpired(clock=lambda: 1000.0)
    assert outcome(step, make_exchange(session=session)) == expected


DISALLOWED = (403, "Access to this API has been disallowed")


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (None, None),
        ({}, None),
        ({"one": AccessDefinition()}, None),
        ({"two": AccessDefinition()}, DISALLOWED),
    ],
)
def test_row_097_access_rights(
    rights: dict[str, AccessDefinition] | None, expected: tuple[int, str] | None
) -> None:
    step = session_checks.build_access_rights(make_definition(**KEYED), make_config())
    assert outcome(step, make_exchange(session=Session(access_rights=rights))) == expected


@pytest.mark.parametrize("named", [{"apply_policies": ["gold"]}, {"apply_policy_id": "gold"}])
def test_sessions_with_unknown_policies_are_refused(named: dict[str, Any]) -> None:
    step = session_checks.build_access_rights(make_definition(**KEYED), make_config())
    assert outcome(step, make_exchange(session=Session(**named))) == DISALLOWED


@pytest.mark.parametrize(
    ("versions", "expected"), [(["v1"], DISALLOWED), (["v1", "v2"], None), ([], DISALLOWED)]
)
def test_row_097_version_rights(versions: list[str], expected: tuple[int, str] | None) -> None:
    definition = make_definition(**KEYED, version_data={"versions": {"v1": {}, "v2": {}}})
    step = session_checks.build_access_rights(definition, make_config())
    session = Session(access_rights={"one": AccessDefinition(versions=versions)})
    assert outcome(step, make_exchange(session=session, version="v2")) == expected


RESOURCE = (403, "Access to this resource has been disallowed")


@pytest.mark.parametrize(
    ("url", "methods", "options", "expected"),
    [
        ("/get", ["GET"], {}, None),
        ("/app/g.t", ["GET"], {}, None),
        ("^/get", ["GET"], {}, RESOURCE),
        ("^/get", ["GET"], {"enable_path_prefix_matching": True}, None),
        ("/get", ["POST"], {}, RESOURCE),
        ("/get", ["get"], {}, RESOURCE),
        ("/[get", ["GET"], {}, RESOURCE),
        ("/other", ["GET"], {}, RESOURCE),
        ("q=1", ["GET"], {}, RESOURCE),
    ],
)
def test_row_098_allowed_urls(
    url: str, methods: list[str], options: dict[str, bool], expected: tuple[int, str] | None
) -> None:
    config = make_config(http_server_options=options)
    step = session_checks.build_granular_access(make_definition(**KEYED), config)
    access = AccessDefinition(allowed_urls=[UrlAccess(url=url, methods=methods)])
    session = Session(access_rights={"one": access})
    assert outcome(step, make_exchange(url="/app/get?q=1", session=session)) == expected


def test_row_098_patterns_of_sessions_are_bounded() -> None:
    step = session_checks.build_granular_access(make_definition(**KEYED), make_config())
    assert step is not None
    for number in range(3000):
        access = AccessDefinition(allowed_urls=[UrlAccess(url=f"/{number}$", methods=["GET"])])
        exchange = make_exchange(session=Session(access_rights={"one": access}))
        assert outcome(step, exchange) == RESOURCE
    assert len(step._patterns) <= 1024


@pytest.mark.parametrize(
    ("auth_configs", "url", "headers", "left_url", "left_headers"),
    [
        ({}, "/app/x?a=1", {"Authorization": "k", "A": "b"}, "/app/x?a=1", {"A": "b"}),
        (
            {"authToken": {"auth_header_name": "x-key", "use_param": True, "param_name": "k"}},
            "/app/x?b=%20&k=1&c",
            {"X-Key": "1", "Authorization": "stays"},
            "/app/x?b=%20&c",
            {"Authorization": "stays"},
        ),
        (
            {"jwt": {"cookie_name": "sid"}, "basic": {"auth_header_name": "X-Basic"}},
            "/app/x",
            {"Cookie": "sid2=a; sid=b; c=d", "X-Basic": "1"},
            "/app/x",
            {"Cookie": "sid2=a; c=d"},
        ),
        ({"jwt": {"cookie_name": "sid"}}, "/app/x", {"Cookie": "sid=b"}, "/app/x", {}),
    ],
)
def test_row_100_strip_auth_data(
    auth_configs: dict[str, Any],
    url: str,
    headers: dict[str, str],
    left_url: str,
    left_headers: dict[str, str],
) -> None:
    definition = make_definition(**KEYED, strip_auth_data=True, auth_configs=auth_configs)
    exchange = make_exchange(url=url, headers=headers)
    run(strip_auth.build(definition, make_config()), exchange)
    assert exchange.request.url == left_url
    left = {k.decode(): v.decode() for k, v in exchange.request.headers.items}
    assert left == left_headers


def test_row_100_off() -> None:
    assert strip_auth.build(make_definition(**KEYED), make_config()) is None
    assert strip_auth.build(make_definition(strip_auth_data=True), make_config()) is None
