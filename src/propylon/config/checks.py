"""What a well-typed configuration must still fulfil, and the values that zero stands for.

`settle` replaces the zeroes that mean "the default" (gateway-core 1.2); `check` records what
contradicts itself or cannot be honoured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from propylon.config.json_text import describe
from propylon.config.model import Config, HttpServerOptions
from propylon.config.problems import Problems

# Tyk's own words: operators search for them.
NO_REDIS = (
    "Redis connection details not set, please ensure that the storage type is set to Redis and "
    "that the connection parameters are correct."
)

_TLS_VERSIONS = (769, 770, 771, 772)
_LOG_LEVELS = ("debug", "info", "warn", "error")
_LOG_FORMATS = ("text", "json", "legacy")
_HASHES = ("", "murmur32", "murmur64", "murmur128", "sha256")

_CHOICES: dict[str, Sequence[str]] = {
    "log_level": _LOG_LEVELS,
    "log_format": _LOG_FORMATS,
    "hash_key_function": _HASHES,
    "rate_limit_response_headers": ("quotas", "rate_limits"),
    "javascript.isolation": ("auto", "fresh"),
    "coprocess_options.coprocess_framing": ("newline", "content-length"),
}

# Lowest and highest value that makes sense.
_PORT = (0, 65_535)
_COUNT = (1, 2**31)
_NOT_NEGATIVE = (0, 2**62)
# More than a day is a slip of the unit: milliseconds or nanoseconds.
_SECONDS = (0, 86_400)
_RANGES: dict[str, tuple[float, float]] = {
    "listen_port": _PORT,
    "control_api_port": _PORT,
    "workers": (0, 1024),
    "graceful_shutdown_timeout_duration": _SECONDS,
    "graceful_shutdown_delay_seconds": _SECONDS,
    "proxy_default_timeout": _SECONDS,
    "max_idle_connections": _NOT_NEGATIVE,
    "max_idle_connections_per_host": _NOT_NEGATIVE,
    "max_conn_time": _NOT_NEGATIVE,
    "http_server_options.read_timeout": _SECONDS,
    "http_server_options.write_timeout": _SECONDS,
    "http_server_options.max_request_body_size": _NOT_NEGATIVE,
    "http_limits.max_head_bytes": (1024, 2**24),
    "http_limits.max_header_count": _COUNT,
    "http_limits.header_timeout_s": _COUNT,
    "http_limits.idle_timeout_s": _COUNT,
    "http_limits.max_body_bytes": _COUNT,
    "http_limits.max_connections": _COUNT,
    "http_limits.upstream_idle_timeout_s": _COUNT,
    "javascript.loop_budget_ms": _COUNT,
    "javascript.memory_mb": (1, 2**16),
    "javascript.stack_kb": (64, 2**16),
    "javascript.max_processes": (1, 256),
    "coprocess_options.coprocess_timeout_ms": _COUNT,
    "coprocess_options.coprocess_init_timeout_ms": _COUNT,
    "coprocess_options.coprocess_max_in_flight": (1, 65_536),
    "coprocess_options.coprocess_max_queue": (0, 2**20),
    "coprocess_options.coprocess_max_message_size": (1024, 2**31),
    "coprocess_options.coprocess_stop_timeout_s": (0, 3600),
    "coprocess_options.coprocess_restart.initial_ms": _COUNT,
    "coprocess_options.coprocess_restart.factor": (1, 100),
    "coprocess_options.coprocess_restart.max_ms": _COUNT,
    "coprocess_options.coprocess_restart.jitter": (0, 1),
    "coprocess_options.coprocess_restart.reset_after_s": _NOT_NEGATIVE,
}


def settle(config: Config, set_paths: frozenset[str]) -> Config:
    """Replace zeroes that stand for a default; `set_paths` are the keys that were given."""
    server = _settle_server(config.http_server_options)
    plugins = config.coprocess_options
    if "coprocess_options.coprocess_timeout_ms" not in set_paths:
        plugins = msgspec.structs.replace(plugins, coprocess_timeout_ms=server.write_timeout * 1000)
    return msgspec.structs.replace(
        config,
        http_server_options=server,
        coprocess_options=plugins,
        health_check_endpoint_name=config.health_check_endpoint_name.strip("/") or "hello",
        readiness_check_endpoint_name=config.readiness_check_endpoint_name.strip("/") or "ready",
        liveness_check=config.liveness_check
        if config.liveness_check.check_duration > 0
        else type(config.liveness_check)(),
        graceful_shutdown_timeout_duration=config.graceful_shutdown_timeout_duration or 30,
        proxy_default_timeout=config.proxy_default_timeout or 30.0,
        proxy_ssl_min_version=config.proxy_ssl_min_version or 771,
        proxy_ssl_max_version=config.proxy_ssl_max_version or 772,
        reload_interval=max(config.reload_interval, 1),
        drl_threshold=config.drl_threshold or 5.0,
        drl_notification_frequency=config.drl_notification_frequency or 2,
        min_token_length=config.min_token_length if config.min_token_length > 0 else 3,
        jsvm_timeout=config.jsvm_timeout if config.jsvm_timeout > 0 else 5,
        rate_limit_response_headers=config.rate_limit_response_headers or "quotas",
        log_level=config.log_level.lower() or "info",
        log_format=config.log_format.lower() or "text",
    )


def check(config: Config, written: Mapping[str, Any], problems: Problems) -> None:
    """Record every value that cannot be honoured; `written` are the values as they were given."""
    for path, choices in _CHOICES.items():
        _expect(path, _value(config, path), choices, problems)
    for path, (lowest, highest) in _RANGES.items():
        value = _value(config, path)
        if not lowest <= value <= highest:
            shown = describe(written.get(path, value))
            problems.add(f"$.{path}", f"{shown}, expected {lowest} to {highest}")
    _check_tls_versions(config, problems)
    _check_storage(config, problems)
    _check_modes(config, problems)


def _settle_server(server: HttpServerOptions) -> HttpServerOptions:
    return msgspec.structs.replace(
        server,
        read_timeout=server.read_timeout or 120,
        write_timeout=server.write_timeout or 120,
        min_version=server.min_version or 771,
        max_version=server.max_version or 772,
    )


def _value(config: Config, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _expect(path: str, value: str, choices: Sequence[str], problems: Problems) -> None:
    if value not in choices:
        names = ", ".join(choice for choice in choices if choice)
        problems.add(f"$.{path}", f"{describe(value)}, expected one of {names}")


def _check_tls_versions(config: Config, problems: Problems) -> None:
    limits = (
        ("http_server_options.min_version", "http_server_options.max_version"),
        ("proxy_ssl_min_version", "proxy_ssl_max_version"),
    )
    for low_path, high_path in limits:
        low, high = _value(config, low_path), _value(config, high_path)
        for path, version in ((low_path, low), (high_path, high)):
            if version not in _TLS_VERSIONS:
                problems.add(f"$.{path}", f"{version}, expected 769 (TLS 1.0) to 772 (TLS 1.3)")
        if low > high:
            problems.add(f"$.{low_path}", f"{low}, expected at most {high_path}, which is {high}")


def _check_storage(config: Config, problems: Problems) -> None:
    if config.storage.type not in ("", "redis"):
        value = describe(config.storage.type)
        problems.add("$.storage.type", f"{value}, expected redis or nothing. {NO_REDIS}")


def _check_modes(config: Config, problems: Problems) -> None:
    if config.use_db_app_configs:
        problems.add("$.use_db_app_configs", "true, expected false: APIs are loaded from files")
    if config.ssl_force_common_name_check and config.proxy_ssl_insecure_skip_verify:
        problems.add(
            "$.ssl_force_common_name_check",
            "true, expected false while proxy_ssl_insecure_skip_verify is true: names cannot be "
            "checked without verification",
        )
