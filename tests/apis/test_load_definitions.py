"""Definition files: what is loaded, in which order, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from propylon.apis.definition import ApiDefinition
from propylon.apis.load import LoadedDefinitions, load_definitions
from propylon.apis.source_files import read_source_files
from propylon.config.model import Config, FileStore, Kv
from propylon.errors import ConfigError

MINIMAL: dict[str, Any] = {
    "name": "Users",
    "api_id": "users",
    "org_id": "default",
    "active": True,
    "use_keyless": True,
    "definition": {"location": "header", "key": "version"},
    "auth": {"auth_header_name": "authorization"},
    "version_data": {"not_versioned": True, "versions": {"Default": {"name": "Default"}}},
    "proxy": {"listen_path": "/users/", "target_url": "http://localhost:3000/"},
}


def definition(api_id: str = "users", **changes: Any) -> dict[str, Any]:
    return {**MINIMAL, "api_id": api_id, **changes}


def proxied(listen_path: Any, target: Any = "http://localhost:3000") -> dict[str, Any]:
    return {"listen_path": listen_path, "target_url": target}


def write(folder: Path, **files: Any) -> None:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name.replace('__', '-')}.json").write_text(text)


def load(folder: Path, environ: dict[str, str] | None = None, **config: Any) -> LoadedDefinitions:
    settings = Config(app_path=str(folder), **config)
    found = read_source_files(settings)
    return load_definitions(settings, environ or {}, found.files)


def failure(folder: Path, **config: Any) -> str:
    found = load(folder, **config)
    assert found.definitions == ()
    (only,) = found.failures
    return only.message


def test_a_minimal_definition(tmp_path: Path) -> None:
    write(tmp_path, jq=MINIMAL)
    found = load(tmp_path)
    assert found.failures == found.notices == ()
    (only,) = found.definitions
    assert only.source == str(tmp_path / "jq.json")
    assert only.proxy.listen_path == "/users/"
    assert only.version_data.versions["Default"].name == "Default"
    assert msgspec.json.decode(msgspec.json.encode(only), type=ApiDefinition) == only


def test_row_012_only_json_files_of_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", a=MINIMAL)
    (tmp_path / "a.txt").write_text(json.dumps(MINIMAL))
    assert load(tmp_path) == LoadedDefinitions((), (), ())


def test_row_013_one_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, a="{", b=MINIMAL, c="[]", d=definition(name=5, tags="x", api_id="d"))
    (tmp_path / "e.json").mkdir()
    (tmp_path / "f.json").write_bytes(b"\xff")
    found = load(tmp_path)
    assert [each.api_id for each in found.definitions] == ["users"]
    messages = {Path(each.source).name: each.message for each in found.failures}
    assert messages["a.json"].startswith("1:2: not JSON")
    assert messages["c.json"] == "$: a list, expected an object"
    assert messages["d.json"] == '$.name: 5, expected a string; $.tags: "x", expected a list'
    assert "cannot be read" in messages["e.json"]
    assert messages["f.json"] == "not UTF-8 at byte 0"
    assert [each.api_id for each in found.failures if each.api_id] == ["d"]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("users", "/users"),
        ("/users/", "/users/"),
        ("//users//x/../y/", "/users/y/"),
        ("/../../users", "/users"),
        ("/", "/"),
        ("/a/./b", "/a/b"),
        ("a/{id:[0-9]{1,3}}/", "/a/{id:[0-9]{1,3}}/"),
    ],
)
def test_row_014_listen_paths_are_normalised(tmp_path: Path, written: str, normal: str) -> None:
    write(tmp_path, a=definition(proxy=proxied(written)))
    assert load(tmp_path).definitions[0].proxy.listen_path == normal


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "$.proxy.listen_path: Listen path is empty"),
        (None, "$.proxy.listen_path: Listen path is empty"),
        ("/a b", '$.proxy.listen_path: "/a b": Listen path contains spaces, is invalid'),
    ],
)
def test_row_015_unusable_listen_paths(tmp_path: Path, path: str | None, message: str) -> None:
    write(tmp_path, a=definition(proxy=proxied(path)))
    assert failure(tmp_path).startswith(message)


def test_row_016_a_second_api_on_the_same_path_is_renamed(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=definition("a"),
        b=definition("b"),
        c=definition("c", proxy=proxied("/users/-b")),
        d=definition("d", domain="d.example"),
    )
    found = load(tmp_path)
    paths = {each.api_id: each.proxy.listen_path for each in found.definitions}
    assert paths == {"a": "/users/", "b": "/users/-b", "c": "/users/-b-c", "d": "/users/-d"}
    assert sum("Listen path collision, changed to" in notice for notice in found.notices) == 3
    apart = load(tmp_path, enable_custom_domains=True)
    assert {each.api_id: each.proxy.listen_path for each in apart.definitions}["d"] == "/users/"


def test_row_016_underscores_until_the_path_is_free(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=definition("a", proxy=proxied("/x-c")),
        b=definition("b", proxy=proxied("/x")),
        c=definition("c", proxy=proxied("/x")),
    )
    paths = {each.api_id: each.proxy.listen_path for each in load(tmp_path).definitions}
    assert paths["c"] == "/x-c_"


def test_row_017_inactive_definitions_are_served_with_a_notice(tmp_path: Path) -> None:
    write(tmp_path, a=definition("a", active=False), b=definition("b", proxy=proxied("/b")))
    found = load(tmp_path)
    assert len(found.definitions) == 2
    assert found.notices == (
        f"$.active is not true; served nevertheless, as files always are: {tmp_path / 'a.json'}",
    )


def test_row_018_internal_definitions_are_loaded(tmp_path: Path) -> None:
    write(tmp_path, a=definition(internal=True))
    assert load(tmp_path).definitions[0].internal


def test_row_019_references_are_replaced(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=definition(proxy=proxied("/a", "https://env://UPSTREAM/base"), name="secrets://title"),
    )
    found = load(tmp_path, {"UPSTREAM": "up.example:8443"}, secrets={"title": 'a "name"\n'})
    only = found.definitions[0]
    assert only.proxy.target_url == "https://up.example:8443/base"
    assert only.name == 'a "name"\n'


def test_references_into_files_and_into_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    folder = tmp_path / "apps"
    folder.mkdir()
    write(folder, a=definition(name="file://key"), b=definition("b", name="env://NOWHERE"))
    found = load(folder, kv=Kv(FileStore(str(tmp_path))))
    assert found.definitions[0].name == "k"
    assert "env://NOWHERE leads nowhere" in found.failures[0].message


def test_order_longer_paths_first_and_templates_do_not_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=definition("a", proxy=proxied("/x/")),
        b=definition("b", proxy=proxied("/x/{id:[0-9]{1,9}}/")),
        c=definition("c", proxy=proxied("/long/path/")),
        d=definition("d", proxy=proxied("/y/"), domain="d.example"),
        e=definition("e", proxy=proxied("/y/"), domain="e.example", domain_disabled=True),
    )
    order = [each.api_id for each in load(tmp_path).definitions]
    # "e" collided with "d" and became longer
    assert order == ["c", "e", "b", "a", "d"]
    with_domains = load(tmp_path, enable_custom_domains=True)
    assert [each.api_id for each in with_domains.definitions] == ["d", "c", "b", "a", "e"]


def test_api_ids_are_unique_and_the_file_name_stands_in(tmp_path: Path) -> None:
    unnamed = definition(proxy=proxied("/c"))
    del unnamed["api_id"]
    write(tmp_path, a=definition("a"), b=definition("a", proxy=proxied("/b")), c=unnamed)
    found = load(tmp_path)
    assert sorted(each.api_id for each in found.definitions) == ["a", "c"]
    (failed,) = found.failures
    assert failed.message == f'$.api_id: "a", which {tmp_path / "a.json"} has already'
    assert any("$.api_id is missing" in notice for notice in found.notices)


@pytest.mark.parametrize(
    ("target", "is_usable"),
    [
        ("http://up.example:80/base", True),
        ("up.example:80", True),
        ("wss://up.example", True),
        ("http://[::1]:8080", True),
        ("", False),
        ("http://", False),
        ("ftp://up.example", False),
        ("tyk://other/path", False),
        ("http://up.example:port", False),
        ("http://[::1", False),
    ],
)
def test_target_urls(tmp_path: Path, target: str, is_usable: bool) -> None:
    write(tmp_path, a=definition(proxy=proxied("/a", target)))
    found = load(tmp_path)
    assert bool(found.definitions) is is_usable
    if not is_usable:
        assert found.failures[0].message.startswith(f'$.proxy.target_url: "{target}", expected')


def test_targets_of_lists_and_versions(tmp_path: Path) -> None:
    proxy = {
        **proxied("/a"),
        "enable_load_balancing": True,
        "target_list": ["http://a", "b c://"],
    }
    versions = {"Default": {"name": "Default", "override_target": "nope://x"}}
    write(tmp_path, a=definition(proxy=proxy, version_data={"versions": versions}))
    message = failure(tmp_path)
    assert "$.proxy.target_list[1]: " in message
    assert "$.version_data.versions.Default.override_target: " in message


def test_openapi_documents(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=definition("a", is_oas=True),
        a__oas={"openapi": "3.0.3"},
        b={"openapi": "3.0.3", "x-tyk-api-gateway": {}},
        c__mcp={"openapi": "3.1.0"},
    )
    found = load(tmp_path)
    assert [each.api_id for each in found.definitions] == ["a"]
    assert {Path(each.source).name for each in found.failures} == {"b.json", "c-mcp.json"}
    assert all("OpenAPI document without a classic" in each.message for each in found.failures)


def test_an_openapi_companion_that_validates_is_not_passed_over(tmp_path: Path) -> None:
    operations = {"getX": {"validateRequest": {"enabled": True}}}
    companion = {
        "openapi": "3.0.3",
        "x-tyk-api-gateway": {"middleware": {"operations": operations}},
    }
    write(tmp_path, a=definition(is_oas=True), a__oas=companion)
    assert ".operations.getX.validateRequest.enabled: true, not supported" in failure(tmp_path)


def test_misspelt_keys_are_noticed_and_foreign_ones_are_not(tmp_path: Path) -> None:
    write(tmp_path, a=definition(use_keyles=True, hook_references=[], x={"y": 1}))
    assert load(tmp_path).notices == (
        f"{tmp_path / 'a.json'}: $.use_keyles: unknown key, ignored; did you mean use_keyless?",
    )


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"\$\.app_path: .* expected a folder"):
        load(tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    found = read_source_files(Config())
    assert found.notices == ("app_path: folder apps/ does not exist, no API is loaded",)


def test_cors_is_spelt_in_capitals(tmp_path: Path) -> None:
    write(tmp_path, a=definition(CORS={"enable": True, "allowed_origins": ["*"]}))
    assert load(tmp_path).definitions[0].cors.allowed_origins == ("*",)


def test_durations_are_seconds(tmp_path: Path) -> None:
    version = {
        "name": "Default",
        "global_enforce_timeout": "1m30s",
        "use_extended_paths": True,
        "extended_paths": {"hard_timeouts": [{"path": "/", "method": "GET", "timeout": 3}]},
    }
    write(tmp_path, a=definition(version_data={"versions": {"Default": version}}))
    loaded = load(tmp_path).definitions[0].version_data.versions["Default"]
    assert loaded.global_enforce_timeout == 90
    assert loaded.extended_paths.hard_timeouts[0].timeout == 3
