"""Every documented key of `tyk.conf`, its environment variable, and what becomes of it here.

One row per key: path, variable without `TYK_GW_`, kind of value, tier of the specification, status.
The status is `HONOURED`, `ACCEPTED` (documented, but nothing here depends on it), or the `Feature`
that is missing: then a value that would change behaviour is reported at start. To support a key,
model it in `config.model` and change its status here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

ENV_PREFIX = "TYK_GW_"


class Kind(enum.Enum):
    """What a value looks like; `DURATION` is nanoseconds in the file, `10s` in a variable."""

    STRING = "string"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    LIST = "list"
    MAP = "map"
    JSON = "json"
    DURATION = "duration (ns)"


class Status(enum.Enum):
    HONOURED = "honoured"
    ACCEPTED = "no effect here"


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that keys ask for and this release does not have.

    `is_refused`: running without it would let through what the operator forbade, so the start
    fails instead of going on with a notice.
    """

    name: str
    consequence: str
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    path: str
    env: str
    kind: Kind
    tier: int
    status: Status | Feature
    neutral: tuple[Any, ...] = ()
    "Values besides false, 0 and empty that ask for nothing."
    switch: str = ""
    "Path of the key without which this one asks for nothing."


STRING, BOOL, INT, FLOAT = Kind.STRING, Kind.BOOL, Kind.INT, Kind.FLOAT
LIST, MAP, JSON, DURATION = Kind.LIST, Kind.MAP, Kind.JSON, Kind.DURATION
HONOURED, ACCEPTED = Status.HONOURED, Status.ACCEPTED

STORE = Feature("key store", "no Redis is used; stored keys are unknown, so they are refused")
KEYS = Feature("keys", "there is no key store; stored keys are unknown, so they are refused")
RATE_LIMITS = Feature("rate limits", "no per-key rate limiter runs")
POLICIES = Feature("policies", "no policy is loaded")
CONTROL_API = Feature("control API", "/tyk/ is not served")
PINNING = Feature("public key pinning", "upstream keys would not be checked", is_refused=True)
CERTIFICATE_STORE = Feature("certificate store", "certificate ids cannot be resolved")
HTTP2 = Feature("HTTP/2", "HTTP/1.1 is spoken")
ANALYTICS = Feature("analytics", "no analytics record is written")
CACHE = Feature("response cache", "no response is cached")
DNS_CACHE = Feature("DNS cache", "names are resolved for each new connection")
BUNDLES = Feature("plugin bundles", "an API that names a bundle is refused")
GRPC = Feature("gRPC plugins", "an API with driver grpc is refused")
PYTHON = Feature("Python plugins", "an API with driver python is refused")
EVENTS = Feature("event handlers", "no event is delivered")
UPTIME = Feature("uptime tests", "no upstream is probed")
DISCOVERY = Feature("service discovery", "an API that uses it is refused")
OAUTH = Feature("OAuth", "an API that uses it is refused")
JWT = Feature("JWT", "an API that uses it is refused")
ORGANISATIONS = Feature("organisation sessions", "no organisation limit applies")
LOG_SINKS = Feature("log sinks", "logs go to stderr")
METRICS = Feature("metrics", "no metric is sent")
TELEMETRY = Feature("OpenTelemetry", "no trace is sent")
DASHBOARD = Feature("Dashboard and MDCB", "APIs come from files only")
API_PORTS = Feature("API listeners", "an API with a port of its own is refused")
POOL_BOUNDS = Feature(
    "bounds of the upstream pool", "idle connections are bounded per host and by idle time only"
)
RENEGOTIATION = Feature("switch for TLS renegotiation", "TLS 1.2 upstreams may renegotiate")
VIRTUAL = Feature("virtual endpoints", "an API that has one is refused")
OVERRIDES = Feature("error overrides", "errors have their standard texts")
SECRET_STORES = Feature("secret stores", "references to Consul and Vault are refused")
OUTBOUND_PROXIES = Feature("external services", "outbound calls are made directly")
OAS = Feature("OpenAPI definitions", "an OpenAPI definition is refused")
STREAMING = Feature("streams", "an API that uses them is refused")

_Row = tuple[str, str, Kind, int, Status | Feature]

_STORAGE: tuple[_Row, ...] = (
    ("type", "TYPE", STRING, 1, STORE),
    ("host", "HOST", STRING, 1, STORE),
    ("port", "PORT", INT, 1, STORE),
    ("hosts", "HOSTS", MAP, 3, STORE),
    ("addrs", "ADDRS", LIST, 1, STORE),
    ("master_name", "MASTERNAME", STRING, 1, STORE),
    ("sentinel_password", "SENTINELPASSWORD", STRING, 1, STORE),
    ("username", "USERNAME", STRING, 1, STORE),
    ("password", "PASSWORD", STRING, 1, STORE),
    ("database", "DATABASE", INT, 1, STORE),
    ("optimisation_max_idle", "MAXIDLE", INT, 1, STORE),
    ("optimisation_max_active", "MAXACTIVE", INT, 1, STORE),
    ("timeout", "TIMEOUT", INT, 1, STORE),
    ("enable_cluster", "ENABLECLUSTER", BOOL, 1, STORE),
    ("use_ssl", "USESSL", BOOL, 1, STORE),
    ("ssl_insecure_skip_verify", "SSLINSECURESKIPVERIFY", BOOL, 1, STORE),
    ("ca_file", "CAFILE", STRING, 1, STORE),
    ("cert_file", "CERTFILE", STRING, 1, STORE),
    ("key_file", "KEYFILE", STRING, 1, STORE),
    ("tls_max_version", "TLSMAXVERSION", STRING, 1, STORE),
    ("tls_min_version", "TLSMINVERSION", STRING, 1, STORE),
    ("compress_api_definitions", "COMPRESSAPIDEFINITIONS", BOOL, 3, STORE),
    ("compress_policies", "COMPRESSPOLICIES", BOOL, 3, STORE),
    ("max_decompressed_size", "MAXDECOMPRESSEDSIZE", INT, 3, STORE),
    ("iam_auth.enabled", "IAMAUTH_ENABLED", BOOL, 3, STORE),
    ("iam_auth.provider", "IAMAUTH_PROVIDER", STRING, 3, STORE),
    ("iam_auth.service_account", "IAMAUTH_SERVICEACCOUNT", STRING, 3, STORE),
    ("iam_auth.token_refresh_before_expiry", "IAMAUTH_TOKENREFRESHBEFOREEXPIRY", STRING, 3, STORE),
)
"""The members of `storage`; three more objects repeat them."""

_OUTBOUND: tuple[_Row, ...] = (
    ("proxy.enabled", "PROXY_ENABLED", BOOL, 3, OUTBOUND_PROXIES),
    ("proxy.http_proxy", "PROXY_HTTPPROXY", STRING, 3, OUTBOUND_PROXIES),
    ("proxy.https_proxy", "PROXY_HTTPSPROXY", STRING, 3, OUTBOUND_PROXIES),
    ("proxy.bypass_proxy", "PROXY_BYPASSPROXY", STRING, 3, OUTBOUND_PROXIES),
    ("mtls.enabled", "MTLS_ENABLED", BOOL, 3, OUTBOUND_PROXIES),
    ("mtls.cert_file", "MTLS_CERTFILE", STRING, 3, OUTBOUND_PROXIES),
    ("mtls.key_file", "MTLS_KEYFILE", STRING, 3, OUTBOUND_PROXIES),
    ("mtls.ca_file", "MTLS_CAFILE", STRING, 3, OUTBOUND_PROXIES),
    ("mtls.cert_id", "MTLS_CERTID", STRING, 3, OUTBOUND_PROXIES),
    ("mtls.ca_cert_ids", "MTLS_CACERTIDS", LIST, 3, OUTBOUND_PROXIES),
    ("mtls.insecure_skip_verify", "MTLS_INSECURESKIPVERIFY", BOOL, 3, OUTBOUND_PROXIES),
    ("mtls.tls_min_version", "MTLS_TLSMINVERSION", STRING, 3, OUTBOUND_PROXIES),
    ("mtls.tls_max_version", "MTLS_TLSMAXVERSION", STRING, 3, OUTBOUND_PROXIES),
)
"""The members of each service of `external_services`."""

_TYK: tuple[_Row, ...] = (
    ("hostname", "HOSTNAME", STRING, 1, HONOURED),
    ("listen_address", "LISTENADDRESS", STRING, 1, HONOURED),
    ("listen_port", "LISTENPORT", INT, 1, HONOURED),
    ("control_api_hostname", "CONTROLAPIHOSTNAME", STRING, 1, ACCEPTED),
    ("control_api_port", "CONTROLAPIPORT", INT, 1, HONOURED),
    ("secret", "SECRET", STRING, 1, ACCEPTED),
    ("node_secret", "NODESECRET", STRING, 1, ACCEPTED),
    ("pid_file_location", "PIDFILELOCATION", STRING, 1, HONOURED),
    ("allow_insecure_configs", "ALLOWINSECURECONFIGS", BOOL, 1, KEYS),
    ("public_key_path", "PUBLICKEYPATH", STRING, 1, BUNDLES),
    ("allow_remote_config", "ALLOWREMOTECONFIG", BOOL, 3, ACCEPTED),
    ("enable_config_inspection", "ENABLECONFIGINSPECTION", BOOL, 2, CONTROL_API),
    (
        "security.private_certificate_encoding_secret",
        "SECURITY_PRIVATECERTIFICATEENCODINGSECRET",
        STRING,
        2,
        CONTROL_API,
    ),
    (
        "security.control_api_use_mutual_tls",
        "SECURITY_CONTROLAPIUSEMUTUALTLS",
        BOOL,
        2,
        CONTROL_API,
    ),
    ("security.pinned_public_keys", "SECURITY_PINNEDPUBLICKEYS", MAP, 2, PINNING),
    (
        "security.allow_unsafe_dynamic_mtls_token",
        "SECURITY_ALLOWUNSAFEDYNAMICMTLSTOKEN",
        BOOL,
        2,
        CERTIFICATE_STORE,
    ),
    ("security.certificates.apis", "SECURITY_CERTIFICATES_API", LIST, 2, CERTIFICATE_STORE),
    ("security.certificates.upstream", "SECURITY_CERTIFICATES_UPSTREAM", MAP, 2, CERTIFICATE_STORE),
    ("security.certificates.control_api", "SECURITY_CERTIFICATES_CONTROLAPI", LIST, 2, CONTROL_API),
    ("security.certificates.dashboard_api", "SECURITY_CERTIFICATES_DASHBOARD", LIST, 3, DASHBOARD),
    ("security.certificates.mdcb_api", "SECURITY_CERTIFICATES_MDCB", LIST, 3, DASHBOARD),
    (
        "security.certificate_expiry_monitor.warning_threshold_days",
        "SECURITY_CERTIFICATEEXPIRYMONITOR_WARNINGTHRESHOLDDAYS",
        INT,
        2,
        CERTIFICATE_STORE,
    ),
    (
        "security.certificate_expiry_monitor.check_cooldown_seconds",
        "SECURITY_CERTIFICATEEXPIRYMONITOR_CHECKCOOLDOWNSECONDS",
        INT,
        2,
        CERTIFICATE_STORE,
    ),
    (
        "security.certificate_expiry_monitor.event_cooldown_seconds",
        "SECURITY_CERTIFICATEEXPIRYMONITOR_EVENTCOOLDOWNSECONDS",
        INT,
        2,
        CERTIFICATE_STORE,
    ),
    (
        "external_services.global.enabled",
        "EXTERNALSERVICES_GLOBAL_ENABLED",
        BOOL,
        3,
        OUTBOUND_PROXIES,
    ),
    (
        "external_services.global.http_proxy",
        "EXTERNALSERVICES_GLOBAL_HTTPPROXY",
        STRING,
        3,
        OUTBOUND_PROXIES,
    ),
    (
        "external_services.global.https_proxy",
        "EXTERNALSERVICES_GLOBAL_HTTPSPROXY",
        STRING,
        3,
        OUTBOUND_PROXIES,
    ),
    (
        "external_services.global.bypass_proxy",
        "EXTERNALSERVICES_GLOBAL_BYPASSPROXY",
        STRING,
        3,
        OUTBOUND_PROXIES,
    ),
    ("http_server_options.read_timeout", "HTTPSERVEROPTIONS_READTIMEOUT", INT, 1, HONOURED),
    ("http_server_options.write_timeout", "HTTPSERVEROPTIONS_WRITETIMEOUT", INT, 1, HONOURED),
    ("http_server_options.use_ssl", "HTTPSERVEROPTIONS_USESSL", BOOL, 1, HONOURED),
    ("http_server_options.enable_http2", "HTTPSERVEROPTIONS_ENABLEHTTP2", BOOL, 1, HTTP2),
    (
        "http_server_options.enable_strict_routes",
        "HTTPSERVEROPTIONS_ENABLESTRICTROUTES",
        BOOL,
        1,
        HONOURED,
    ),
    (
        "http_server_options.enable_path_prefix_matching",
        "HTTPSERVEROPTIONS_ENABLEPATHPREFIXMATCHING",
        BOOL,
        1,
        HONOURED,
    ),
    (
        "http_server_options.enable_path_suffix_matching",
        "HTTPSERVEROPTIONS_ENABLEPATHSUFFIXMATCHING",
        BOOL,
        1,
        HONOURED,
    ),
    (
        "http_server_options.ssl_insecure_skip_verify",
        "HTTPSERVEROPTIONS_SSLINSECURESKIPVERIFY",
        BOOL,
        1,
        ACCEPTED,
    ),
    (
        "http_server_options.enable_websockets",
        "HTTPSERVEROPTIONS_ENABLEWEBSOCKETS",
        BOOL,
        1,
        HONOURED,
    ),
    ("http_server_options.certificates", "HTTPSERVEROPTIONS_CERTIFICATES", JSON, 1, HONOURED),
    (
        "http_server_options.ssl_certificates",
        "HTTPSERVEROPTIONS_SSLCERTIFICATES",
        LIST,
        1,
        HONOURED,
    ),
    ("http_server_options.server_name", "HTTPSERVEROPTIONS_SERVERNAME", STRING, 1, ACCEPTED),
    ("http_server_options.min_version", "HTTPSERVEROPTIONS_MINVERSION", INT, 1, HONOURED),
    ("http_server_options.max_version", "HTTPSERVEROPTIONS_MAXVERSION", INT, 1, HONOURED),
    (
        "http_server_options.skip_client_ca_announcement",
        "HTTPSERVEROPTIONS_SKIPCLIENTCAANNOUNCEMENT",
        BOOL,
        1,
        ACCEPTED,
    ),
    ("http_server_options.flush_interval", "HTTPSERVEROPTIONS_FLUSHINTERVAL", INT, 1, ACCEPTED),
    (
        "http_server_options.skip_url_cleaning",
        "HTTPSERVEROPTIONS_SKIPURLCLEANING",
        BOOL,
        1,
        HONOURED,
    ),
    (
        "http_server_options.skip_target_path_escaping",
        "HTTPSERVEROPTIONS_SKIPTARGETPATHESCAPING",
        BOOL,
        1,
        ACCEPTED,
    ),
    ("http_server_options.ssl_ciphers", "HTTPSERVEROPTIONS_CIPHERS", LIST, 1, HONOURED),
    (
        "http_server_options.max_request_body_size",
        "HTTPSERVEROPTIONS_MAXREQUESTBODYSIZE",
        INT,
        1,
        HONOURED,
    ),
    ("http_server_options.xff_depth", "HTTPSERVEROPTIONS_XFFDEPTH", INT, 1, HONOURED),
    (
        "http_server_options.max_response_body_size",
        "HTTPSERVEROPTIONS_MAXRESPONSEBODYSIZE",
        INT,
        1,
        ACCEPTED,
    ),
    ("version_header", "VERSIONHEADER", STRING, 2, HONOURED),
    ("suppress_redis_signal_reload", "SUPPRESSREDISSIGNALRELOAD", BOOL, 1, KEYS),
    ("reload_interval", "RELOADINTERVAL", INT, 1, HONOURED),
    ("hash_keys", "HASHKEYS", BOOL, 1, KEYS),
    ("disable_key_actions_by_username", "DISABLEKEYACTIONSBYUSERNAME", BOOL, 1, KEYS),
    ("hash_key_function", "HASHKEYFUNCTION", STRING, 1, KEYS),
    ("basic_auth_hash_key_function", "BASICAUTHHASHKEYFUNCTION", STRING, 1, KEYS),
    ("hash_key_function_fallback", "HASHKEYFUNCTIONFALLBACK", LIST, 2, KEYS),
    ("enable_hashed_keys_listing", "ENABLEHASHEDKEYSLISTING", BOOL, 1, KEYS),
    ("min_token_length", "MINTOKENLENGTH", INT, 1, KEYS),
    ("template_path", "TEMPLATEPATH", STRING, 1, HONOURED),
    ("policies.policy_source", "POLICIES_POLICYSOURCE", STRING, 1, POLICIES),
    ("policies.policy_connection_string", "POLICIES_POLICYCONNECTIONSTRING", STRING, 3, POLICIES),
    ("policies.policy_record_name", "POLICIES_POLICYRECORDNAME", STRING, 1, POLICIES),
    ("policies.allow_explicit_policy_id", "POLICIES_ALLOWEXPLICITPOLICYID", BOOL, 1, ACCEPTED),
    ("policies.policy_path", "POLICIES_POLICYPATH", STRING, 1, POLICIES),
    ("ports_whitelist", "PORTWHITELIST", JSON, 2, API_PORTS),
    ("disable_ports_whitelist", "DISABLEPORTWHITELIST", BOOL, 2, API_PORTS),
    ("app_path", "APPPATH", STRING, 1, HONOURED),
    ("use_db_app_configs", "USEDBAPPCONFIGS", BOOL, 1, HONOURED),
    (
        "db_app_conf_options.connection_string",
        "DBAPPCONFOPTIONS_CONNECTIONSTRING",
        STRING,
        3,
        DASHBOARD,
    ),
    (
        "db_app_conf_options.connection_timeout",
        "DBAPPCONFOPTIONS_CONNECTIONTIMEOUT",
        INT,
        3,
        DASHBOARD,
    ),
    (
        "db_app_conf_options.node_is_segmented",
        "DBAPPCONFOPTIONS_NODEISSEGMENTED",
        BOOL,
        3,
        DASHBOARD,
    ),
    ("db_app_conf_options.tags", "DBAPPCONFOPTIONS_TAGS", LIST, 3, DASHBOARD),
    ("disable_dashboard_zeroconf", "DISABLEDASHBOARDZEROCONF", BOOL, 3, ACCEPTED),
    ("slave_options.use_rpc", "SLAVEOPTIONS_USERPC", BOOL, 3, DASHBOARD),
    ("slave_options.use_ssl", "SLAVEOPTIONS_USESSL", BOOL, 3, DASHBOARD),
    (
        "slave_options.ssl_insecure_skip_verify",
        "SLAVEOPTIONS_SSLINSECURESKIPVERIFY",
        BOOL,
        3,
        DASHBOARD,
    ),
    ("slave_options.connection_string", "SLAVEOPTIONS_CONNECTIONSTRING", STRING, 3, DASHBOARD),
    ("slave_options.rpc_key", "SLAVEOPTIONS_RPCKEY", STRING, 3, DASHBOARD),
    ("slave_options.api_key", "SLAVEOPTIONS_APIKEY", STRING, 3, DASHBOARD),
    ("slave_options.enable_rpc_cache", "SLAVEOPTIONS_ENABLERPCCACHE", BOOL, 3, DASHBOARD),
    (
        "slave_options.bind_to_slugs",
        "SLAVEOPTIONS_BINDTOSLUGSINSTEADOFLISTENPATHS",
        BOOL,
        3,
        DASHBOARD,
    ),
    ("slave_options.disable_keyspace_sync", "SLAVEOPTIONS_DISABLEKEYSPACESYNC", BOOL, 3, DASHBOARD),
    ("slave_options.group_id", "SLAVEOPTIONS_GROUPID", STRING, 3, DASHBOARD),
    ("slave_options.call_timeout", "SLAVEOPTIONS_CALLTIMEOUT", INT, 3, DASHBOARD),
    ("slave_options.ping_timeout", "SLAVEOPTIONS_PINGTIMEOUT", INT, 3, DASHBOARD),
    ("slave_options.rpc_pool_size", "SLAVEOPTIONS_RPCPOOLSIZE", INT, 3, DASHBOARD),
    (
        "slave_options.key_space_sync_interval",
        "SLAVEOPTIONS_KEYSPACESYNCINTERVAL",
        FLOAT,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_cert_cache_expiration",
        "SLAVEOPTIONS_RPCCERTCACHEEXPIRATION",
        FLOAT,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_global_cache_expiration",
        "SLAVEOPTIONS_RPCGLOBALCACHEEXPIRATION",
        FLOAT,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_cert_fetch_max_elapsed_time",
        "SLAVEOPTIONS_RPCCERTFETCHMAXELAPSEDTIME",
        FLOAT,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_cert_fetch_initial_interval",
        "SLAVEOPTIONS_RPCCERTFETCHINITIALINTERVAL",
        FLOAT,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_cert_fetch_max_interval",
        "SLAVEOPTIONS_RPCCERTFETCHMAXINTERVAL",
        FLOAT,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_cert_fetch_retry_enabled",
        "SLAVEOPTIONS_RPCCERTFETCHRETRYENABLED",
        BOOL,
        3,
        DASHBOARD,
    ),
    (
        "slave_options.rpc_cert_fetch_max_retries",
        "SLAVEOPTIONS_RPCCERTFETCHMAXRETRIES",
        INT,
        3,
        DASHBOARD,
    ),
    ("slave_options.synchroniser_enabled", "SLAVEOPTIONS_SYNCHRONISERENABLED", BOOL, 3, DASHBOARD),
    ("slave_options.dns_monitor.enabled", "SLAVEOPTIONS_DNSMONITOR_ENABLED", BOOL, 3, DASHBOARD),
    (
        "slave_options.dns_monitor.check_interval",
        "SLAVEOPTIONS_DNSMONITOR_CHECKINTERVAL",
        INT,
        3,
        DASHBOARD,
    ),
    ("slave_options.sync_used_certs_only", "SLAVEOPTIONS_SYNCUSEDCERTSONLY", BOOL, 3, DASHBOARD),
    ("management_node", "MANAGEMENTNODE", BOOL, 1, KEYS),
    ("auth_override.force_auth_provider", "AUTHOVERRIDE_FORCEAUTHPROVIDER", BOOL, 3, DASHBOARD),
    ("auth_override.auth_provider", "AUTHOVERRIDE_AUTHPROVIDER", JSON, 3, DASHBOARD),
    (
        "auth_override.force_session_provider",
        "AUTHOVERRIDE_FORCESESSIONPROVIDER",
        BOOL,
        3,
        DASHBOARD,
    ),
    ("auth_override.session_provider", "AUTHOVERRIDE_SESSIONPROVIDER", JSON, 3, DASHBOARD),
    ("enable_fixed_window_rate_limiter", "ENABLEFIXEDWINDOWRATELIMITER", BOOL, 1, RATE_LIMITS),
    ("enable_redis_rolling_limiter", "ENABLEREDISROLLINGLIMITER", BOOL, 1, RATE_LIMITS),
    ("enable_sentinel_rate_limiter", "ENABLESENTINELRATELIMITER", BOOL, 1, RATE_LIMITS),
    ("enable_rate_limit_smoothing", "ENABLERATELIMITSMOOTHING", BOOL, 2, RATE_LIMITS),
    (
        "enable_non_transactional_rate_limiter",
        "ENABLENONTRANSACTIONALRATELIMITER",
        BOOL,
        1,
        RATE_LIMITS,
    ),
    ("drl_notification_frequency", "DRLNOTIFICATIONFREQUENCY", INT, 1, RATE_LIMITS),
    ("drl_threshold", "DRLTHRESHOLD", FLOAT, 1, RATE_LIMITS),
    ("drl_enable_sentinel_rate_limiter", "DRLENABLESENTINELRATELIMITER", BOOL, 1, RATE_LIMITS),
    ("rate_limit_response_headers", "RATELIMITRESPONSEHEADERS", STRING, 1, RATE_LIMITS),
    ("enforce_org_data_age", "ENFORCEORGDATAAGE", BOOL, 2, ORGANISATIONS),
    ("enforce_org_data_detail_logging", "ENFORCEORGDATADETAILLOGGING", BOOL, 2, ORGANISATIONS),
    ("enforce_org_quotas", "ENFORCEORGQUOTAS", BOOL, 2, ORGANISATIONS),
    ("experimental_process_org_off_thread", "EXPERIMENTALPROCESSORGOFFTHREAD", BOOL, 2, ACCEPTED),
    ("monitor.enable_trigger_monitors", "MONITOR_ENABLETRIGGERMONITORS", BOOL, 2, EVENTS),
    ("monitor.configuration.method", "MONITOR_CONFIG_METHOD", STRING, 2, EVENTS),
    ("monitor.configuration.target_path", "MONITOR_CONFIG_TARGETPATH", STRING, 2, EVENTS),
    ("monitor.configuration.template_path", "MONITOR_CONFIG_TEMPLATEPATH", STRING, 2, EVENTS),
    ("monitor.configuration.header_map", "MONITOR_CONFIG_HEADERLIST", MAP, 2, EVENTS),
    ("monitor.configuration.event_timeout", "MONITOR_CONFIG_EVENTTIMEOUT", INT, 2, EVENTS),
    ("monitor.global_trigger_limit", "MONITOR_GLOBALTRIGGERLIMIT", FLOAT, 2, EVENTS),
    ("monitor.monitor_user_keys", "MONITOR_MONITORUSERKEYS", BOOL, 2, EVENTS),
    ("monitor.monitor_org_keys", "MONITOR_MONITORORGKEYS", BOOL, 2, EVENTS),
    ("max_idle_connections", "MAXIDLECONNS", INT, 1, POOL_BOUNDS),
    ("max_idle_connections_per_host", "MAXIDLECONNSPERHOST", INT, 1, HONOURED),
    ("max_conn_time", "MAXCONNTIME", INT, 1, POOL_BOUNDS),
    ("close_connections", "CLOSECONNECTIONS", BOOL, 1, HONOURED),
    ("enable_custom_domains", "ENABLECUSTOMDOMAINS", BOOL, 1, HONOURED),
    ("allow_master_keys", "ALLOWMASTERKEYS", BOOL, 1, KEYS),
    (
        "service_discovery.default_cache_timeout",
        "SERVICEDISCOVERY_DEFAULTCACHETIMEOUT",
        INT,
        2,
        DISCOVERY,
    ),
    ("proxy_ssl_insecure_skip_verify", "PROXYSSLINSECURESKIPVERIFY", BOOL, 1, HONOURED),
    ("proxy_enable_http2", "PROXYENABLEHTTP2", BOOL, 1, HTTP2),
    ("proxy_ssl_min_version", "PROXYSSLMINVERSION", INT, 1, HONOURED),
    ("proxy_ssl_max_version", "PROXYSSLMAXVERSION", INT, 1, HONOURED),
    ("proxy_ssl_ciphers", "PROXYSSLCIPHERSUITES", LIST, 1, HONOURED),
    ("proxy_default_timeout", "PROXYDEFAULTTIMEOUT", FLOAT, 1, HONOURED),
    ("proxy_ssl_disable_renegotiation", "PROXYSSLDISABLERENEGOTIATION", BOOL, 1, RENEGOTIATION),
    ("proxy_close_connections", "PROXYCLOSECONNECTIONS", BOOL, 1, HONOURED),
    ("uptime_tests.disable", "UPTIMETESTS_DISABLE", BOOL, 2, UPTIME),
    ("uptime_tests.poller_group", "UPTIMETESTS_POLLERGROUP", STRING, 2, UPTIME),
    (
        "uptime_tests.config.failure_trigger_sample_size",
        "UPTIMETESTS_CONFIG_FAILURETRIGGERSAMPLESIZE",
        INT,
        2,
        UPTIME,
    ),
    ("uptime_tests.config.time_wait", "UPTIMETESTS_CONFIG_TIMEWAIT", INT, 2, UPTIME),
    ("uptime_tests.config.checker_pool_size", "UPTIMETESTS_CONFIG_CHECKERPOOLSIZE", INT, 2, UPTIME),
    (
        "uptime_tests.config.enable_uptime_analytics",
        "UPTIMETESTS_CONFIG_ENABLEUPTIMEANALYTICS",
        BOOL,
        2,
        UPTIME,
    ),
    ("health_check.enable_health_checks", "HEALTHCHECK_ENABLEHEALTHCHECKS", BOOL, 1, CONTROL_API),
    (
        "health_check.health_check_value_timeouts",
        "HEALTHCHECK_HEALTHCHECKVALUETIMEOUT",
        INT,
        1,
        CONTROL_API,
    ),
    ("health_check_endpoint_name", "HEALTHCHECKENDPOINTNAME", STRING, 1, HONOURED),
    ("readiness_check_endpoint_name", "READINESSCHECKENDPOINTNAME", STRING, 1, HONOURED),
    ("graceful_shutdown_timeout_duration", "GRACEFULSHUTDOWNTIMEOUTDURATION", INT, 1, HONOURED),
    ("graceful_shutdown_delay_seconds", "GRACEFULSHUTDOWNDELAYSECONDS", INT, 1, HONOURED),
    ("oauth_refresh_token_expire", "OAUTHREFRESHEXPIRE", INT, 2, OAUTH),
    ("oauth_token_expire", "OAUTHTOKENEXPIRE", INT, 2, OAUTH),
    ("oauth_token_expired_retain_period", "OAUTHTOKENEXPIREDRETAINPERIOD", INT, 2, OAUTH),
    ("oauth_redirect_uri_separator", "OAUTHREDIRECTURISEPARATOR", STRING, 2, OAUTH),
    ("oauth_error_status_code", "OAUTHERRORSTATUSCODE", INT, 2, OAUTH),
    ("enable_key_logging", "ENABLEKEYLOGGING", BOOL, 1, HONOURED),
    ("ssl_force_common_name_check", "SSLFORCECOMMONNAMECHECK", BOOL, 2, ACCEPTED),
    ("enable_analytics", "ENABLEANALYTICS", BOOL, 1, ANALYTICS),
    ("analytics_config.type", "ANALYTICSCONFIG_TYPE", STRING, 3, ANALYTICS),
    ("analytics_config.ignored_ips", "ANALYTICSCONFIG_IGNOREDIPS", LIST, 1, ANALYTICS),
    (
        "analytics_config.enable_detailed_recording",
        "ANALYTICSCONFIG_ENABLEDETAILEDRECORDING",
        BOOL,
        1,
        ANALYTICS,
    ),
    ("analytics_config.enable_geo_ip", "ANALYTICSCONFIG_ENABLEGEOIP", BOOL, 3, ANALYTICS),
    ("analytics_config.geo_ip_db_path", "ANALYTICSCONFIG_GEOIPDBLOCATION", STRING, 3, ANALYTICS),
    (
        "analytics_config.normalise_urls.enabled",
        "ANALYTICSCONFIG_NORMALISEURLS_ENABLED",
        BOOL,
        1,
        ANALYTICS,
    ),
    (
        "analytics_config.normalise_urls.normalise_uuids",
        "ANALYTICSCONFIG_NORMALISEURLS_NORMALISEUUIDS",
        BOOL,
        1,
        ANALYTICS,
    ),
    (
        "analytics_config.normalise_urls.normalise_ulids",
        "ANALYTICSCONFIG_NORMALISEURLS_NORMALISEULIDS",
        BOOL,
        1,
        ANALYTICS,
    ),
    (
        "analytics_config.normalise_urls.normalise_numbers",
        "ANALYTICSCONFIG_NORMALISEURLS_NORMALISENUMBERS",
        BOOL,
        1,
        ANALYTICS,
    ),
    (
        "analytics_config.normalise_urls.custom_patterns",
        "ANALYTICSCONFIG_NORMALISEURLS_CUSTOM",
        LIST,
        1,
        ANALYTICS,
    ),
    ("analytics_config.pool_size", "ANALYTICSCONFIG_POOLSIZE", INT, 1, ANALYTICS),
    (
        "analytics_config.records_buffer_size",
        "ANALYTICSCONFIG_RECORDSBUFFERSIZE",
        INT,
        1,
        ANALYTICS,
    ),
    (
        "analytics_config.storage_expiration_time",
        "ANALYTICSCONFIG_STORAGEEXPIRATIONTIME",
        INT,
        1,
        ANALYTICS,
    ),
    (
        "analytics_config.enable_multiple_analytics_keys",
        "ANALYTICSCONFIG_ENABLEMULTIPLEANALYTICSKEYS",
        BOOL,
        1,
        ANALYTICS,
    ),
    ("analytics_config.purge_interval", "ANALYTICSCONFIG_PURGEINTERVAL", FLOAT, 1, ANALYTICS),
    ("analytics_config.serializer_type", "ANALYTICSCONFIG_SERIALIZERTYPE", STRING, 1, ANALYTICS),
    ("enable_separate_analytics_store", "ENABLESEPERATEANALYTICSSTORE", BOOL, 2, ANALYTICS),
    ("liveness_check.check_duration", "LIVENESSCHECK_CHECKDURATION", DURATION, 1, ACCEPTED),
    ("dns_cache.enabled", "DNSCACHE_ENABLED", BOOL, 2, DNS_CACHE),
    ("dns_cache.ttl", "DNSCACHE_TTL", INT, 2, DNS_CACHE),
    (
        "dns_cache.multiple_ips_handle_strategy",
        "DNSCACHE_MULTIPLEIPSHANDLESTRATEGY",
        STRING,
        2,
        DNS_CACHE,
    ),
    ("disable_regexp_cache", "DISABLEREGEXPCACHE", BOOL, 2, ACCEPTED),
    ("regexp_cache_expire", "REGEXPCACHEEXPIRE", INT, 2, ACCEPTED),
    ("regexp_cache_max_entries", "REGEXPCACHEMAXENTRIES", INT, 2, ACCEPTED),
    ("disable_regexp_cache_bound", "DISABLEREGEXPCACHEBOUND", BOOL, 2, ACCEPTED),
    ("disable_auto_max_procs", "DISABLEAUTOMAXPROCS", BOOL, 3, ACCEPTED),
    (
        "local_session_cache.disable_cached_session_state",
        "LOCALSESSIONCACHE_DISABLECACHESESSIONSTATE",
        BOOL,
        1,
        ACCEPTED,
    ),
    (
        "local_session_cache.cached_session_timeout",
        "LOCALSESSIONCACHE_CACHEDSESSIONTIMEOUT",
        INT,
        1,
        ACCEPTED,
    ),
    (
        "local_session_cache.cached_session_eviction",
        "LOCALSESSIONCACHE_CACHESESSIONEVICTION",
        INT,
        1,
        ACCEPTED,
    ),
    ("enable_separate_cache_store", "ENABLESEPERATECACHESTORE", BOOL, 2, CACHE),
    ("enable_bundle_downloader", "ENABLEBUNDLEDOWNLOADER", BOOL, 1, BUNDLES),
    ("bundle_base_url", "BUNDLEBASEURL", STRING, 1, BUNDLES),
    ("bundle_insecure_skip_verify", "BUNDLEINSECURESKIPVERIFY", BOOL, 1, BUNDLES),
    ("skip_verify_existing_plugin_bundle", "SKIPVERIFYEXISTINGPLUGINBUNDLE", BOOL, 1, BUNDLES),
    ("enable_jsvm", "ENABLEJSVM", BOOL, 1, HONOURED),
    ("jsvm_timeout", "JSVMTIMEOUT", INT, 1, HONOURED),
    ("disable_virtual_path_blobs", "DISABLEVIRTUALPATHBLOBS", BOOL, 1, VIRTUAL),
    ("tyk_js_path", "TYKJSPATH", STRING, 1, HONOURED),
    ("middleware_path", "MIDDLEWAREPATH", STRING, 1, HONOURED),
    ("coprocess_options.enable_coprocess", "COPROCESSOPTIONS_ENABLECOPROCESS", BOOL, 1, HONOURED),
    (
        "coprocess_options.coprocess_grpc_server",
        "COPROCESSOPTIONS_COPROCESSGRPCSERVER",
        STRING,
        1,
        GRPC,
    ),
    ("coprocess_options.grpc_recv_max_size", "COPROCESSOPTIONS_GRPCRECVMAXSIZE", INT, 1, GRPC),
    ("coprocess_options.grpc_send_max_size", "COPROCESSOPTIONS_GRPCSENDMAXSIZE", INT, 1, GRPC),
    ("coprocess_options.grpc_authority", "COPROCESSOPTIONS_GRPCAUTHORITY", STRING, 1, GRPC),
    (
        "coprocess_options.grpc_round_robin_load_balancing",
        "COPROCESSOPTIONS_GRPCROUNDROBINLOADBALANCING",
        BOOL,
        1,
        GRPC,
    ),
    (
        "coprocess_options.python_path_prefix",
        "COPROCESSOPTIONS_PYTHONPATHPREFIX",
        STRING,
        1,
        PYTHON,
    ),
    ("coprocess_options.python_version", "COPROCESSOPTIONS_PYTHONVERSION", STRING, 1, PYTHON),
    ("ignore_endpoint_case", "IGNOREENDPOINTCASE", BOOL, 1, HONOURED),
    ("ignore_canonical_mime_header_key", "IGNORECANONICALMIMEHEADERKEY", BOOL, 1, HONOURED),
    ("log_level", "LOGLEVEL", STRING, 1, HONOURED),
    ("log_format", "LOGFORMAT", STRING, 1, HONOURED),
    ("access_logs.enabled", "ACCESSLOGS_ENABLED", BOOL, 2, HONOURED),
    ("access_logs.template", "ACCESSLOGS_TEMPLATE", LIST, 2, HONOURED),
    ("tracing.name", "TRACER_NAME", STRING, 3, METRICS),
    ("tracing.enabled", "TRACER_ENABLED", BOOL, 3, METRICS),
    ("tracing.options", "TRACER_OPTIONS", JSON, 3, METRICS),
    ("newrelic.app_name", "NEWRELIC_APPNAME", STRING, 3, METRICS),
    ("newrelic.license_key", "NEWRELIC_LICENSEKEY", STRING, 3, METRICS),
    ("newrelic.enable_distributed_tracing", "NEWRELIC_ENABLEDISTRIBUTEDTRACING", BOOL, 3, METRICS),
    ("enable_http_profiler", "HTTPPROFILE", BOOL, 2, ACCEPTED),
    ("use_redis_log", "USEREDISLOG", BOOL, 2, LOG_SINKS),
    ("use_sentry", "USESENTRY", BOOL, 2, LOG_SINKS),
    ("sentry_code", "SENTRYCODE", STRING, 2, LOG_SINKS),
    ("sentry_log_level", "SENTRYLOGLEVEL", STRING, 2, LOG_SINKS),
    ("use_syslog", "USESYSLOG", BOOL, 2, LOG_SINKS),
    ("syslog_transport", "SYSLOGTRANSPORT", STRING, 2, LOG_SINKS),
    ("syslog_network_addr", "SYSLOGNETWORKADDR", STRING, 2, LOG_SINKS),
    ("use_graylog", "USEGRAYLOG", BOOL, 2, LOG_SINKS),
    ("graylog_network_addr", "GRAYLOGNETWORKADDR", STRING, 2, LOG_SINKS),
    ("use_logstash", "USELOGSTASH", BOOL, 2, LOG_SINKS),
    ("logstash_transport", "LOGSTASHTRANSPORT", STRING, 2, LOG_SINKS),
    ("logstash_network_addr", "LOGSTASHNETWORKADDR", STRING, 2, LOG_SINKS),
    ("track_404_logs", "TRACK404LOGS", BOOL, 1, HONOURED),
    ("statsd_connection_string", "STATSDCONNECTIONSTRING", STRING, 2, METRICS),
    ("statsd_prefix", "STATSDPREFIX", STRING, 2, METRICS),
    ("event_handlers", "EVENTHANDLERS", JSON, 1, EVENTS),
    ("event_trigers_defunct", "EVENTTRIGGERS", JSON, 3, ACCEPTED),
    ("event_triggers_defunct", "EVENTTRIGGERSDEFUNCT", JSON, 3, ACCEPTED),
    ("hide_generator_header", "HIDEGENERATORHEADER", BOOL, 1, HONOURED),
    ("suppress_default_org_store", "SUPRESSDEFAULTORGSTORE", BOOL, 3, ACCEPTED),
    ("legacy_enable_allowance_countdown", "LEGACYENABLEALLOWANCECOUNTDOWN", BOOL, 2, KEYS),
    ("force_global_session_lifetime", "FORCEGLOBALSESSIONLIFETIME", BOOL, 1, KEYS),
    (
        "session_lifetime_respects_key_expiration",
        "SESSIONLIFETIMERESPECTSKEYEXPIRATION",
        BOOL,
        1,
        KEYS,
    ),
    ("global_session_lifetime", "GLOBALSESSIONLIFETIME", INT, 1, KEYS),
    ("kv.consul.address", "KV_CONSUL_ADDRESS", STRING, 2, SECRET_STORES),
    ("kv.consul.scheme", "KV_CONSUL_SCHEME", STRING, 2, SECRET_STORES),
    ("kv.consul.datacenter", "KV_CONSUL_DATACENTER", STRING, 2, SECRET_STORES),
    ("kv.consul.http_auth.username", "KV_CONSUL_HTTPAUTH_USERNAME", STRING, 2, SECRET_STORES),
    ("kv.consul.http_auth.password", "KV_CONSUL_HTTPAUTH_PASSWORD", STRING, 2, SECRET_STORES),
    ("kv.consul.wait_time", "KV_CONSUL_WAITTIME", DURATION, 2, SECRET_STORES),
    ("kv.consul.token", "KV_CONSUL_TOKEN", STRING, 2, SECRET_STORES),
    ("kv.consul.tls_config.address", "KV_CONSUL_TLSCONFIG_ADDRESS", STRING, 2, SECRET_STORES),
    ("kv.consul.tls_config.ca_file", "KV_CONSUL_TLSCONFIG_CAFILE", STRING, 2, SECRET_STORES),
    ("kv.consul.tls_config.ca_path", "KV_CONSUL_TLSCONFIG_CAPATH", STRING, 2, SECRET_STORES),
    ("kv.consul.tls_config.cert_file", "KV_CONSUL_TLSCONFIG_CERTFILE", STRING, 2, SECRET_STORES),
    ("kv.consul.tls_config.key_file", "KV_CONSUL_TLSCONFIG_KEYFILE", STRING, 2, SECRET_STORES),
    (
        "kv.consul.tls_config.insecure_skip_verify",
        "KV_CONSUL_TLSCONFIG_INSECURESKIPVERIFY",
        BOOL,
        2,
        SECRET_STORES,
    ),
    ("kv.vault.address", "KV_VAULT_ADDRESS", STRING, 2, SECRET_STORES),
    ("kv.vault.agent_address", "KV_VAULT_AGENTADDRESS", STRING, 2, SECRET_STORES),
    ("kv.vault.max_retries", "KV_VAULT_MAXRETRIES", INT, 2, SECRET_STORES),
    ("kv.vault.timeout", "KV_VAULT_TIMEOUT", DURATION, 2, SECRET_STORES),
    ("kv.vault.token", "KV_VAULT_TOKEN", STRING, 2, SECRET_STORES),
    ("kv.vault.kv_version", "KV_VAULT_KVVERSION", INT, 2, SECRET_STORES),
    ("kv.file.base_path", "KV_FILE_BASEPATH", STRING, 2, HONOURED),
    ("kv.stores", "KV_STORES", JSON, 2, SECRET_STORES),
    ("secrets", "SECRETS", MAP, 1, HONOURED),
    ("override_messages", "OVERRIDEMESSAGES", JSON, 1, OVERRIDES),
    ("error_overrides", "ERROROVERRIDES", JSON, 1, OVERRIDES),
    ("cloud", "CLOUD", BOOL, 3, ACCEPTED),
    ("jwt_ssl_insecure_skip_verify", "JWTSSLINSECURESKIPVERIFY", BOOL, 2, JWT),
    ("resource_sync.retry_attempts", "RESOURCESYNC_RETRYATTEMPTS", INT, 3, DASHBOARD),
    ("resource_sync.interval", "RESOURCESYNC_INTERVAL", INT, 3, DASHBOARD),
    ("enable_leaky_bucket_rate_limiter", "ENABLELEAKYBUCKETRATELIMITER", BOOL, 3, ACCEPTED),
    ("enable_token_bucket_rate_limiter", "ENABLETOKENBUCKETRATELIMITER", BOOL, 3, ACCEPTED),
    ("enable_sliding_window_rate_limiter", "ENABLESLIDINGWINDOWRATELIMITER", BOOL, 3, ACCEPTED),
    ("enable_rate_limiter_storage", "ENABLERATELIMITERSTORAGE", BOOL, 3, ACCEPTED),
    ("oas_config.validate_examples", "OAS_VALIDATEEXAMPLES", BOOL, 2, OAS),
    ("oas_config.validate_schema_defaults", "OAS_VALIDATESCHEMADEFAULTS", BOOL, 2, OAS),
    ("streaming.enabled", "STREAMING_ENABLED", BOOL, 3, STREAMING),
    ("streaming.allow_unsafe", "STREAMING_ALLOWUNSAFE", LIST, 3, STREAMING),
    ("labs", "LABS", JSON, 3, ACCEPTED),
    ("jwks.cache.timeout", "JWKS_CACHE_TIMEOUT", INT, 2, JWT),
    ("allow_unsafe_policy_ids", "ALLOWUNSAFEPOLICYIDS", BOOL, 3, POLICIES),
    ("opentelemetry.enabled", "OPENTELEMETRY_ENABLED", BOOL, 2, TELEMETRY),
    ("opentelemetry.exporter", "OPENTELEMETRY_EXPORTER", STRING, 2, TELEMETRY),
    ("opentelemetry.endpoint", "OPENTELEMETRY_ENDPOINT", STRING, 2, TELEMETRY),
    ("opentelemetry.headers", "OPENTELEMETRY_HEADERS", MAP, 2, TELEMETRY),
    ("opentelemetry.connection_timeout", "OPENTELEMETRY_CONNECTIONTIMEOUT", INT, 2, TELEMETRY),
    ("opentelemetry.resource_name", "OPENTELEMETRY_RESOURCENAME", STRING, 2, TELEMETRY),
    ("opentelemetry.span_processor_type", "OPENTELEMETRY_SPANPROCESSORTYPE", STRING, 2, TELEMETRY),
    (
        "opentelemetry.span_batch_config.max_queue_size",
        "OPENTELEMETRY_SPANBATCHCONFIG_MAXQUEUESIZE",
        INT,
        2,
        TELEMETRY,
    ),
    (
        "opentelemetry.span_batch_config.max_export_batch_size",
        "OPENTELEMETRY_SPANBATCHCONFIG_MAXEXPORTBATCHSIZE",
        INT,
        2,
        TELEMETRY,
    ),
    (
        "opentelemetry.span_batch_config.batch_timeout",
        "OPENTELEMETRY_SPANBATCHCONFIG_BATCHTIMEOUT",
        INT,
        2,
        TELEMETRY,
    ),
    ("opentelemetry.context_propagation", "OPENTELEMETRY_CONTEXTPROPAGATION", STRING, 2, TELEMETRY),
    ("opentelemetry.custom_trace_header", "OPENTELEMETRY_CUSTOMTRACEHEADER", STRING, 2, TELEMETRY),
    ("opentelemetry.tls.enable", "OPENTELEMETRY_TLS_ENABLE", BOOL, 2, TELEMETRY),
    (
        "opentelemetry.tls.insecure_skip_verify",
        "OPENTELEMETRY_TLS_INSECURESKIPVERIFY",
        BOOL,
        2,
        TELEMETRY,
    ),
    ("opentelemetry.tls.ca_file", "OPENTELEMETRY_TLS_CAFILE", STRING, 2, TELEMETRY),
    ("opentelemetry.tls.cert_file", "OPENTELEMETRY_TLS_CERTFILE", STRING, 2, TELEMETRY),
    ("opentelemetry.tls.key_file", "OPENTELEMETRY_TLS_KEYFILE", STRING, 2, TELEMETRY),
    ("opentelemetry.tls.max_version", "OPENTELEMETRY_TLS_MAXVERSION", STRING, 2, TELEMETRY),
    ("opentelemetry.tls.min_version", "OPENTELEMETRY_TLS_MINVERSION", STRING, 2, TELEMETRY),
    ("opentelemetry.sampling.type", "OPENTELEMETRY_SAMPLING_TYPE", STRING, 2, TELEMETRY),
    ("opentelemetry.sampling.rate", "OPENTELEMETRY_SAMPLING_RATE", FLOAT, 2, TELEMETRY),
    (
        "opentelemetry.sampling.parent_based",
        "OPENTELEMETRY_SAMPLING_PARENTBASED",
        BOOL,
        2,
        TELEMETRY,
    ),
    ("opentelemetry.metrics.enabled", "OPENTELEMETRY_METRICS_ENABLED", BOOL, 2, TELEMETRY),
    ("opentelemetry.metrics.api_metrics", "OPENTELEMETRY_METRICS_APIMETRICS", JSON, 2, TELEMETRY),
)

_OURS: tuple[_Row, ...] = (
    ("workers", "WORKERS", INT, 1, HONOURED),
    ("proxy_ssl_ca_file", "PROXYSSLCAFILE", STRING, 1, HONOURED),
    ("http_limits.max_head_bytes", "HTTPLIMITS_MAXHEADBYTES", INT, 1, HONOURED),
    ("http_limits.max_header_count", "HTTPLIMITS_MAXHEADERCOUNT", INT, 1, HONOURED),
    ("http_limits.header_timeout_s", "HTTPLIMITS_HEADERTIMEOUTS", INT, 1, HONOURED),
    ("http_limits.idle_timeout_s", "HTTPLIMITS_IDLETIMEOUTS", INT, 1, HONOURED),
    ("http_limits.max_body_bytes", "HTTPLIMITS_MAXBODYBYTES", INT, 1, HONOURED),
    ("http_limits.max_connections", "HTTPLIMITS_MAXCONNECTIONS", INT, 1, HONOURED),
    ("http_limits.upstream_idle_timeout_s", "HTTPLIMITS_UPSTREAMIDLETIMEOUTS", INT, 1, HONOURED),
    ("javascript.loop_budget_ms", "JAVASCRIPT_LOOPBUDGETMS", INT, 1, HONOURED),
    ("javascript.memory_mb", "JAVASCRIPT_MEMORYMB", INT, 1, HONOURED),
    ("javascript.stack_kb", "JAVASCRIPT_STACKKB", INT, 1, HONOURED),
    ("javascript.max_processes", "JAVASCRIPT_MAXPROCESSES", INT, 1, HONOURED),
    ("javascript.isolation", "JAVASCRIPT_ISOLATION", STRING, 1, HONOURED),
    (
        "coprocess_options.coprocess_command",
        "COPROCESSOPTIONS_COPROCESSCOMMAND",
        STRING,
        1,
        HONOURED,
    ),
    ("coprocess_options.coprocess_args", "COPROCESSOPTIONS_COPROCESSARGS", LIST, 1, HONOURED),
    ("coprocess_options.coprocess_cwd", "COPROCESSOPTIONS_COPROCESSCWD", STRING, 1, HONOURED),
    ("coprocess_options.coprocess_env", "COPROCESSOPTIONS_COPROCESSENV", MAP, 1, HONOURED),
    (
        "coprocess_options.coprocess_framing",
        "COPROCESSOPTIONS_COPROCESSFRAMING",
        STRING,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_timeout_ms",
        "COPROCESSOPTIONS_COPROCESSTIMEOUTMS",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_init_timeout_ms",
        "COPROCESSOPTIONS_COPROCESSINITTIMEOUTMS",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_max_in_flight",
        "COPROCESSOPTIONS_COPROCESSMAXINFLIGHT",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_max_queue",
        "COPROCESSOPTIONS_COPROCESSMAXQUEUE",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_max_message_size",
        "COPROCESSOPTIONS_COPROCESSMAXMESSAGESIZE",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_restart.initial_ms",
        "COPROCESSOPTIONS_COPROCESSRESTART_INITIALMS",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_restart.factor",
        "COPROCESSOPTIONS_COPROCESSRESTART_FACTOR",
        FLOAT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_restart.max_ms",
        "COPROCESSOPTIONS_COPROCESSRESTART_MAXMS",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_restart.jitter",
        "COPROCESSOPTIONS_COPROCESSRESTART_JITTER",
        FLOAT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_restart.reset_after_s",
        "COPROCESSOPTIONS_COPROCESSRESTART_RESETAFTERS",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_stop_timeout_s",
        "COPROCESSOPTIONS_COPROCESSSTOPTIMEOUTS",
        INT,
        1,
        HONOURED,
    ),
    (
        "coprocess_options.coprocess_allow_bundle_exec",
        "COPROCESSOPTIONS_COPROCESSALLOWBUNDLEEXEC",
        BOOL,
        1,
        BUNDLES,
    ),
)
"""Keys that Tyk does not have."""

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "policies.policy_source": ("file",),
    "analytics_config.type": ("redis",),
    "rate_limit_response_headers": ("quotas",),
    "basic_auth_hash_key_function": ("bcrypt",),
    "dns_cache.multiple_ips_handle_strategy": ("no_cache",),
    "uptime_tests.disable": (True,),
    "event_handlers": ({"events": {}}, {"events": None}),
}

# A key below the left path asks for nothing while the right one is off.
_SWITCHES: dict[str, str] = {
    "storage.": "storage.type",
    "analytics_storage.": "enable_separate_analytics_store",
    "cache_storage.": "enable_separate_cache_store",
    "rate_limiter_storage.": "enable_rate_limiter_storage",
    "analytics_config.": "enable_analytics",
    "dns_cache.": "dns_cache.enabled",
    "enable_bundle_downloader": "bundle_base_url",
    "bundle_insecure_skip_verify": "bundle_base_url",
    "skip_verify_existing_plugin_bundle": "bundle_base_url",
    "public_key_path": "bundle_base_url",
    "coprocess_options.grpc_": "coprocess_options.coprocess_grpc_server",
    "global_session_lifetime": "force_global_session_lifetime",
    "monitor.": "monitor.enable_trigger_monitors",
    "health_check.": "health_check.enable_health_checks",
    "opentelemetry.": "opentelemetry.enabled",
    "tracing.": "tracing.enabled",
    "slave_options.": "slave_options.use_rpc",
    "db_app_conf_options.": "use_db_app_configs",
    "resource_sync.": "use_db_app_configs",
    "streaming.": "streaming.enabled",
    "policies.policy_record_name": "policies.policy_source",
    "security.certificate_expiry_monitor.": "security.private_certificate_encoding_secret",
    "uptime_tests.": "uptime_tests.config.enable_uptime_analytics",
    "sentry_": "use_sentry",
    "syslog_": "use_syslog",
    "graylog_": "use_graylog",
    "logstash_": "use_logstash",
    "statsd_prefix": "statsd_connection_string",
}

# Keys of older releases and of published sample files: nothing was ever lost by ignoring them.
DEAD_KEYS = frozenset(
    {
        "allow_explicit_policy_id",
        "analytics_config.csv_dir",
        "analytics_config.mongo_collection",
        "analytics_config.mongo_db_name",
        "analytics_config.mongo_url",
        "analytics_config.purge_delay",
        "close_idle_connections",
        "dns_cache.check_interval",
        "enable_api_segregation",
        "http_server_options.override_defaults",
        "http_server_options.use_ssl_le",
        "optimisations_use_async_session_write",
        "override_defaults",
        "purge_delay",
        "session_update_buffer_size",
        "session_update_pool_size",
        "use_async_session_write",
        "use_ssl_le",
    }
)


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """An object of the file: its members by key."""

    members: dict[str, KeyGroup | Key] = field(default_factory=dict)


def _repeat(prefix: str, rows: tuple[_Row, ...], tier: int, feature: Feature) -> tuple[_Row, ...]:
    env = prefix.replace("_", "").replace(".", "_").upper()
    return tuple(
        (f"{prefix}.{path}", f"{env}_{name}", kind, tier, feature)
        for path, name, kind, _, _ in rows
    )


def _outbound_rows() -> tuple[_Row, ...]:
    rows: list[_Row] = []
    for service in ("oauth", "storage", "webhooks", "health", "discovery"):
        env = f"EXTERNALSERVICES_{service.upper()}"
        rows += [
            (f"external_services.{service}.{path}", f"{env}_{name}", kind, tier, status)
            for path, name, kind, tier, status in _OUTBOUND
        ]
    return tuple(rows)


def _storage_rows() -> tuple[_Row, ...]:
    own = tuple(
        (f"storage.{path}", f"STORAGE_{name}", kind, tier, status)
        for path, name, kind, tier, status in _STORAGE
    )
    return (
        *own,
        *_repeat("analytics_storage", _STORAGE, 2, ANALYTICS),
        *_repeat("cache_storage", _STORAGE, 2, CACHE),
        *_repeat("rate_limiter_storage", _STORAGE, 3, RATE_LIMITS),
    )


def _key(row: _Row) -> Key:
    path, env, kind, tier, status = row
    switches = [switch for prefix, switch in _SWITCHES.items() if path.startswith(prefix)]
    switch = switches[0] if switches and switches[0] != path else ""
    return Key(path, ENV_PREFIX + env, kind, tier, status, _NEUTRAL.get(path, ()), switch)


def _tree(keys: tuple[Key, ...]) -> KeyGroup:
    root = KeyGroup()
    for key in keys:
        *parents, name = key.path.split(".")
        group = root
        for parent in parents:
            below = group.members.setdefault(parent, KeyGroup())
            assert isinstance(below, KeyGroup), key.path
            group = below
        assert name not in group.members, key.path
        group.members[name] = key
    return root


ALL_KEYS: tuple[Key, ...] = tuple(
    _key(row) for row in (*_TYK, *_storage_rows(), *_outbound_rows(), *_OURS)
)
BY_PATH: dict[str, Key] = {key.path: key for key in ALL_KEYS}
BY_ENV: dict[str, Key] = {key.env: key for key in ALL_KEYS}
ROOT: KeyGroup = _tree(ALL_KEYS)
