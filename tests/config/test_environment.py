"""`TYK_GW_` variables: names of Appendix A, notations of Go."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.config.environment import omits_file, parse_list, parse_map, read_environment
from propylon.config.keys import ALL_KEYS, BY_PATH, Key, Kind
from propylon.config.load import load_config
from propylon.config.model import Config
from propylon.config.problems import Problems
from propylon.errors import ConfigError

TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters=",:\0"), min_size=1)
SAMPLES: dict[Kind, st.SearchStrategy[tuple[str, Any]]] = {
    Kind.STRING: TEXT.map(lambda text: (text, text)),
    Kind.BOOL: st.sampled_from([("1", True), ("t", True), ("False", False), ("F", False)]),
    Kind.INT: st.one_of(
        st.integers(-(2**63), 2**63 - 1).map(lambda number: (str(number), number)),
        st.integers(0, 2**40).map(lambda number: (hex(number), number)),
    ),
    Kind.FLOAT: st.floats(-1e6, 1e6).map(lambda number: (repr(number), number)),
    Kind.LIST: st.lists(TEXT.filter(str.strip), min_size=1).map(
        lambda words: (",".join(words), words)
    ),
    Kind.MAP: st.dictionaries(TEXT, TEXT, min_size=1).map(
        lambda pairs: (",".join(f"{key}:{value}" for key, value in pairs.items()), pairs)
    ),
    Kind.JSON: st.just(('{"events": {"a": [1]}}', {"events": {"a": [1]}})),
    Kind.DURATION: st.integers(0, 10**12).map(lambda number: (f"{number}ns", number)),
}


@given(data=st.data())
@pytest.mark.parametrize("kind", Kind)
def test_row_005_every_key_can_be_set_by_its_variable(kind: Kind, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([key for key in ALL_KEYS if key.kind is kind]))
    text, value = data.draw(SAMPLES[kind])
    problems = Problems("")
    overrides = read_environment({key.env: text}, problems)
    assert problems.errors == []
    assert overrides.values == {key.path: value}
    assert overrides.variables == {key.path: key.env}


def _value(config: Config, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _is_modelled(key: Key) -> bool:
    try:
        _value(Config(), key.path)
    except AttributeError:
        return False
    return True


SETTABLE = {
    Kind.BOOL: ("true", True),
    Kind.LIST: ("a,b", ("a", "b")),
    Kind.MAP: ("a:b", {"a": "b"}),
    Kind.DURATION: ("3s", 3_000_000_000),
}


@pytest.mark.parametrize(
    "key",
    [
        k
        for k in ALL_KEYS
        if _is_modelled(k) and k.kind in SETTABLE and k.path != "use_db_app_configs"
    ],
    ids=lambda key: key.path,
)
def test_row_005_variables_land_in_the_configuration(key: Key) -> None:
    text, value = SETTABLE[key.kind]
    assert _value(load_config(None, {key.env: text}).config, key.path) == value


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("enable_jsvm", "yes"),
        ("enable_jsvm", ""),
        ("enable_jsvm", "TrUe"),
        ("listen_port", "80a"),
        ("listen_port", ""),
        ("listen_port", "1.5"),
        ("listen_port", str(2**63)),
        ("proxy_default_timeout", "fast"),
        ("proxy_default_timeout", "nan"),
        ("liveness_check.check_duration", "10"),
        ("coprocess_options.coprocess_env", "nocolon"),
    ],
)
def test_row_006_a_bad_value_names_variable_and_value(path: str, text: str) -> None:
    key = BY_PATH[path]
    with pytest.raises(ConfigError) as error:
        load_config(None, {key.env: text})
    assert str(error.value).startswith(key.env)
    assert text in str(error.value)


def test_row_006_bad_json_names_the_place_and_a_bad_secret_stays_secret() -> None:
    with pytest.raises(ConfigError, match=r"^TYK_GW_HTTPSERVEROPTIONS_CERTIFICATES:1:3: not JSON"):
        load_config(None, {"TYK_GW_HTTPSERVEROPTIONS_CERTIFICATES": "[{]"})
    with pytest.raises(ConfigError) as error:
        load_config(None, {"TYK_GW_SECRETS": "hunter2"})
    assert str(error.value) == (
        "TYK_GW_SECRETS: a value not shown here, expected key:value pairs separated by commas"
    )


def test_json_values() -> None:
    certificates = [{"domain_name": "*", "cert_file": "a.pem", "key_file": "b.pem"}]
    environ = {
        "TYK_GW_HTTPSERVEROPTIONS_CERTIFICATES": json.dumps(certificates),
        "TYK_GW_PORTWHITELIST": '{"http":{"ports":[8090]}}',
    }
    loaded = load_config(None, environ)
    assert loaded.config.http_server_options.certificates[0].key_file == "b.pem"
    assert any("ports_whitelist" in notice for notice in loaded.notices)


def test_json_values_of_the_wrong_shape_name_the_variable() -> None:
    with pytest.raises(ConfigError) as error:
        load_config(None, {"TYK_GW_HTTPSERVEROPTIONS_CERTIFICATES": '{"a": 1}'})
    assert str(error.value) == (
        "TYK_GW_HTTPSERVEROPTIONS_CERTIFICATES: $.http_server_options.certificates: "
        "an object, expected a list"
    )


def test_lists_and_maps() -> None:
    assert parse_list("") == []
    assert parse_list("a, b") == ["a", " b"]
    assert parse_map("") == {}
    assert parse_map("host:http://x:1,b:") == {"host": "http://x:1", "b": ""}
    assert parse_map("a") is None


def test_unknown_variables_are_noticed_with_the_nearest_name() -> None:
    overrides = read_environment({"TYK_GW_LISTENPROT": "1", "TYK_GW_ZZZ": "1"}, Problems(""))
    assert overrides.notices == [
        "TYK_GW_LISTENPROT: no such setting, ignored; did you mean TYK_GW_LISTENPORT?",
        "TYK_GW_ZZZ: no such setting, ignored",
    ]


def test_old_octal_and_binary_integers() -> None:
    for text, number in [("010", 8), ("0b11", 3), ("0o17", 15), ("+5", 5), ("-0x1", -1)]:
        overrides = read_environment({"TYK_GW_LISTENPORT": text}, Problems(""))
        assert overrides.values == {"listen_port": number}


def test_the_loggers_variables_win() -> None:
    environ = {"TYK_GW_LOGLEVEL": "warn", "TYK_LOGLEVEL": "DEBUG", "TYK_LOGFORMAT": "json"}
    config = load_config(None, environ).config
    assert (config.log_level, config.log_format) == ("debug", "json")
    with pytest.raises(ConfigError, match=r'TYK_LOGLEVEL: .*"loud", expected one of'):
        load_config(None, {"TYK_LOGLEVEL": "loud"})


def test_omitting_the_file() -> None:
    problems = Problems("")
    assert omits_file({"TYK_GW_OMITCONFIGFILE": "true"}, problems)
    assert not omits_file({}, problems)
    assert not omits_file({"TYK_GW_OMITCONFIGFILE": "maybe"}, problems)
    assert [error.source for error in problems.errors] == ["TYK_GW_OMITCONFIGFILE"]


def test_the_configuration_survives_its_own_encoding() -> None:
    config = load_config(None, {"TYK_GW_SECRETS": "a:b"}).config
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config
