"""One API definition, classic format: what a file of `app_path` says, typed and frozen.

Attribute names are the JSON keys in lower case (`CORS` is `cors`). Absent keys and `null` have the
defaults below. Nothing is judged here: `apis.load` reads files, `apis.support` refuses what this
release cannot serve. Sections that are only asked whether they are in use are modelled that far.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Seconds = Annotated[float, msgspec.Meta(title="duration")]
"""A Go duration such as `1m30s` in the file, seconds here; 0 is unset."""


class Section(msgspec.Struct, frozen=True):
    """Base of every part of a definition."""


# --- authentication ----------------------------------------------------------------------------


class SignatureValidation(Section, frozen=True):
    algorithm: str = ""
    header: str = ""
    use_param: bool = False
    param_name: str = ""
    secret: str = ""
    allowed_clock_skew: int = 0
    error_code: int = 0
    error_message: str = ""


class AuthConfig(Section, frozen=True):
    """Where a credential is looked for; an empty `auth_header_name` means `Authorization`."""

    name: str = ""
    use_param: bool = False
    param_name: str = ""
    use_cookie: bool = False
    cookie_name: str = ""
    disable_header: bool = False
    auth_header_name: str = ""
    use_certificate: bool = False
    validate_signature: bool = False
    signature: SignatureValidation = msgspec.field(default_factory=SignatureValidation)


class BasicAuth(Section, frozen=True):
    disable_caching: bool = False
    cache_ttl: int = 0
    extract_from_body: bool = False
    body_user_regexp: str = ""
    body_password_regexp: str = ""


class OAuthMeta(Section, frozen=True):
    allowed_access_types: tuple[str, ...] = ()
    allowed_authorize_types: tuple[str, ...] = ()
    auth_login_redirect: str = ""


class Notifications(Section, frozen=True):
    shared_secret: str = ""
    oauth_on_keychange_url: str = ""


class ScopeClaim(Section, frozen=True):
    scope_claim_name: str = ""
    scope_to_policy: dict[str, str] = {}


class Scopes(Section, frozen=True):
    jwt: ScopeClaim = msgspec.field(default_factory=ScopeClaim)
    oidc: ScopeClaim = msgspec.field(default_factory=ScopeClaim)


# --- plugins -----------------------------------------------------------------------------------


class MiddlewareDef(Section, frozen=True):
    """One hook entry. `code` is base64 source; `path` is relative to the working directory."""

    disabled: bool = False
    name: str = ""
    path: str = ""
    code: str = ""
    require_session: bool = False
    raw_body_only: bool = False


class ExtractorConfig(Section, frozen=True):
    header_name: str = ""
    param_name: str = ""
    regex_expression: str = ""
    regex_match_index: int = 0
    xpath_expression: str = ""


class IdExtractor(Section, frozen=True):
    disabled: bool = False
    extract_from: str = ""
    extract_with: str = ""
    extractor_config: ExtractorConfig = msgspec.field(default_factory=ExtractorConfig)


class CustomMiddleware(Section, frozen=True):
    driver: str = ""
    pre: tuple[MiddlewareDef, ...] = ()
    auth_check: MiddlewareDef = msgspec.field(default_factory=MiddlewareDef)
    post_key_auth: tuple[MiddlewareDef, ...] = ()
    post: tuple[MiddlewareDef, ...] = ()
    response: tuple[MiddlewareDef, ...] = ()
    traffic_logs: MiddlewareDef = msgspec.field(default_factory=MiddlewareDef)
    id_extractor: IdExtractor = msgspec.field(default_factory=IdExtractor)


class AnalyticsPlugin(Section, frozen=True):
    enable: bool = False
    plugin_path: str = ""
    func_name: str = ""


class EventHandler(Section, frozen=True):
    handler_name: str = ""
    handler_meta: dict[str, Any] = {}


class EventHandlers(Section, frozen=True):
    events: dict[str, tuple[EventHandler, ...]] = {}


# --- versions and paths ------------------------------------------------------------------------


class VersionLocator(Section, frozen=True):
    """`definition`: how a request names its version; `enabled` selects the newer, API-level style.

    `versions` maps version names to the `api_id` of child APIs.
    """

    location: str = ""
    key: str = ""
    strip_path: bool = False
    strip_versioning_data: bool = False
    url_versioning_pattern: str = ""
    fallback_to_default: bool = False
    enabled: bool = False
    name: str = ""
    default: str = ""
    versions: dict[str, str] = {}


class MethodAction(Section, frozen=True):
    action: str = ""
    code: int = 0
    data: str = ""
    headers: dict[str, str] = {}


class Endpoint(Section, frozen=True):
    """What the entries of all `extended_paths` sections have in common."""

    disabled: bool = False
    path: str = ""
    method: str = ""


class EndpointList(Endpoint, frozen=True):
    """An entry of `ignored`, `white_list` or `black_list`."""

    ignore_case: bool = False
    method_actions: dict[str, MethodAction] = {}


class MockResponse(Endpoint, frozen=True):
    ignore_case: bool = False
    code: int = 0
    body: str = ""
    headers: dict[str, str] = {}


class AdvanceCacheConfig(Endpoint, frozen=True):
    cache_key_regex: str = ""
    cache_response_codes: tuple[int, ...] = ()
    timeout: int = 0


class TemplateData(Section, frozen=True):
    input_type: str = ""
    template_mode: str = ""
    enable_session: bool = False
    template_source: str = ""


class Transform(Endpoint, frozen=True):
    template_data: TemplateData = msgspec.field(default_factory=TemplateData)


class TransformJq(Section, frozen=True):
    path: str = ""
    method: str = ""
    filter: str = ""


class TransformHeaders(Endpoint, frozen=True):
    delete_headers: tuple[str, ...] = ()
    add_headers: dict[str, str] = {}
    act_on: bool = False


class HardTimeout(Endpoint, frozen=True):
    """`timeout` in whole seconds, or `duration`; `duration` wins when it is set."""

    timeout: int = 0
    duration: Seconds = 0.0


class CircuitBreaker(Endpoint, frozen=True):
    threshold_percent: float = 0.0
    samples: int = 0
    return_to_service_after: int = 0
    disable_half_open_state: bool = False


class RewriteTrigger(Section, frozen=True):
    on: str = ""
    options: dict[str, Any] = {}
    rewrite_to: str = ""


class UrlRewrite(Endpoint, frozen=True):
    match_pattern: str = ""
    rewrite_to: str = ""
    triggers: tuple[RewriteTrigger, ...] = ()


class Virtual(Endpoint, frozen=True):
    response_function_name: str = ""
    function_source_type: str = ""
    function_source_uri: str = ""
    use_session: bool = False
    proxy_on_error: bool = False


class SizeLimit(Endpoint, frozen=True):
    size_limit: int = 0


class MethodTransform(Endpoint, frozen=True):
    to_method: str = ""


class ValidateJson(Endpoint, frozen=True):
    schema: dict[str, Any] = {}
    schema_b64: str = ""
    error_response_code: int = 0


class ValidateRequest(Section, frozen=True):
    enabled: bool = False
    path: str = ""
    method: str = ""
    error_response_code: int = 0


class GoPlugin(Endpoint, frozen=True):
    plugin_path: str = ""
    func_name: str = ""


class EndpointRateLimit(Endpoint, frozen=True):
    rate: float = 0.0
    per: float = 0.0


class PersistGraphql(Section, frozen=True):
    path: str = ""
    method: str = ""
    operation: str = ""
    variables: dict[str, Any] = {}


class ExtendedPaths(Section, frozen=True):
    ignored: tuple[EndpointList, ...] = ()
    white_list: tuple[EndpointList, ...] = ()
    black_list: tuple[EndpointList, ...] = ()
    mock_response: tuple[MockResponse, ...] = ()
    cache: tuple[str, ...] = ()
    advance_cache_config: tuple[AdvanceCacheConfig, ...] = ()
    transform: tuple[Transform, ...] = ()
    transform_response: tuple[Transform, ...] = ()
    transform_jq: tuple[TransformJq, ...] = ()
    transform_jq_response: tuple[TransformJq, ...] = ()
    transform_headers: tuple[TransformHeaders, ...] = ()
    transform_response_headers: tuple[TransformHeaders, ...] = ()
    hard_timeouts: tuple[HardTimeout, ...] = ()
    circuit_breakers: tuple[CircuitBreaker, ...] = ()
    url_rewrites: tuple[UrlRewrite, ...] = ()
    virtual: tuple[Virtual, ...] = ()
    size_limits: tuple[SizeLimit, ...] = ()
    method_transforms: tuple[MethodTransform, ...] = ()
    track_endpoints: tuple[Endpoint, ...] = ()
    do_not_track_endpoints: tuple[Endpoint, ...] = ()
    validate_json: tuple[ValidateJson, ...] = ()
    validate_request: tuple[ValidateRequest, ...] = ()
    internal: tuple[Endpoint, ...] = ()
    go_plugin: tuple[GoPlugin, ...] = ()
    rate_limit: tuple[EndpointRateLimit, ...] = ()
    persist_graphql: tuple[PersistGraphql, ...] = ()


class Paths(Section, frozen=True):
    """The lists of the oldest format, read when `use_extended_paths` is false."""

    ignored: tuple[str, ...] = ()
    white_list: tuple[str, ...] = ()
    black_list: tuple[str, ...] = ()


class VersionInfo(Section, frozen=True):
    """One version. `expires` is `2006-01-02 15:04` in UTC, `-1` or empty; sizes are bytes."""

    name: str = ""
    expires: str = ""
    paths: Paths = msgspec.field(default_factory=Paths)
    use_extended_paths: bool = False
    extended_paths: ExtendedPaths = msgspec.field(default_factory=ExtendedPaths)
    global_headers: dict[str, str] = {}
    global_headers_remove: tuple[str, ...] = ()
    global_headers_disabled: bool = False
    global_response_headers: dict[str, str] = {}
    global_response_headers_remove: tuple[str, ...] = ()
    global_response_headers_disabled: bool = False
    ignore_endpoint_case: bool = False
    global_size_limit: int = 0
    global_size_limit_disabled: bool = False
    global_enforce_timeout: Seconds = 0.0
    global_enforce_timeout_disabled: bool = False
    override_target: str = ""


class VersionData(Section, frozen=True):
    not_versioned: bool = False
    default_version: str = ""
    versions: dict[str, VersionInfo] = {}


# --- the way to the upstream -------------------------------------------------------------------


class ServiceDiscovery(Section, frozen=True):
    use_discovery_service: bool = False
    query_endpoint: str = ""
    use_nested_query: bool = False
    parent_data_path: str = ""
    data_path: str = ""
    port_data_path: str = ""
    target_path: str = ""
    use_target_list: bool = False
    cache_disabled: bool = False
    cache_timeout: int = 0
    endpoint_returns_list: bool = False


class Transport(Section, frozen=True):
    """TLS towards this upstream; versions are 769 (1.0) to 772 (1.3), 0 is unset."""

    ssl_insecure_skip_verify: bool = False
    ssl_ciphers: tuple[str, ...] = ()
    ssl_min_version: int = 0
    ssl_max_version: int = 0
    ssl_force_common_name_check: bool = False
    proxy_url: str = ""


class Proxy(Section, frozen=True):
    listen_path: str = ""
    target_url: str = ""
    strip_listen_path: bool = False
    disable_strip_slash: bool = False
    preserve_host_header: bool = False
    enable_load_balancing: bool = False
    target_list: tuple[str, ...] = ()
    check_host_against_uptime_tests: bool = False
    service_discovery: ServiceDiscovery = msgspec.field(default_factory=ServiceDiscovery)
    transport: Transport = msgspec.field(default_factory=Transport)


class UptimeTests(Section, frozen=True):
    disabled: bool = False
    check_list: tuple[dict[str, Any], ...] = ()


class RequestSigning(Section, frozen=True):
    is_enabled: bool = False


class UpstreamAuth(Section, frozen=True):
    enabled: bool = False


# --- whole-API features ------------------------------------------------------------------------


class Cors(Section, frozen=True):
    enable: bool = False
    allowed_origins: tuple[str, ...] = ()
    allowed_methods: tuple[str, ...] = ()
    allowed_headers: tuple[str, ...] = ()
    exposed_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 0
    options_passthrough: bool = False
    debug: bool = False


class CacheOptions(Section, frozen=True):
    enable_cache: bool = False
    cache_timeout: int = 0
    cache_all_safe_requests: bool = False
    cache_response_codes: tuple[int, ...] = ()
    enable_upstream_cache_control: bool = False
    cache_control_ttl_header: str = ""
    cache_by_headers: tuple[str, ...] = ()


class GlobalRateLimit(Section, frozen=True):
    rate: float = 0.0
    per: float = 0.0
    disabled: bool = False


class ResponseProcessor(Section, frozen=True):
    name: str = ""
    options: Any = None


class Graphql(Section, frozen=True):
    enabled: bool = False


class ExternalOAuth(Section, frozen=True):
    enabled: bool = False


class ApiDefinition(Section, frozen=True):
    """A whole definition. `source` is the file it was read from, whatever the file itself says."""

    source: str = ""

    # identity
    name: str = ""
    slug: str = ""
    api_id: str = ""
    id: Any = ""
    org_id: str = ""
    active: bool = False
    internal: bool = False
    is_oas: bool = False
    expiration: str = ""

    # where it listens and where it leads
    proxy: Proxy = msgspec.field(default_factory=Proxy)
    domain: str = ""
    domain_disabled: bool = False
    certificates: tuple[str, ...] = ()
    listen_port: int = 0
    protocol: str = ""
    enable_proxy_protocol: bool = False

    # versions
    definition: VersionLocator = msgspec.field(default_factory=VersionLocator)
    version_data: VersionData = msgspec.field(default_factory=VersionData)

    # who may call
    use_keyless: bool = False
    use_standard_auth: bool = False
    use_basic_auth: bool = False
    basic_auth: BasicAuth = msgspec.field(default_factory=BasicAuth)
    use_oauth2: bool = False
    oauth_meta: OAuthMeta = msgspec.field(default_factory=OAuthMeta)
    notifications: Notifications = msgspec.field(default_factory=Notifications)
    enable_signature_checking: bool = False
    hmac_allowed_clock_skew: float = 0.0
    hmac_allowed_algorithms: tuple[str, ...] = ()
    use_mutual_tls_auth: bool = False
    client_certificates: tuple[str, ...] = ()
    use_openid: bool = False
    external_oauth: ExternalOAuth = msgspec.field(default_factory=ExternalOAuth)
    auth_configs: dict[str, AuthConfig] = {}
    auth: AuthConfig = msgspec.field(default_factory=AuthConfig)
    base_identity_provided_by: str = ""
    strip_auth_data: bool = False
    security_requirements: tuple[tuple[str, ...], ...] = ()

    # JWT
    enable_jwt: bool = False
    jwt_signing_method: str = ""
    jwt_source: str = ""
    jwt_identity_base_field: str = ""
    jwt_client_base_field: str = ""
    jwt_policy_field_name: str = ""
    jwt_default_policies: tuple[str, ...] = ()
    jwt_issued_at_validation_skew: int = 0
    jwt_expires_at_validation_skew: int = 0
    jwt_not_before_validation_skew: int = 0
    jwt_skip_kid: bool = False
    jwt_scope_claim_name: str = ""
    jwt_scope_to_policy_mapping: dict[str, str] = {}
    scopes: Scopes = msgspec.field(default_factory=Scopes)
    idp_client_id_mapping_disabled: bool = False

    # plugins
    custom_plugin_auth_enabled: bool = False
    enable_coprocess_auth: bool = False
    use_go_plugin_auth: bool = False
    custom_middleware: CustomMiddleware = msgspec.field(default_factory=CustomMiddleware)
    custom_middleware_bundle: str = ""
    custom_middleware_bundle_disabled: bool = False
    config_data: dict[str, Any] = {}
    config_data_disabled: bool = False
    response_processors: tuple[ResponseProcessor, ...] = ()
    event_handlers: EventHandlers = msgspec.field(default_factory=EventHandlers)

    # limits; lifetimes in seconds
    disable_rate_limit: bool = False
    disable_quota: bool = False
    dont_set_quota_on_create: bool = False
    global_rate_limit: GlobalRateLimit = msgspec.field(default_factory=GlobalRateLimit)
    session_lifetime: int = 0
    session_lifetime_respects_key_expiration: bool = False
    enable_ip_whitelisting: bool = False
    allowed_ips: tuple[str, ...] = ()
    enable_ip_blacklisting: bool = False
    blacklisted_ips: tuple[str, ...] = ()
    ip_access_control_disabled: bool = False

    # what else happens to a request
    cors: Cors = msgspec.field(default_factory=Cors)
    cache_options: CacheOptions = msgspec.field(default_factory=CacheOptions)
    enable_batch_request_support: bool = False
    enable_context_vars: bool = False
    error_overrides: dict[str, Any] = {}
    error_overrides_disabled: bool = False
    upstream_certificates: dict[str, str] = {}
    upstream_certificates_disabled: bool = False
    pinned_public_keys: dict[str, str] = {}
    certificate_pinning_disabled: bool = False
    request_signing: RequestSigning = msgspec.field(default_factory=RequestSigning)
    upstream_auth: UpstreamAuth = msgspec.field(default_factory=UpstreamAuth)
    uptime_tests: UptimeTests = msgspec.field(default_factory=UptimeTests)
    graphql: Graphql = msgspec.field(default_factory=Graphql)
    json_rpc_version: str = ""
    application_protocol: str = ""

    # observation
    do_not_track: bool = False
    tag_headers: tuple[str, ...] = ()
    enable_detailed_recording: bool = False
    tags: tuple[str, ...] = ()
    tags_disabled: bool = False
    expire_analytics_after: int = 0
    analytics_plugin: AnalyticsPlugin = msgspec.field(default_factory=AnalyticsPlugin)
    detailed_tracing: bool = False

    @property
    def has_plugin_auth(self) -> bool:
        """Tell whether a plugin decides who may call, under any of the three spellings."""
        return (
            self.custom_plugin_auth_enabled or self.enable_coprocess_auth or self.use_go_plugin_auth
        )

    @property
    def has_bundle(self) -> bool:
        return bool(self.custom_middleware_bundle) and not self.custom_middleware_bundle_disabled

    @property
    def active_domain(self) -> str:
        """The custom domain, empty when there is none or it is disabled."""
        return "" if self.domain_disabled else self.domain
