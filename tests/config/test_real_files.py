"""What real configuration files contain: it must start unchanged (gateway-core 1.8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from propylon.config.load import load_config

EXAMPLE: dict[str, Any] = {
    "listen_address": "",
    "listen_port": 8080,
    "secret": "352d20ee67be67f6340b4c0605b044b7",
    "template_path": "/opt/tyk-gateway/templates",
    "use_db_app_configs": False,
    "app_path": "/opt/tyk-gateway/apps",
    "middleware_path": "/opt/tyk-gateway/middleware",
    "storage": {
        "type": "redis",
        "host": "redis",
        "port": 6379,
        "username": "",
        "password": "",
        "database": 0,
        "optimisation_max_idle": 2000,
        "optimisation_max_active": 4000,
    },
    "enable_analytics": False,
    "analytics_config": {"type": "", "ignored_ips": []},
    "dns_cache": {"enabled": False, "ttl": 3600, "check_interval": 60},
    "allow_master_keys": False,
    "policies": {"policy_source": "file"},
    "hash_keys": True,
    "hash_key_function": "murmur64",
    "suppress_redis_signal_reload": False,
    "force_global_session_lifetime": False,
    "max_idle_connections_per_host": 500,
    "http_server_options": {
        "enable_strict_routes": True,
        "enable_path_prefix_matching": True,
        "enable_path_suffix_matching": True,
        "xff_depth": 1,
    },
}

STANDALONE: dict[str, Any] = {
    "listen_port": 8080,
    "secret": "352d20ee67be67f6340b4c0605b044b7",
    "template_path": "/opt/tyk-gateway/templates",
    "tyk_js_path": "/opt/tyk-gateway/js/tyk.js",
    "middleware_path": "/opt/tyk-gateway/middleware",
    "use_db_app_configs": False,
    "app_path": "/opt/tyk-gateway/apps/",
    "storage": {
        "type": "redis",
        "host": "tyk-redis",
        "port": 6379,
        "username": "",
        "password": "",
        "database": 0,
        "optimisation_max_idle": 2000,
        "optimisation_max_active": 4000,
    },
    "enable_analytics": False,
    "analytics_config": {"type": "", "ignored_ips": []},
    "health_check": {"enable_health_checks": False, "health_check_value_timeouts": 60},
    "policies": {"policy_source": "file", "policy_path": "/opt/tyk-gateway/policies"},
    "enable_non_transactional_rate_limiter": True,
    "enable_sentinel_rate_limiter": False,
    "enable_redis_rolling_limiter": False,
    "allow_master_keys": False,
    "hash_keys": True,
    "close_connections": False,
    "http_server_options": {"enable_websockets": True},
    "allow_insecure_configs": True,
    "coprocess_options": {"enable_coprocess": True, "coprocess_grpc_server": ""},
    "enable_bundle_downloader": True,
    "bundle_base_url": "",
    "global_session_lifetime": 100,
    "force_global_session_lifetime": False,
    "max_idle_connections_per_host": 500,
    "enable_jsvm": True,
}

STANDALONE_TLS: dict[str, Any] = {
    **STANDALONE,
    "policies": {"policy_source": "file", "policy_record_name": "/opt/policies.json"},
    "http_server_options": {
        "enable_websockets": True,
        "use_ssl": True,
        "certificates": [
            {"domain_name": "localhost", "cert_file": "/certs/c.pem", "key_file": "/certs/k.pem"}
        ],
        "use_ssl_le": False,
        "override_defaults": True,
    },
    "server_name": "www.example.org",
    "min_version": 771,
    "flush_interval": 1,
    "ssl_insecure_skip_verify": True,
    "use_ssl_le": False,
    "override_defaults": True,
    "analytics_config": {"type": "", "purge_delay": 10, "ignored_ips": []},
}

DEMO: dict[str, Any] = {
    **STANDALONE,
    "template_path": "./templates",
    "storage": {"type": "redis", "host": "tyk-redis", "hosts": None, "port": 6379},
    "Monitor": {
        "enable_trigger_monitors": False,
        "configuration": {"method": "POST", "target_path": "", "header_map": None},
        "global_trigger_limit": 0,
    },
    "secrets": {"upstream": "http://httpbin:80"},
    "optimisations_use_async_session_write": True,
    "close_idle_connections": True,
    "enable_api_segregation": False,
    "local_session_cache": {"disable_cached_session_state": True},
}


@pytest.mark.parametrize(
    "content",
    [EXAMPLE, STANDALONE, STANDALONE_TLS, DEMO],
    ids=["example", "standalone", "standalone-tls", "demo"],
)
def test_it_starts_unchanged(tmp_path: Path, content: dict[str, Any]) -> None:
    file = tmp_path / "tyk.conf"
    file.write_text(json.dumps(content))
    loaded = load_config(str(file), {})
    assert loaded.config.listen_port == 8080
    assert loaded.config.storage.optimisation_max_active in (500, 4000)
    unknown = [notice for notice in loaded.notices if "unknown key" in notice]
    if content is not STANDALONE_TLS:
        assert unknown == []
        return
    # Keys at the top that belong into http_server_options.
    names = ["server_name", "min_version", "flush_interval", "ssl_insecure_skip_verify"]
    assert [notice.split(":")[0] for notice in unknown] == [f"$.{name}" for name in names]
    assert loaded.config.http_server_options.ssl_insecure_skip_verify is False


def test_what_real_files_ask_for_in_vain_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tyk.conf"
    file.write_text(json.dumps(STANDALONE))
    notices = "\n".join(load_config(str(file), {}).notices)
    for name in ("storage.type", "hash_keys", "policies.policy_path"):
        assert name in notices
    for name in ("bundle", "global_session_lifetime", "health_check", "grpc", "secret:"):
        assert name not in notices
