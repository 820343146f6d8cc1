"""The chain order: which steps an API has, and in which order they run."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest

from propylon.apis.definition import ApiDefinition
from propylon.chain import REQUEST_ORDER, build_chain
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.step import StepResult
from propylon.plugins.hook import LoadedHooks

NOTHING: dict[str, Any] = {
    "api_id": "one",
    "use_keyless": True,
    "proxy": {"listen_path": "/app/", "target_url": "http://up.test"},
    "version_data": {"not_versioned": True, "versions": {"Default": {}}},
}

EVERYTHING: dict[str, Any] = NOTHING | {
    "cors": {"enable": True},
    "enable_ip_whitelisting": True,
    "enable_ip_blacklisting": True,
    "strip_auth_data": True,
    "version_data": {
        "not_versioned": True,
        "versions": {
            "Default": {
                "global_size_limit": 1,
                "global_headers": {"A": "b"},
                "global_response_headers": {"A": "b"},
                "global_enforce_timeout": 1.0,
            }
        },
    },
    "response_processors": [
        {
            "name": "header_transform",
            "options": {"rev_proxy_header_cleanup": {"target_host": "http://gw.test"}},
        },
        {"name": "unheard_of"},
    ],
}


class Hook:
    """A plugin that lets everything through."""

    needs_body = True

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, exchange: Exchange) -> StepResult:
        return None


class ResponseHook:
    needs_body = True

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        return None


HOOKS = LoadedHooks(
    pre=(Hook("pre1"), Hook("pre2")),
    auth_check=Hook("auth"),
    post_key_auth=(Hook("post_key_auth"),),
    post=(Hook("post1"), Hook("post2")),
    response=(ResponseHook("response1"), ResponseHook("response2")),
)


def names(fields: dict[str, Any], hooks: LoadedHooks = HOOKS) -> list[str]:
    definition = msgspec.convert(fields, ApiDefinition)
    return [step.name for step in build_chain(definition, Config(), hooks).steps]


def test_a_plain_keyless_api_has_one_step() -> None:
    chain = build_chain(msgspec.convert(NOTHING, ApiDefinition), Config(), LoadedHooks())
    assert [step.name for step in chain.steps] == ["VersionCheck"]
    assert chain.response_steps == ()
    assert not chain.skips_options


def test_row_066_068_keyless_order() -> None:
    assert names(EVERYTHING) == [
        "VersionCheck",
        "CORS",
        "pre1",
        "pre2",
        "IPWhiteListMiddleware",
        "IPBlackListMiddleware",
        "RequestSizeLimit",
        "TransformHeaders",
        "post1",
        "post2",
        "Timeouts",
    ]


def test_row_067_post_key_auth_never_runs_for_keyless() -> None:
    assert "post_key_auth" not in names(NOTHING)
    assert "auth" not in names(NOTHING | {"custom_plugin_auth_enabled": True})


@pytest.mark.parametrize(
    "switch", ["custom_plugin_auth_enabled", "enable_coprocess_auth", "use_go_plugin_auth"]
)
def test_row_075_keyed_order(switch: str) -> None:
    fields = EVERYTHING | {"use_keyless": False, "use_standard_auth": True, switch: True}
    assert names(fields) == [
        "VersionCheck",
        "CORS",
        "pre1",
        "pre2",
        "IPWhiteListMiddleware",
        "IPBlackListMiddleware",
        "RequestSizeLimit",
        "auth",
        "AuthKey",
        "post_key_auth",
        "StripAuth",
        "KeyExpired",
        "AccessRightsCheck",
        "GranularAccessMiddleware",
        "TransformHeaders",
        "post1",
        "post2",
        "Timeouts",
    ]


def test_row_079_neither_keyless_nor_anything_else() -> None:
    assert "AuthKey" in names(NOTHING | {"use_keyless": False})


def test_row_069_response_order() -> None:
    chain = build_chain(msgspec.convert(EVERYTHING, ApiDefinition), Config(), HOOKS)
    assert [step.name for step in chain.response_steps] == [
        "HeaderInjector",
        "HeaderTransform",
        "response1",
        "response2",
    ]


def test_row_078_options_passthrough() -> None:
    fields = NOTHING | {"cors": {"enable": True, "options_passthrough": True}}
    assert build_chain(msgspec.convert(fields, ApiDefinition), Config(), HOOKS).skips_options


@pytest.mark.parametrize(
    "switch",
    [
        "use_basic_auth",
        "use_oauth2",
        "use_openid",
        "enable_jwt",
        "enable_signature_checking",
        "use_mutual_tls_auth",
    ],
)
def test_authentication_without_a_step_is_never_left_out(switch: str) -> None:
    with pytest.raises(DefinitionError, match=switch):
        names(NOTHING | {"use_keyless": False, switch: True})


def test_plugin_auth_without_its_plugin_is_refused() -> None:
    fields = NOTHING | {"use_keyless": False, "custom_plugin_auth_enabled": True}
    with pytest.raises(DefinitionError, match="auth_check"):
        names(fields, LoadedHooks())


def test_rows_are_in_the_order_of_their_numbers() -> None:
    numbers = [int(row.number) for row in REQUEST_ORDER]
    assert numbers == sorted(numbers)
