"""Loading `tyk.conf`: which file, which default, which mistake, which notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from propylon.config.load import LoadedConfig, load_config
from propylon.config.model import Config
from propylon.config.problems import ConfigErrors
from propylon.errors import ConfigError


def load(tmp_path: Path, content: dict[str, Any], **environ: str) -> LoadedConfig:
    file = tmp_path / "tyk.conf"
    file.write_text(json.dumps(content))
    return load_config(str(file), environ)


def mistakes(tmp_path: Path, content: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, content)
    error = raised.value
    errors = error.errors if isinstance(error, ConfigErrors) else (error,)
    assert all(each.source == str(tmp_path / "tyk.conf") for each in errors)
    return [f"{each.path}: {each.message}" for each in errors]


def test_row_001_the_given_file_is_the_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tyk.conf").write_text('{"listen_port": 1}')
    (tmp_path / "other.conf").write_text('{"listen_port": 2}')
    assert load_config(None, {}).config.listen_port == 1
    assert load_config(None, {}).source == "tyk.conf"
    assert load_config("other.conf", {}).config.listen_port == 2
    with pytest.raises(ConfigError, match=r"none\.conf: cannot be read: No such file"):
        load_config("none.conf", {})


def test_row_002_without_a_file_the_defaults_count_and_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load_config(None, {})
    assert loaded == LoadedConfig(Config(), "", ())
    assert list(tmp_path.iterdir()) == []


def test_row_003_absent_keys_have_the_built_in_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, {"hash_keys": False}).config
    assert config == Config()
    assert (config.listen_port, config.template_path, config.app_path) == (
        8080,
        "templates",
        "apps/",
    )


def test_row_004_key_case_is_irrelevant_and_unknown_keys_are_noticed(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "LISTEN_PORT": 9,
            "http_server_options": {"Read_Timeout": 3, "read_timeuot": 4},
            "flush_interval": 1,
            "use_ssl_le": True,
            "_comment": "none",
            "zzz": {},
        },
    )
    assert loaded.config.listen_port == 9
    assert loaded.config.http_server_options.read_timeout == 3
    assert loaded.notices == (
        (
            "$.http_server_options.read_timeuot: unknown key, ignored; "
            "did you mean http_server_options.read_timeout?"
        ),
        "$.flush_interval: unknown key, ignored; did you mean http_server_options.flush_interval?",
        "$.zzz: unknown key, ignored",
    )


def test_row_005_the_environment_overrides_the_file(tmp_path: Path) -> None:
    content = {"listen_port": 1, "app_path": "x", "storage": {"host": "a", "port": 1}}
    environ = {"TYK_GW_LISTENPORT": "0x50", "TYK_GW_STORAGE_HOST": "b"}
    config = load(tmp_path, content, **environ).config
    assert (config.listen_port, config.app_path) == (80, "x")
    assert (config.storage.host, config.storage.port) == ("b", 1)
    assert load(tmp_path, content, TYK_GW_OMITCONFIGFILE="1").config == Config()


def test_the_environment_mends_a_bad_value_of_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, {"listen_port": "x"}, TYK_GW_LISTENPORT="7").config.listen_port == 7


def test_row_007_storage_types(tmp_path: Path) -> None:
    for kind in ("mongo", "Redis"):
        (mistake,) = mistakes(tmp_path, {"storage": {"type": kind}})
        assert mistake.startswith(f'$.storage.type: "{kind}", expected redis or nothing. ')
        assert mistake.endswith(
            "Redis connection details not set, please ensure that the storage type is set to "
            "Redis and that the connection parameters are correct."
        )
    assert load(tmp_path, {"storage": {"type": "redis"}}).notices[0].startswith("storage.type: ")


def test_row_010_the_flag_overrides_everything(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text('{"listen_port": 1}')
    loaded = load_config(str(file), {"TYK_GW_LISTENPORT": "2"}, port=3)
    assert loaded.config.listen_port == 3
    with pytest.raises(ConfigError, match=r"--port: \$\.listen_port: 70000, expected 0 to 65535"):
        load_config(str(file), {}, port=70000)


def test_row_011_zeroes_that_stand_for_a_default(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        {
            "health_check_endpoint_name": "",
            "readiness_check_endpoint_name": "",
            "liveness_check": {"check_duration": 0},
            "graceful_shutdown_timeout_duration": 0,
            "proxy_default_timeout": 0,
            "http_server_options": {"read_timeout": 0, "write_timeout": 0, "min_version": 0},
            "reload_interval": 0,
            "drl_threshold": 0,
            "drl_notification_frequency": 0,
            "min_token_length": 0,
            "jsvm_timeout": -1,
            "log_level": "",
        },
    ).config
    assert config == Config()


def test_the_plugin_timeout_follows_the_write_timeout(tmp_path: Path) -> None:
    options = load(tmp_path, {"http_server_options": {"write_timeout": 7}}).config.coprocess_options
    assert options.coprocess_timeout_ms == 7000
    content = {"coprocess_options": {"coprocess_timeout_ms": 5}}
    assert load(tmp_path, content).config.coprocess_options.coprocess_timeout_ms == 5


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        {
            "listen_port": "80",
            "log_level": "loud",
            "jwt_ssl_insecure_skip_verify": 1,
            "http_limits": {"max_head_bytes": 0},
            "storage": [],
            "javascript": {"isolation": "none"},
        },
    )
    assert found == [
        "$.storage: a list, expected an object",
        '$.listen_port: "80", expected a whole number',
        "$.jwt_ssl_insecure_skip_verify: 1, expected true or false",
        '$.log_level: "loud", expected one of debug, info, warn, error',
        '$.javascript.isolation: "none", expected one of auto, fresh',
        "$.http_limits.max_head_bytes: 0, expected 1024 to 16777216",
    ]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"http_server_options": {"min_version": 772, "max_version": 771}}, "min_version"),
        ({"http_server_options": {"min_version": 773}}, "min_version"),
        ({"http_server_options": {"max_version": 770}}, "min_version"),
        ({"proxy_ssl_max_version": 770}, "proxy_ssl_min_version"),
        ({"proxy_ssl_min_version": 5}, "proxy_ssl_min_version"),
        ({"listen_port": -1}, "listen_port"),
        ({"control_api_port": 65536}, "control_api_port"),
        ({"workers": -1}, "workers"),
        ({"use_db_app_configs": True}, "use_db_app_configs"),
        ({"security": {"pinned_public_keys": {"a": "b"}}}, "security.pinned_public_keys"),
        ({"coprocess_options": {"coprocess_framing": "lines"}}, "coprocess_framing"),
        (
            {"ssl_force_common_name_check": True, "proxy_ssl_insecure_skip_verify": True},
            "ssl_force_common_name_check",
        ),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, content: dict[str, Any], path: str) -> None:
    assert f"{path}: " in mistakes(tmp_path, content)[0]


def test_syntax_errors_name_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "tyk.conf"
    file.write_text('{\n  "listen_port": 1,\n}')
    with pytest.raises(ConfigError, match=r"tyk\.conf:2:19: not JSON|tyk\.conf:3:1: not JSON"):
        load_config(str(file), {})


def test_missing_features_are_noticed_once_by_name(tmp_path: Path) -> None:
    notices = load(
        tmp_path,
        {
            "hash_keys": True,
            "hash_key_function": "murmur64",
            "enable_analytics": True,
            "analytics_config": {"pool_size": 3, "type": "redis"},
            "opentelemetry": {"enabled": False, "exporter": "grpc"},
            "storage": {"host": "unused"},
            "policies": {"policy_source": "file"},
            "enable_bundle_downloader": True,
            "force_global_session_lifetime": False,
            "global_session_lifetime": 100,
            "event_handlers": {"events": {}},
        },
    ).notices
    assert [notice.partition(": ")[0] for notice in notices] == [
        "hash_key_function, hash_keys",
        "analytics_config.pool_size, enable_analytics",
    ]


def test_errors_have_the_exit_code_of_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, {"listen_port": "x", "workers": "y"})
    assert isinstance(error.value, ConfigErrors)
    assert error.value.exit_code == 78
    assert len(str(error.value).splitlines()) == 2


def test_bounds_say_the_value_as_it_was_written(tmp_path: Path) -> None:
    content = {"proxy_default_timeout": 90000, "http_server_options": {"read_timeout": -1}}
    assert mistakes(tmp_path, content) == [
        "$.proxy_default_timeout: 90000, expected 0 to 86400",
        "$.http_server_options.read_timeout: -1, expected 0 to 86400",
    ]


def test_keys_that_stand_twice_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "tyk.conf"
    file.write_text('{"listen_port": 1, "storage": {"host": "a", "host": "b"}, "listen_port": 2}')
    loaded = load_config(str(file), {})
    assert loaded.config.listen_port == 2
    assert "$.storage.host: listed twice, the last counts" in loaded.notices
    assert "$.listen_port: listed twice, the last counts" in loaded.notices
