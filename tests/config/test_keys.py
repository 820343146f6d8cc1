"""The key table: complete against the documented list, consistent, and true about its status."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

import propylon
from propylon.config.keys import ALL_KEYS, BY_ENV, BY_PATH, DEAD_KEYS, Feature, Key, Kind, Status
from propylon.config.model import Config

DOCUMENTED = [
    line.split()
    for line in (Path(__file__).parent / "documented_keys.txt").read_text().splitlines()
    if not line.startswith("#")
]
KINDS = {
    "string": Kind.STRING,
    "int": Kind.INT,
    "bool": Kind.BOOL,
    "float": Kind.FLOAT,
    "list": Kind.LIST,
    "map": Kind.MAP,
    "duration": Kind.DURATION,
}
SOURCES = Path(propylon.__file__).parent


def test_every_documented_key_is_in_the_table() -> None:
    assert len(DOCUMENTED) == 313
    for path, env, kind, tier in DOCUMENTED:
        key = BY_PATH[path]
        assert key.env == env
        assert key.tier == int(tier)
        assert KINDS.get(kind, key.kind) is key.kind, path


@pytest.mark.parametrize(
    ("path", "env"),
    [
        ("analytics_storage.optimisation_max_idle", "TYK_GW_ANALYTICSSTORAGE_MAXIDLE"),
        ("cache_storage.iam_auth.enabled", "TYK_GW_CACHESTORAGE_IAMAUTH_ENABLED"),
        ("rate_limiter_storage.addrs", "TYK_GW_RATELIMITERSTORAGE_ADDRS"),
        (
            "external_services.webhooks.proxy.http_proxy",
            "TYK_GW_EXTERNALSERVICES_WEBHOOKS_PROXY_HTTPPROXY",
        ),
        ("opentelemetry.metrics.api_metrics", "TYK_GW_OPENTELEMETRY_METRICS_APIMETRICS"),
        ("ports_whitelist", "TYK_GW_PORTWHITELIST"),
        ("coprocess_options.coprocess_command", "TYK_GW_COPROCESSOPTIONS_COPROCESSCOMMAND"),
    ],
)
def test_repeated_groups_have_their_own_prefix(path: str, env: str) -> None:
    assert BY_PATH[path].env == env


def test_paths_and_variables_are_unique() -> None:
    assert len(BY_PATH) == len(BY_ENV) == len(ALL_KEYS)
    assert not DEAD_KEYS & set(BY_PATH)


def test_switches_name_keys() -> None:
    for key in ALL_KEYS:
        assert not key.switch or key.switch in BY_PATH, key


def _leaves(type_: type[msgspec.Struct], prefix: str = "") -> set[str]:
    paths: set[str] = set()
    default = type_()
    for field in msgspec.structs.fields(type_):
        value = getattr(default, field.name)
        path = prefix + field.encode_name
        if isinstance(value, msgspec.Struct):
            paths |= _leaves(type(value), f"{path}.")
        else:
            paths.add(path)
    return paths


def test_the_model_and_the_table_agree() -> None:
    modelled = _leaves(Config)
    assert modelled <= set(BY_PATH)
    honoured = {key.path for key in ALL_KEYS if key.status is Status.HONOURED}
    assert honoured <= modelled


def _reads(key: Key, text: str) -> bool:
    return re.search(rf"\b{key.path.rpartition('.')[2]}\b", text) is not None


def test_honoured_keys_are_read_somewhere() -> None:
    unread = {"config/model.py", "config/keys.py", "apis/definition.py"}
    text = "\n".join(
        file.read_text()
        for file in SOURCES.rglob("*.py")
        if file.relative_to(SOURCES).as_posix() not in unread
    )
    idle = [k.path for k in ALL_KEYS if k.status is Status.HONOURED and not _reads(k, text)]
    assert idle == []


def test_every_missing_feature_says_what_follows() -> None:
    features = {key.status for key in ALL_KEYS if isinstance(key.status, Feature)}
    assert len(features) > 20
    assert all(feature.name and feature.consequence for feature in features)
