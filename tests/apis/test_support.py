"""What is refused because it would let something through, and what is only noticed."""

from __future__ import annotations

from typing import Any

import pytest

from propylon.apis.definition import ApiDefinition
from propylon.apis.support import check_support
from propylon.config.decode import Notes, decode
from propylon.config.model import Config, CoprocessOptions, HttpServerOptions
from propylon.config.problems import Problems

ENTRY = {"path": "/x", "method": "GET"}
HOOK = {"name": "Hook", "path": "hook.js"}


def check(content: dict[str, Any], config: Config | None = None) -> tuple[list[str], list[str]]:
    problems = Problems("file")
    definition = decode(ApiDefinition, content, Notes(problems))
    assert problems.errors == []
    ignored = check_support(definition, config or Config(), problems)
    return [error.path for error in problems.errors], ignored


def extended(**sections: Any) -> dict[str, Any]:
    version = {"use_extended_paths": True, "extended_paths": sections}
    return {"version_data": {"versions": {"v 1": version}}}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"enable_jwt": True}, "$.enable_jwt"),
        ({"use_basic_auth": True}, "$.use_basic_auth"),
        ({"use_oauth2": True}, "$.use_oauth2"),
        ({"use_openid": True}, "$.use_openid"),
        ({"enable_signature_checking": True}, "$.enable_signature_checking"),
        ({"external_oauth": {"enabled": True}}, "$.external_oauth.enabled"),
        ({"use_mutual_tls_auth": True, "use_keyless": True}, "$.use_mutual_tls_auth"),
        ({"custom_middleware_bundle": "a.zip"}, "$.custom_middleware_bundle"),
        ({"custom_middleware": {"driver": "grpc", "pre": [HOOK]}}, "$.custom_middleware.driver"),
        ({"custom_middleware": {"driver": "pyton", "pre": [HOOK]}}, "$.custom_middleware.driver"),
        ({"upstream_auth": {"enabled": True}}, "$.upstream_auth.enabled"),
        ({"request_signing": {"is_enabled": True}}, "$.request_signing.is_enabled"),
        ({"upstream_certificates": {"*": "id"}}, "$.upstream_certificates"),
        ({"pinned_public_keys": {"*": "id"}}, "$.pinned_public_keys"),
        ({"proxy": {"transport": {"proxy_url": "http://p"}}}, "$.proxy.transport.proxy_url"),
        (
            {"proxy": {"service_discovery": {"use_discovery_service": True}}},
            "$.proxy.service_discovery.use_discovery_service",
        ),
        ({"global_rate_limit": {"rate": 5, "per": 1}}, "$.global_rate_limit.rate"),
        ({"graphql": {"enabled": True}}, "$.graphql.enabled"),
        ({"application_protocol": "mcp"}, "$.application_protocol"),
        ({"listen_port": 9000}, "$.listen_port"),
        ({"protocol": "tcp"}, "$.protocol"),
        ({"protocol": "https"}, "$.protocol"),
        *[
            (
                extended(**{section: [ENTRY]}),
                f'$.version_data.versions["v 1"].extended_paths.{section}[0]',
            )
            for section in (
                "transform",
                "transform_response",
                "transform_jq",
                "url_rewrites",
                "virtual",
                "method_transforms",
                "validate_json",
                "go_plugin",
                "rate_limit",
                "persist_graphql",
            )
        ],
        (
            extended(validate_request=[{**ENTRY, "enabled": True}]),
            '$.version_data.versions["v 1"].extended_paths.validate_request[0]',
        ),
    ],
)
def test_running_without_it_would_be_wrong(content: dict[str, Any], path: str) -> None:
    assert check(content)[0] == [path]


@pytest.mark.parametrize(
    "content",
    [
        {"enable_jwt": True, "use_keyless": True},
        {"custom_middleware_bundle": "a.zip", "custom_middleware_bundle_disabled": True},
        {"custom_middleware": {"driver": "grpc"}},
        {"custom_middleware": {"driver": "grpc", "pre": [{**HOOK, "disabled": True}]}},
        {"custom_middleware": {"driver": "grpc", "post_key_auth": [HOOK]}, "use_keyless": True},
        {"custom_middleware": {"driver": "grpc", "auth_check": HOOK}},
        {"upstream_certificates": {"*": "id"}, "upstream_certificates_disabled": True},
        {"pinned_public_keys": {"*": "id"}, "certificate_pinning_disabled": True},
        {"global_rate_limit": {"rate": 5, "per": 1, "disabled": True}},
        {"listen_port": 8080, "protocol": "http"},
        {"protocol": "h2c"},
        extended(virtual=[{**ENTRY, "disabled": True}], white_list=[ENTRY], internal=[ENTRY]),
        {"version_data": {"versions": {"a": {"extended_paths": {"virtual": [ENTRY]}}}}},
        {"use_standard_auth": True},
    ],
)
def test_what_is_off_is_not_asked_for(content: dict[str, Any]) -> None:
    assert check(content) == ([], [])


@pytest.mark.parametrize("driver", ["otto", "javascript", "jsonrpc", "stdio", ""])
def test_plugin_auth_with_a_driver_that_runs(driver: str) -> None:
    content = {
        "custom_plugin_auth_enabled": True,
        "custom_middleware": {"driver": driver, "auth_check": HOOK},
    }
    config = Config(coprocess_options=CoprocessOptions(enable_coprocess=True))
    assert check(content, config) == ([], [])


@pytest.mark.parametrize(
    "switch", ["custom_plugin_auth_enabled", "enable_coprocess_auth", "use_go_plugin_auth"]
)
def test_plugin_auth_without_rich_plugins_is_refused(switch: str) -> None:
    content = {switch: True, "custom_middleware": {"driver": "jsonrpc", "auth_check": HOOK}}
    assert check(content)[0] == ["$.custom_plugin_auth_enabled"]
    assert check({**content, "use_keyless": True})[0] == []


def test_tls_listeners_serve_https() -> None:
    config = Config(http_server_options=HttpServerOptions(use_ssl=True))
    assert check({"protocol": "https"}, config)[0] == []
    assert check({"protocol": "http"}, config)[0] == ["$.protocol"]


def test_optimisations_and_observation_are_noticed() -> None:
    content = {
        "cache_options": {"enable_cache": True},
        "event_handlers": {"events": {"AuthFailure": [{"handler_name": "eh_log_handler"}]}},
        "uptime_tests": {"check_list": [{"url": "http://a"}]},
        "analytics_plugin": {"enable": True},
        "enable_batch_request_support": True,
        "error_overrides": {"401": []},
        "custom_middleware": {"id_extractor": {"extract_from": "header"}},
        **extended(circuit_breakers=[ENTRY], cache=["/x"]),
    }
    refused, ignored = check(content)
    assert refused == []
    assert sorted(ignored) == [
        "$.analytics_plugin.enable",
        "$.cache_options.enable_cache",
        "$.custom_middleware.id_extractor",
        "$.enable_batch_request_support",
        "$.error_overrides",
        "$.event_handlers.events",
        "$.uptime_tests.check_list",
        '$.version_data.versions["v 1"].extended_paths.cache',
        '$.version_data.versions["v 1"].extended_paths.circuit_breakers',
    ]
