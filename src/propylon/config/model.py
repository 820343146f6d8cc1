"""The gateway's settings: what `tyk.conf` and `TYK_GW_` variables say, typed and frozen.

Attribute names are the JSON keys. Unlike Tyk, the defaults below apply to every absent key, file
or no file, and `storage` may be absent. Keys that this release does not act on are not modelled;
`config.keys` lists every documented key with what becomes of it.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Group(msgspec.Struct, frozen=True):
    """Base of every object inside the configuration."""


class Certificate(Group, frozen=True):
    """A certificate and its key in PEM files; `domain_name` is the name asked for by SNI."""

    domain_name: str = ""
    cert_file: str = ""
    key_file: str = ""


class HttpServerOptions(Group, frozen=True):
    """What clients see. Time-outs in seconds, `flush_interval` in milliseconds, sizes in bytes.

    TLS versions are 769 (TLS 1.0) to 772 (TLS 1.3). `xff_depth` 0 takes the first entry of
    `X-Forwarded-For`, n the n-th from the right. A size of 0 is no limit of its own.
    """

    read_timeout: int = 120
    write_timeout: int = 120
    use_ssl: bool = False
    certificates: tuple[Certificate, ...] = ()
    ssl_certificates: tuple[str, ...] = ()
    server_name: str = ""
    min_version: int = 771
    max_version: int = 772
    ssl_ciphers: tuple[str, ...] = ()
    ssl_insecure_skip_verify: bool = False
    skip_client_ca_announcement: bool = False
    enable_http2: bool = False
    enable_websockets: bool = False
    flush_interval: int = 0
    max_request_body_size: int = 0
    max_response_body_size: int = 0
    xff_depth: int = 0
    enable_strict_routes: bool = False
    enable_path_prefix_matching: bool = False
    enable_path_suffix_matching: bool = False
    skip_url_cleaning: bool = False
    skip_target_path_escaping: bool = False


class Storage(Group, frozen=True):
    """The Redis connection. An empty `type` means that no store was configured."""

    type: str = ""
    host: str = "localhost"
    port: int = 6379
    hosts: dict[str, str] = {}
    addrs: tuple[str, ...] = ()
    master_name: str = ""
    sentinel_password: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    optimisation_max_idle: int = 100
    optimisation_max_active: int = 500
    timeout: int = 5
    enable_cluster: bool = False
    use_ssl: bool = False
    ssl_insecure_skip_verify: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    tls_min_version: str = "1.2"
    tls_max_version: str = "1.3"


class Policies(Group, frozen=True):
    policy_source: str = ""
    policy_record_name: str = ""
    policy_path: str = ""
    allow_explicit_policy_id: bool = False


class NormaliseUrls(Group, frozen=True):
    enabled: bool = False
    normalise_uuids: bool = False
    normalise_ulids: bool = False
    normalise_numbers: bool = False
    custom_patterns: tuple[str, ...] = ()


class AnalyticsConfig(Group, frozen=True):
    """Durations in seconds; a `pool_size` of 0 is one per CPU."""

    type: str = ""
    ignored_ips: tuple[str, ...] = ()
    enable_detailed_recording: bool = False
    normalise_urls: NormaliseUrls = msgspec.field(default_factory=NormaliseUrls)
    pool_size: int = 0
    records_buffer_size: int = 1000
    storage_expiration_time: int = 60
    enable_multiple_analytics_keys: bool = False
    purge_interval: float = 10.0
    serializer_type: str = ""


class HealthCheck(Group, frozen=True):
    enable_health_checks: bool = False
    health_check_value_timeouts: int = 60


class LivenessCheck(Group, frozen=True):
    """`check_duration` in nanoseconds, as in the file."""

    check_duration: int = 10_000_000_000


class LocalSessionCache(Group, frozen=True):
    disable_cached_session_state: bool = False
    cached_session_timeout: int = 0
    cached_session_eviction: int = 0


class RestartBackoff(Group, frozen=True):
    """How long to wait before a stdio plugin that ended is started again."""

    initial_ms: int = 500
    factor: float = 2.0
    max_ms: int = 30_000
    jitter: float = 0.2
    reset_after_s: int = 60


class CoprocessOptions(Group, frozen=True):
    """Rich plugins. The `coprocess_*` keys after the gRPC address belong to the stdio driver.

    A `coprocess_timeout_ms` of 0 becomes the write time-out of the server when the file is loaded.
    """

    enable_coprocess: bool = False
    coprocess_grpc_server: str = ""
    grpc_recv_max_size: int = 0
    grpc_send_max_size: int = 0
    grpc_authority: str = ""
    grpc_round_robin_load_balancing: bool = False
    python_path_prefix: str = ""
    python_version: str = ""

    coprocess_command: str = ""
    coprocess_args: tuple[str, ...] = ()
    coprocess_cwd: str = ""
    coprocess_env: dict[str, str] = {}
    coprocess_framing: str = "newline"
    coprocess_timeout_ms: int = 120_000
    coprocess_init_timeout_ms: int = 10_000
    coprocess_max_in_flight: int = 64
    coprocess_max_queue: int = 1024
    coprocess_max_message_size: int = 64 * 1024 * 1024
    coprocess_restart: RestartBackoff = msgspec.field(default_factory=RestartBackoff)
    coprocess_stop_timeout_s: int = 5
    coprocess_allow_bundle_exec: bool = False


class OverrideMessage(Group, frozen=True):
    message: str = ""
    code: int = 0


class AccessLogs(Group, frozen=True):
    """`template` names the fields of a line; empty is all of them."""

    enabled: bool = False
    template: tuple[str, ...] = ()


class JavaScript(Group, frozen=True):
    """Ours: bounds of JavaScript plugins, per API.

    A call runs up to `loop_budget_ms` on the event loop, then restarts in one of `max_processes`
    helper processes. `isolation` is `auto` (re-run the sources per request where that is enough) or
    `fresh` (a new engine per request).
    """

    loop_budget_ms: int = 10
    memory_mb: int = 64
    stack_kb: int = 1024
    max_processes: int = 2
    isolation: str = "auto"


class HttpLimits(Group, frozen=True):
    """Ours: bounds on what a client may make the gateway hold.

    `max_body_bytes` bounds a body that a step must see whole; it applies where
    `http_server_options.max_request_body_size` is 0.
    """

    max_head_bytes: int = 65_536
    max_header_count: int = 100
    header_timeout_s: int = 10
    idle_timeout_s: int = 75
    max_body_bytes: int = 64 * 1024 * 1024
    max_connections: int = 10_000
    upstream_idle_timeout_s: int = 90


class FileStore(Group, frozen=True):
    """`base_path` is the folder that `file://` references lead into."""

    base_path: str = ""


class Kv(Group, frozen=True):
    file: FileStore = msgspec.field(default_factory=FileStore)


class Config(msgspec.Struct, frozen=True):
    """The whole configuration of one gateway."""

    # where it listens
    listen_address: str = ""
    listen_port: int = 8080
    hostname: str = ""
    control_api_port: int = 0
    control_api_hostname: str = ""
    http_server_options: HttpServerOptions = msgspec.field(default_factory=HttpServerOptions)
    http_limits: HttpLimits = msgspec.field(default_factory=HttpLimits)
    enable_custom_domains: bool = False
    health_check_endpoint_name: str = "hello"
    readiness_check_endpoint_name: str = "ready"
    health_check: HealthCheck = msgspec.field(default_factory=HealthCheck)
    liveness_check: LivenessCheck = msgspec.field(default_factory=LivenessCheck)

    # processes; seconds
    workers: int = 1
    "Worker processes; 0 is one per core."
    pid_file_location: str = "/var/run/tyk/tyk-gateway.pid"
    graceful_shutdown_timeout_duration: int = 30
    graceful_shutdown_delay_seconds: int = 0
    reload_interval: int = 1

    # secrets; no default on purpose: a published one protects nothing
    secret: str = ""
    node_secret: str = ""
    secrets: dict[str, str] = {}
    kv: Kv = msgspec.field(default_factory=Kv)

    # files
    template_path: str = "templates"
    tyk_js_path: str = ""
    middleware_path: str = "middleware"
    app_path: str = "apps/"
    use_db_app_configs: bool = False
    policies: Policies = msgspec.field(default_factory=Policies)

    # towards upstreams; time-outs in seconds, TLS versions as for clients
    proxy_default_timeout: float = 30.0
    proxy_ssl_insecure_skip_verify: bool = False
    proxy_ssl_min_version: int = 771
    proxy_ssl_max_version: int = 772
    proxy_ssl_ciphers: tuple[str, ...] = ()
    proxy_ssl_disable_renegotiation: bool = False
    proxy_ssl_ca_file: str = ""
    "Ours: PEM file of authorities to trust instead of the system's."
    ssl_force_common_name_check: bool = False
    proxy_enable_http2: bool = False
    proxy_close_connections: bool = False
    max_idle_connections: int = 0
    "Idle upstream connections per API; 0 is no limit. Not enforced yet."
    max_idle_connections_per_host: int = 0
    "0 leaves the bound to the pool."
    max_conn_time: int = 0
    "Seconds after which an upstream connection is not used again; 0 is for ever. Not enforced yet."

    # towards clients
    close_connections: bool = False
    hide_generator_header: bool = False
    ignore_endpoint_case: bool = False
    ignore_canonical_mime_header_key: bool = False
    version_header: str = ""
    override_messages: dict[str, OverrideMessage] = {}
    error_overrides: dict[str, Any] = {}

    # plugins
    enable_jsvm: bool = False
    jsvm_timeout: int = 5
    "Seconds per call."
    disable_virtual_path_blobs: bool = False
    javascript: JavaScript = msgspec.field(default_factory=JavaScript)
    coprocess_options: CoprocessOptions = msgspec.field(default_factory=CoprocessOptions)
    enable_bundle_downloader: bool = False
    bundle_base_url: str = ""
    bundle_insecure_skip_verify: bool = False
    skip_verify_existing_plugin_bundle: bool = False
    public_key_path: str = ""
    event_handlers: dict[str, Any] = {}

    # what it writes
    log_level: str = "info"
    log_format: str = "text"
    track_404_logs: bool = False
    enable_key_logging: bool = False
    access_logs: AccessLogs = msgspec.field(default_factory=AccessLogs)

    # keys, limits and their store
    storage: Storage = msgspec.field(default_factory=Storage)
    hash_keys: bool = False
    hash_key_function: str = ""
    hash_key_function_fallback: tuple[str, ...] = ()
    basic_auth_hash_key_function: str = "bcrypt"
    enable_hashed_keys_listing: bool = False
    min_token_length: int = 3
    allow_master_keys: bool = False
    disable_key_actions_by_username: bool = False
    global_session_lifetime: int = 0
    force_global_session_lifetime: bool = False
    session_lifetime_respects_key_expiration: bool = False
    local_session_cache: LocalSessionCache = msgspec.field(default_factory=LocalSessionCache)
    enable_non_transactional_rate_limiter: bool = False
    enable_redis_rolling_limiter: bool = False
    enable_sentinel_rate_limiter: bool = False
    enable_fixed_window_rate_limiter: bool = False
    rate_limit_response_headers: str = "quotas"
    drl_threshold: float = 5.0
    drl_notification_frequency: int = 2
    drl_enable_sentinel_rate_limiter: bool = False

    # several gateways
    management_node: bool = False
    suppress_redis_signal_reload: bool = False
    allow_insecure_configs: bool = False

    # analytics
    enable_analytics: bool = False
    analytics_config: AnalyticsConfig = msgspec.field(default_factory=AnalyticsConfig)
