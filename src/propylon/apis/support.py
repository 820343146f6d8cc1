"""What this release does with a definition that asks for more than it has.

Refused: whatever would, if it were left out, let a request through that should not pass or send the
upstream something other than what was configured. Noticed: what is only an optimisation or an
observation. Each rule is one line here; to support a feature, take its line out.
"""

from __future__ import annotations

from collections.abc import Iterator

from propylon.apis.definition import ApiDefinition, Endpoint, ExtendedPaths, VersionInfo
from propylon.config.decode import member_path
from propylon.config.model import Config
from propylon.config.problems import Problems

_NOT_YET = "not supported by this release"

_DRIVERS = ("otto", "javascript", "jsonrpc", "stdio")
_KNOWN_MISSING_DRIVERS = ("grpc", "python", "lua", "goplugin")

# Authentication that keyless APIs do not run.
_AUTH_SWITCHES = (
    "use_basic_auth",
    "enable_jwt",
    "use_oauth2",
    "enable_signature_checking",
    "use_openid",
)

# Sections of extended_paths whose entries check or change what passes.
_REFUSED_SECTIONS = (
    "transform",
    "transform_response",
    "transform_jq",
    "transform_jq_response",
    "url_rewrites",
    "virtual",
    "method_transforms",
    "validate_json",
    "go_plugin",
    "rate_limit",
    "persist_graphql",
)
_NOTICED_SECTIONS = ("cache", "advance_cache_config", "circuit_breakers")


def check_support(definition: ApiDefinition, config: Config, problems: Problems) -> list[str]:
    """Record what must be refused; return the JSON paths of what is merely ignored."""
    _check_authentication(definition, problems)
    _check_plugins(definition, config, problems)
    _check_upstream(definition, problems)
    _check_listener(definition, config, problems)
    _check_features(definition, problems)
    for name, version in definition.version_data.versions.items():
        _check_version(_version_path(name), version, problems)
    return [*_ignored(definition), *_ignored_in_versions(definition)]


def _refuse(problems: Problems, path: str, value: object, what: str = _NOT_YET) -> None:
    shown = "true" if value is True else repr(value) if isinstance(value, str) else value
    problems.add(path, f"{shown}, {what}")


def _check_authentication(definition: ApiDefinition, problems: Problems) -> None:
    # Client certificates are asked for even where no key is.
    if definition.use_mutual_tls_auth:
        _refuse(problems, "$.use_mutual_tls_auth", True)
    if definition.use_keyless:
        return
    for name in _AUTH_SWITCHES:
        if getattr(definition, name):
            _refuse(problems, f"$.{name}", True)
    if definition.external_oauth.enabled:
        _refuse(problems, "$.external_oauth.enabled", True)


def _check_plugins(definition: ApiDefinition, config: Config, problems: Problems) -> None:
    if definition.has_bundle:
        _refuse(problems, "$.custom_middleware_bundle", definition.custom_middleware_bundle)
    section = definition.custom_middleware
    driver, path = section.driver, "$.custom_middleware.driver"
    if not _has_hooks(definition) or driver in ("", *_DRIVERS):
        pass
    elif driver in _KNOWN_MISSING_DRIVERS:
        _refuse(problems, path, driver)
    else:
        _refuse(problems, path, driver, f"expected one of {', '.join(_DRIVERS)}")
    needs_coprocess = driver in ("jsonrpc", "stdio")
    has_plugin_auth = definition.has_plugin_auth and not definition.use_keyless
    if needs_coprocess and has_plugin_auth and not config.coprocess_options.enable_coprocess:
        # Tyk drops the hook here and asks for an ordinary key instead (rich-plugins 4.9).
        _refuse(
            problems,
            "$.custom_plugin_auth_enabled",
            True,
            "expected coprocess_options.enable_coprocess of tyk.conf to be true as well",
        )


def _has_hooks(definition: ApiDefinition) -> bool:
    section = definition.custom_middleware
    hooks = [*section.pre, *section.post, *section.response]
    if not definition.use_keyless:
        hooks += section.post_key_auth
        if definition.has_plugin_auth:
            hooks.append(section.auth_check)
    return any(not hook.disabled for hook in hooks)


def _check_upstream(definition: ApiDefinition, problems: Problems) -> None:
    proxy = definition.proxy
    if proxy.service_discovery.use_discovery_service:
        _refuse(problems, "$.proxy.service_discovery.use_discovery_service", True)
    if proxy.transport.proxy_url:
        _refuse(problems, "$.proxy.transport.proxy_url", proxy.transport.proxy_url)
    if proxy.transport.ssl_force_common_name_check and proxy.transport.ssl_insecure_skip_verify:
        _refuse(
            problems,
            "$.proxy.transport.ssl_force_common_name_check",
            True,
            "expected false while ssl_insecure_skip_verify is true: names cannot be checked "
            "without verification",
        )
    if definition.upstream_auth.enabled:
        _refuse(problems, "$.upstream_auth.enabled", True)
    if definition.request_signing.is_enabled:
        _refuse(problems, "$.request_signing.is_enabled", True)
    if definition.upstream_certificates and not definition.upstream_certificates_disabled:
        _refuse(problems, "$.upstream_certificates", _names(definition.upstream_certificates))
    if definition.pinned_public_keys and not definition.certificate_pinning_disabled:
        _refuse(problems, "$.pinned_public_keys", _names(definition.pinned_public_keys))


def _names(members: dict[str, str]) -> str:
    return ", ".join(members)


def _check_listener(definition: ApiDefinition, config: Config, problems: Problems) -> None:
    if definition.listen_port not in (0, config.listen_port):
        what = f"expected 0 or {config.listen_port}: a listener of its own is {_NOT_YET}"
        _refuse(problems, "$.listen_port", definition.listen_port, what)
    uses_tls = config.http_server_options.use_ssl
    served = ("", "https") if uses_tls else ("", "http", "h2c")
    if definition.protocol not in served:
        what = f"expected {served[1]}, which the main listener speaks"
        _refuse(problems, "$.protocol", definition.protocol, what)
    if definition.enable_proxy_protocol:
        _refuse(problems, "$.enable_proxy_protocol", True)


def _check_features(definition: ApiDefinition, problems: Problems) -> None:
    limit = definition.global_rate_limit
    if limit.rate > 0 and limit.per > 0 and not limit.disabled:
        _refuse(problems, "$.global_rate_limit.rate", limit.rate)
    if definition.graphql.enabled:
        _refuse(problems, "$.graphql.enabled", True)
    for name in ("json_rpc_version", "application_protocol"):
        value = getattr(definition, name)
        if value:
            _refuse(problems, f"$.{name}", value)


def _check_version(path: str, version: VersionInfo, problems: Problems) -> None:
    if not version.use_extended_paths:
        return
    sections = version.extended_paths
    for section in _REFUSED_SECTIONS:
        for index, entry in _active(sections, section):
            where = f"{path}.extended_paths.{section}[{index}]"
            problems.add(where, f"{entry.method} {entry.path}".strip() + f", {_NOT_YET}")
    for index, request in enumerate(sections.validate_request):
        if request.enabled:
            where = f"{path}.extended_paths.validate_request[{index}]"
            problems.add(where, f"{request.method} {request.path}".strip() + f", {_NOT_YET}")


def _active(sections: ExtendedPaths, section: str) -> Iterator[tuple[int, Endpoint]]:
    for index, entry in enumerate(getattr(sections, section)):
        if not getattr(entry, "disabled", False):
            yield index, entry


def _version_path(name: str) -> str:
    return member_path("$.version_data.versions", name)


def _ignored(definition: ApiDefinition) -> list[str]:
    events = definition.event_handlers.events
    errors = definition.error_overrides
    uptime = definition.uptime_tests
    extractor = definition.custom_middleware.id_extractor
    logs = definition.custom_middleware.traffic_logs
    asked = {
        "$.analytics_plugin.enable": definition.analytics_plugin.enable,
        "$.cache_options.enable_cache": definition.cache_options.enable_cache,
        "$.certificates": definition.certificates and definition.active_domain,
        "$.custom_middleware.id_extractor": extractor.extract_from and not extractor.disabled,
        "$.custom_middleware.traffic_logs": logs.name and not logs.disabled,
        "$.detailed_tracing": definition.detailed_tracing,
        "$.enable_batch_request_support": definition.enable_batch_request_support,
        "$.enable_detailed_recording": definition.enable_detailed_recording,
        "$.error_overrides": errors and not definition.error_overrides_disabled,
        "$.event_handlers.events": any(events.values()),
        "$.proxy.check_host_against_uptime_tests": (
            definition.proxy.check_host_against_uptime_tests
        ),
        "$.tag_headers": definition.tag_headers,
        "$.uptime_tests.check_list": uptime.check_list and not uptime.disabled,
    }
    return [path for path, is_asked in asked.items() if is_asked]


def _ignored_in_versions(definition: ApiDefinition) -> list[str]:
    paths = []
    for name, version in definition.version_data.versions.items():
        if version.use_extended_paths:
            sections = version.extended_paths
            paths += [
                f"{_version_path(name)}.extended_paths.{section}"
                for section in _NOTICED_SECTIONS
                if any(True for _ in _active(sections, section))
            ]
    return paths
