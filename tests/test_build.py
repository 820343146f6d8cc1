"""Builds: what a broken definition, or a broken hook, leaves of the API that served before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from propylon.apis.source_files import SourceFiles, read_source_files, released, with_last_good
from propylon.build import REFUSES, STILL_SERVES, Builder
from propylon.config.model import Config
from propylon.net.clock import Clock
from propylon.net.upstream_pool import UpstreamPools
from propylon.pipeline.snapshot import Snapshot
from propylon.plugins.javascript import JavaScriptHost
from support.gateway_process import keyless

TARGET = "http://127.0.0.1:9"
SCRIPT = """
var hook = new TykJS.TykMiddleware.NewMiddleware({});
hook.NewProcessRequest(function (request) { return hook.ReturnData(request, {}); });
"""


class Site:
    """A folder of definitions, a worker's builder and what the supervisor holds for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = Config(app_path=str(folder), enable_jsvm=True)
        self.loop = asyncio.get_running_loop()
        self.clock = Clock(self.loop)
        self.host = JavaScriptHost(self.config)
        self.pools = UpstreamPools(self.clock, self.loop)
        self.builder = self.new_worker()
        self.released = SourceFiles()
        self.snapshot: Snapshot | None = None

    def new_worker(self) -> Builder:
        return Builder(self.config, {}, {"otto": self.host}, self.pools)

    def write(self, definition: dict[str, Any] | str, name: str = "plain") -> None:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        (self.folder / f"{name}.json").write_text(text)

    async def reload(self) -> Snapshot:
        found = with_last_good(read_source_files(self.config), self.released)
        new = await self.builder.build(found.files)
        old, self.snapshot = self.snapshot, new
        self.builder.serves(new)
        if old is not None:
            self.builder.discard(old)
        self.released = released(found, frozenset(f.source for f in new.failures))
        return new

    async def replace_worker(self) -> Snapshot:
        """Build as a worker does that knows nothing but what the supervisor tells it."""
        return await self.new_worker().build(self.released.files)

    async def close(self) -> None:
        if self.snapshot is not None:
            self.builder.discard(self.snapshot)
        await self.host.stop()
        self.pools.abort()
        self.clock.stop()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    await site.close()


def api(target: str = TARGET, **more: Any) -> dict[str, Any]:
    return keyless(target, **more)


def with_paths(**extended: Any) -> dict[str, Any]:
    version = {"name": "Default", "use_extended_paths": True, "extended_paths": extended}
    return api(version_data={"not_versioned": True, "versions": {"Default": version}})


def with_version(**settings: Any) -> dict[str, Any]:
    versions = {"Default": {"name": "Default", **settings}}
    return api(version_data={"not_versioned": True, "versions": versions})


def served(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(d.api_id, d.proxy.listen_path) for d in snapshot.definitions]


def only_failure(snapshot: Snapshot) -> str:
    (failure,) = snapshot.failures
    return failure.message


BROKEN: dict[str, dict[str, Any] | str] = {
    "json": "{",
    "decode": '{"api_id": "plain", "proxy": []}',
    "support": api(use_oauth2=True, use_keyless=False),
    "black list": with_paths(black_list=[{"path": "(("}]),
    "header": with_version(global_headers={"X-A": "a\r\nX-B: b"}),
    "listen path": api(listen_path="/{x:[}/"),
    "target": api("http://[::1"),
    "ca file": api(proxy={"target_list": ["http://a:b:c"], "enable_load_balancing": True}),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_the_version_before_goes_on_serving(site: Site, kind: str) -> None:
    site.write(api())
    before = await site.reload()
    assert before.failures == ()
    site.write(BROKEN[kind])
    after = await site.reload()
    assert served(after) == [("plain", "/plain/")]
    assert only_failure(after).endswith(STILL_SERVES)
    again = await site.reload()
    assert served(again) == [("plain", "/plain/")]
    replaced = await site.replace_worker()
    assert served(replaced) == [("plain", "/plain/")]
    assert only_failure(replaced) == only_failure(after)
    site.write(api(listen_path="/new/"))
    assert served(await site.reload()) == [("plain", "/new/")]


@pytest.mark.parametrize("kind", BROKEN)
async def test_at_the_first_start_it_is_left_out_and_named(site: Site, kind: str) -> None:
    site.write(BROKEN[kind])
    site.write(api(api_id="other", listen_path="/other/"), "other")
    snapshot = await site.reload()
    assert served(snapshot) == [("other", "/other/")]
    assert STILL_SERVES not in only_failure(snapshot)


async def test_the_older_text_takes_its_place_in_the_order_of_routes(site: Site) -> None:
    site.write(api(api_id="long", listen_path="/a/long/"), "long")
    site.write(api(api_id="short", listen_path="/a/"), "short")
    order = served(await site.reload())
    site.write(with_paths(black_list=[{"path": "(("}]), "long")
    assert served(await site.reload()) == order
    site.write("{", "long")
    assert served(await site.reload()) == order


async def test_an_id_that_another_file_has_taken_is_not_served_twice(site: Site) -> None:
    site.write(api())
    await site.reload()
    site.write("{")
    site.write(api(listen_path="/moved/"), "moved")
    snapshot = await site.reload()
    assert served(snapshot) == [("plain", "/moved/")]
    assert STILL_SERVES not in only_failure(snapshot)


def scripted(folder: Path, **more: Any) -> dict[str, Any]:
    pre = [{"name": "hook", "path": str(folder / "hook.js")}]
    return api(custom_middleware={"driver": "otto", "pre": pre}, **more)


@pytest.mark.parametrize("change", ["syntax", "missing", "throws"])
async def test_a_broken_script_keeps_the_hooks_that_work(site: Site, change: str) -> None:
    script = site.folder / "hook.js"
    script.write_text(SCRIPT)
    site.write(scripted(site.folder))
    before = await site.reload()
    assert before.failures == ()
    if change == "missing":
        script.unlink()
    else:
        script.write_text("var hook = (;" if change == "syntax" else "throw new Error('x');")
    for _ in range(2):
        after = await site.reload()
        assert after.apis[0] is before.apis[0]
        assert only_failure(after).endswith(STILL_SERVES)
    site.write(scripted(site.folder, listen_path="/new/"))
    after = await site.reload()
    assert after.apis[0] is before.apis[0]
    script.write_text(SCRIPT)
    mended = await site.reload()
    assert mended.failures == ()
    assert served(mended) == [("plain", "/new/")]


async def test_hooks_are_unloaded_with_the_last_snapshot_that_uses_them(site: Site) -> None:
    class CountingHost(JavaScriptHost):
        unloaded = 0

        def unload(self, loaded: Any) -> None:
            self.unloaded += 1
            super().unload(loaded)

    site.host = CountingHost(site.config)
    site.builder = site.new_worker()
    script = site.folder / "hook.js"
    script.write_text(SCRIPT)
    site.write(scripted(site.folder))
    await site.reload()
    script.write_text("var hook = (;")
    await site.reload()
    await site.reload()
    assert site.host.unloaded == 2  # the two attempts with the broken file
    script.write_text(SCRIPT)
    await site.reload()
    assert site.host.unloaded == 3


async def test_a_broken_script_at_the_first_start_refuses_and_is_named(site: Site) -> None:
    site.write(scripted(site.folder))
    snapshot = await site.reload()
    assert served(snapshot) == [("plain", "/plain/")]
    assert "hook.js" in only_failure(snapshot)
    assert only_failure(snapshot).endswith(REFUSES)


async def test_connections_of_a_carried_over_api_outlive_the_snapshot_before(site: Site) -> None:
    script = site.folder / "hook.js"
    script.write_text(SCRIPT)
    site.write(scripted(site.folder))
    before = await site.reload()
    pool = site.pools.pool(before.apis[0].targets[0])
    script.unlink()
    after = await site.reload()
    assert site.pools.pool(after.apis[0].targets[0]) is pool
