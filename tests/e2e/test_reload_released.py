"""Reloads and replaced workers of the real gateway: what is released serves, and nothing else."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.gateway_process import GatewayProcess, keyless
from support.upstream import Upstream

PLUGIN = Path(__file__).parents[2] / "examples" / "stdio" / "python" / "plugin.py"
WAIT_SECONDS = 15.0
STEP_SECONDS = 0.02

WORKING = """
var hook = new TykJS.TykMiddleware.NewMiddleware({});
hook.NewProcessRequest(function (request) { return hook.ReturnData(request, {}); });
"""
BROKEN = {
    "json": "{",
    "policy": {"use_oauth2": True, "use_keyless": False},
    "build": {"proxy": {"listen_path": "/{x:[}/"}},
}


@pytest.fixture(scope="module")
def origin() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end
        select.select([], [], [], STEP_SECONDS)


def statuses(gateway: GatewayProcess, path: str = "/plain/", count: int = 12) -> set[int]:
    """Ask on new connections, so that every worker gets its share."""
    return {httpx.get(gateway.base_url + path).status_code for _ in range(count)}


def hello(gateway: GatewayProcess) -> Any:
    return httpx.get(gateway.base_url + "/hello").json()


def reload(gateway: GatewayProcess) -> None:
    since = len(gateway.log)
    gateway.reload()
    gateway.wait_for_log("reload: complete", since=since)


def replace_workers(gateway: GatewayProcess) -> None:
    for pid in workers(gateway):
        since = len(gateway.log)
        os.kill(pid, signal.SIGKILL)
        gateway.wait_for_log("worker replaced", since=since)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def workers(gateway: GatewayProcess) -> list[int]:
    return [pid for pid in gateway.worker_pids() if "worker_main" in command_of(pid)]


def break_definition(gateway: GatewayProcess, origin: Upstream, kind: str) -> None:
    change = BROKEN[kind]
    text = change if isinstance(change, str) else json.dumps(keyless(origin.url, **change))
    (gateway.apps / "plain.json").write_text(text)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_definition_costs_nobody_its_api(
    tmp_path: Path, origin: Upstream, kind: str
) -> None:
    with GatewayProcess(tmp_path, [keyless(origin.url)], config={"workers": 2}) as gateway:
        break_definition(gateway, origin, kind)
        reload(gateway)
        assert statuses(gateway) == {200}
        (failed,) = hello(gateway)["details"]["apis"]["failed"]
        assert failed["reason"].endswith("(the version loaded before goes on serving)")
        since = len(gateway.log)
        replace_workers(gateway)
        gateway.wait_for_log("API could not be loaded", since=since)
        assert statuses(gateway) == {200}
        assert hello(gateway)["details"]["apis"]["failed"] == [failed]


@pytest.mark.parametrize("count", [1, 2])
def test_a_replaced_worker_serves_what_was_released(
    tmp_path: Path, origin: Upstream, count: int
) -> None:
    other = keyless(origin.url, api_id="other", listen_path="/other/")
    with GatewayProcess(tmp_path, [keyless(origin.url)], config={"workers": count}) as gateway:
        gateway.write_definition(other)
        gateway.write_definition(keyless(origin.url, listen_path="/moved/"))
        replace_workers(gateway)
        assert statuses(gateway) == {200}
        assert statuses(gateway, "/other/") == statuses(gateway, "/moved/") == {404}
        (gateway.apps / "plain.json").unlink()
        gateway.apps.rename(gateway.folder / "away")
        replace_workers(gateway)
        assert statuses(gateway) == {200}
        since = len(gateway.log)
        gateway.reload()
        gateway.wait_for_log("reload failed, the previous APIs go on serving", since=since)
        assert statuses(gateway) == {200}
        assert "reload" in hello(gateway)["details"]
        (gateway.folder / "away").rename(gateway.apps)
        reload(gateway)
        assert statuses(gateway, "/other/") == {200}
        assert statuses(gateway) == {404}


def test_a_broken_script_keeps_the_hooks_that_work(tmp_path: Path, origin: Upstream) -> None:
    script = tmp_path / "hook.js"
    script.write_text(WORKING)
    pre = [{"name": "hook", "path": str(script)}]
    scripted = keyless(origin.url, custom_middleware={"driver": "otto", "pre": pre})
    with GatewayProcess(
        tmp_path, [scripted], config={"workers": 2, "enable_jsvm": True}
    ) as gateway:
        assert statuses(gateway) == {200}
        script.write_text("var hook = (;")
        reload(gateway)
        assert statuses(gateway) == {200}
        document = hello(gateway)
        assert document["status"] == "warn"
        assert "hook.js" in document["details"]["apis"]["failed"][0]["reason"]
        script.write_text(WORKING)
        reload(gateway)
        assert hello(gateway)["status"] == "pass"
        assert statuses(gateway) == {200}


def test_a_broken_script_at_the_start_refuses_and_is_told(tmp_path: Path, origin: Upstream) -> None:
    pre = [{"name": "hook", "path": str(tmp_path / "missing.js")}]
    scripted = keyless(origin.url, custom_middleware={"driver": "otto", "pre": pre})
    with GatewayProcess(tmp_path, [scripted], config={"enable_jsvm": True}) as gateway:
        assert statuses(gateway) == {500}
        assert hello(gateway)["status"] == "warn"


# --- the plugin process --------------------------------------------------------------------------


def plugin_pids(folder: Path) -> list[int]:
    """Every living plugin process that was started with this folder's copy of the plugin."""
    text = subprocess.run(
        ["ps", "-wweo", "pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in text.splitlines()]
    return [
        int(pid)
        for pid, state, args in rows
        if args.endswith(str(folder / "plugin.py")) and not state.startswith("Z")
    ]


@pytest.fixture
def with_plugin(tmp_path: Path, origin: Upstream) -> Iterator[GatewayProcess]:
    """Two workers and the example plugin, under a path of its own."""
    (tmp_path / "plugin.py").write_text(PLUGIN.read_text())
    pre = [{"name": "AddHeader"}]
    hooked = keyless(origin.url, custom_middleware={"driver": "stdio", "pre": pre})
    options = {
        "enable_coprocess": True,
        "coprocess_command": sys.executable,
        "coprocess_args": [str(tmp_path / "plugin.py")],
    }
    config = {"workers": 2, "coprocess_options": options}
    with GatewayProcess(tmp_path, [hooked], config=config) as gateway:
        until(lambda: statuses(gateway, count=1) == {200})
        yield gateway


def test_a_killed_worker_leaves_the_one_plugin_process(with_plugin: GatewayProcess) -> None:
    before = plugin_pids(with_plugin.folder)
    assert len(before) == 1
    since = len(with_plugin.log)
    os.kill(workers(with_plugin)[0], signal.SIGKILL)
    with_plugin.wait_for_log("worker replaced", since=since)
    until(lambda: statuses(with_plugin) == {200})
    assert plugin_pids(with_plugin.folder) == before


def test_a_killed_supervisor_leaves_no_plugin_process(with_plugin: GatewayProcess) -> None:
    pids = workers(with_plugin)
    assert len(plugin_pids(with_plugin.folder)) == 1
    os.kill(with_plugin.pid, signal.SIGKILL)
    until(lambda: not plugin_pids(with_plugin.folder))
    until(lambda: not any("worker_main" in command_of(pid) for pid in pids))
