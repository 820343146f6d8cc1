"""References to secrets, in the configuration and inside definitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from propylon.config.load import load_config
from propylon.config.references import References, UnresolvedError, substitute_all
from propylon.errors import ConfigError


@pytest.fixture
def references(tmp_path: Path) -> References:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "token").write_text("from-file\n")
    (tmp_path / "outside").write_text("never")
    return References(
        {"HOST": "example.org", "EMPTY": "", "QUOTED": 'say "hi"\n'},
        {"token": "s3cret", "a/b": "slashed"},
        str(tmp_path / "inside"),
    )


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("env://HOST", "example.org"),
        ("https://env://HOST/base", "https://example.org/base"),
        ("secrets://token", "s3cret"),
        ("Bearer secrets://token", "Bearer s3cret"),
        ("secrets://a/b", "slashed"),
        ("file://token", "from-file"),
        ("env://QUOTED", 'say "hi"\n'),
        ("http://plain/path", "http://plain/path"),
        ("myenv://HOST", "myenv://HOST"),
    ],
)
def test_row_019_references_inside_strings(references: References, text: str, result: str) -> None:
    assert substitute_all({"a": [text, 1]}, references) == {"a": [result, 1]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("env://EMPTY", "environment variable EMPTY is not set"),
        ("secrets://none", "secrets of tyk.conf has no 'none'"),
        ("file://none", "no readable file 'none'"),
        ("file://../outside", "no readable file '../outside'"),
        ("consul://x", "secret stores are not supported"),
        ("x $kv{y}", "secret stores are not supported"),
    ],
)
def test_references_that_lead_nowhere(references: References, text: str, reason: str) -> None:
    with pytest.raises(UnresolvedError, match=reason.replace(".", "[.]")):
        references.substitute(text)


def test_secrets_of_the_configuration() -> None:
    environ = {
        "TYK_GW_SECRET": "secrets://control",
        "TYK_GW_NODESECRET": "env://node",
        "TYK_GW_SECRETS": "control:abc",
        "TYK_SECRET_NODE": "xyz",
    }
    config = load_config(None, environ).config
    assert (config.secret, config.node_secret) == ("abc", "xyz")


def test_an_unresolvable_secret_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"TYK_GW_SECRET: \$\.secret: env://x leads nowhere"):
        load_config(None, {"TYK_GW_SECRET": "env://x"})
    with pytest.raises(ConfigError, match=r"kv\.file\.base_path of tyk\.conf is not set"):
        load_config(None, {"TYK_GW_SECRET": "file://x"})
    with pytest.raises(ConfigError, match="secret stores are not supported"):
        load_config(None, {"TYK_GW_SECRET": "vault://x.y"})
