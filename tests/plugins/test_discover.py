"""Hooks of an API: from its definition, from its folder, in running order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from propylon.apis.definition import ApiDefinition
from propylon.config.decode import Notes, decode
from propylon.config.model import Config
from propylon.config.problems import Problems
from propylon.plugins.discover import discover_hooks, driver_of
from propylon.plugins.hook import Hook, HookType


def api(**content: Any) -> ApiDefinition:
    notes = Notes(Problems(""))
    definition = decode(ApiDefinition, {"api_id": "a", **content}, notes)
    assert notes.problems.errors == []
    return definition


def names(hooks: tuple[Hook, ...], type_: HookType) -> list[str]:
    return [hook.name for hook in hooks if hook.type is type_]


def put(root: Path, *files: str) -> Config:
    for name in files:
        file = root / "a" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return Config(middleware_path=str(root))


ALL = {
    "pre": [{"name": "p1"}, {"name": "p2", "disabled": True}, {"name": "p3"}],
    "auth_check": {"name": "check"},
    "post_key_auth": [{"name": "k", "require_session": True}],
    "post": [{"name": "q", "raw_body_only": True}],
    "response": [{"name": "r"}],
}


def test_declared_hooks_in_list_order_without_the_disabled() -> None:
    definition = api(custom_middleware={"driver": "jsonrpc", **ALL}, enable_coprocess_auth=True)
    assert discover_hooks(definition, Config()) == (
        Hook(HookType.PRE, "p1"),
        Hook(HookType.PRE, "p3"),
        Hook(HookType.AUTH_CHECK, "check"),
        Hook(HookType.POST_KEY_AUTH, "k", require_session=True),
        Hook(HookType.POST, "q", raw_body_only=True),
        Hook(HookType.RESPONSE, "r"),
    )


def test_rich_hooks_that_never_run_are_left_out() -> None:
    section = {"driver": "jsonrpc", **ALL}
    unauthenticated = discover_hooks(api(custom_middleware=section), Config())
    assert names(unauthenticated, HookType.AUTH_CHECK) == []
    assert names(unauthenticated, HookType.POST_KEY_AUTH) == ["k"]
    keyless = api(custom_middleware=section, use_keyless=True, custom_plugin_auth_enabled=True)
    kinds = {hook.type for hook in discover_hooks(keyless, Config())}
    assert kinds == {HookType.PRE, HookType.POST, HookType.RESPONSE}


def test_folder_files_come_after_pre_and_post_before_post_auth_and_replace_auth(
    tmp_path: Path,
) -> None:
    config = put(
        tmp_path,
        "pre/b.js",
        "pre/a.extra.js",
        "pre/not.txt",
        "auth/one.js",
        "auth/two.js",
        "post_auth/x_with_session.js",
        "post/z.js",
        "response/no.js",
    )
    definition = api(custom_middleware={"driver": "otto", **ALL}, custom_plugin_auth_enabled=True)
    hooks = discover_hooks(definition, config)
    assert names(hooks, HookType.PRE) == ["p1", "p3", "a", "b"]
    assert names(hooks, HookType.AUTH_CHECK) == ["two"]
    assert names(hooks, HookType.POST_KEY_AUTH) == ["x_with_session", "k"]
    assert names(hooks, HookType.POST) == ["q", "z"]
    assert names(hooks, HookType.RESPONSE) == ["r"]
    found = next(hook for hook in hooks if hook.name == "x_with_session")
    assert found.require_session
    assert found.path == str(tmp_path / "a" / "post_auth" / "x_with_session.js")


def test_row_202_rich_drivers_do_not_look_into_the_folder(tmp_path: Path) -> None:
    config = put(tmp_path, "pre/x.js")
    definition = api(custom_middleware={"driver": "jsonrpc"})
    assert discover_hooks(definition, config) == ()


@pytest.mark.parametrize("api_id", ["", "..", "../a", "x/../../a"])
def test_only_a_plain_api_id_names_a_folder(tmp_path: Path, api_id: str) -> None:
    put(tmp_path, "pre/x.js")
    config = Config(middleware_path=str(tmp_path / "b"))
    (tmp_path / "b").mkdir()
    assert discover_hooks(api(api_id=api_id), config) == ()


@pytest.mark.parametrize(
    ("section", "driver"),
    [
        ({}, ""),
        ({"driver": "stdio"}, "jsonrpc"),
        ({"driver": "javascript"}, "javascript"),
        ({"driver": "grpc"}, "grpc"),
        ({"pre": [{"name": "x", "path": "a.js"}]}, "otto"),
        ({"pre": [{"name": "x", "code": "dmFy"}]}, "otto"),
        ({"pre": [{"name": "x", "path": "a.py"}]}, ""),
        ({"pre": [{"name": "x", "path": "a.js", "disabled": True}]}, ""),
    ],
)
def test_drivers(section: dict[str, Any], driver: str) -> None:
    definition = api(custom_middleware=section)
    assert driver_of(definition, discover_hooks(definition, Config()), Config()) == driver


def test_a_folder_alone_makes_an_api_javascript(tmp_path: Path) -> None:
    config = put(tmp_path, "post/x.js")
    hooks = discover_hooks(api(), config)
    assert driver_of(api(), hooks, config) == "otto"
