"""Say everything that is wrong with a configuration and its API definitions; change nothing.

Unlike Tyk's `lint`, which rewrites the file it checks. All is built as for serving, but no socket
is opened and no plugin process started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from propylon.apis.load import load_definitions
from propylon.apis.source_files import SourceFiles, read_source_files
from propylon.build import Builder
from propylon.config.files import find_file_problems
from propylon.config.load import LoadedConfig, load_config
from propylon.config.model import Config
from propylon.config.problems import ConfigErrors
from propylon.errors import ConfigError
from propylon.net.clock import Clock
from propylon.net.upstream_pool import UpstreamPools
from propylon.pipeline.snapshot import LoadFailure
from propylon.plugins.hosts import make_hosts


@dataclass(frozen=True, slots=True)
class LintReport:
    """Lines for the operator: file, JSON path, value, expectation."""

    issues: tuple[str, ...]
    "What does not work as written."
    notices: tuple[str, ...] = ()
    "What works, and is worth knowing."


def lint(conf_path: str | None, environ: Mapping[str, str]) -> LintReport:
    """Check the configuration and every definition that it leads to.

    Definitions are checked only when the configuration is usable, because it says where they are
    and what they may ask for.
    """
    try:
        loaded = load_config(conf_path, environ)
    except ConfigError as error:
        return LintReport(_lines(error))
    issues = [str(error) for error in find_file_problems(loaded).errors]
    where = f"{loaded.source}: " if loaded.source else ""
    notices = [f"{where}{notice}" for notice in loaded.notices]
    try:
        sources = read_source_files(loaded.config)
        notices += sources.notices
        notices += load_definitions(loaded.config, environ, sources.files).notices
        failures = asyncio.run(_build(loaded, environ, sources))
    except ConfigError as error:
        if error.path != "$.app_path":  # found before, with the file that says so
            issues += _lines(error)
    else:
        issues += [f"{failure.source}: {failure.message}" for failure in failures]
    return LintReport(tuple(issues), tuple(notices))


async def _build(
    loaded: LoadedConfig, environ: Mapping[str, str], sources: SourceFiles
) -> tuple[LoadFailure, ...]:
    """Build a snapshot as a worker does, and throw it away."""
    config: Config = loaded.config
    loop = asyncio.get_running_loop()
    clock = Clock(loop)
    pools = UpstreamPools(clock, loop)
    hosts = make_hosts(config, "", 0)
    builder = Builder(config, environ, hosts.by_driver, pools)
    try:
        snapshot = await builder.build(sources.files)
        builder.discard(snapshot)
        return snapshot.failures
    finally:
        pools.abort()
        clock.stop()
        await hosts.stop()


def _lines(error: ConfigError) -> tuple[str, ...]:
    errors = error.errors if isinstance(error, ConfigErrors) else (error,)
    return tuple(str(each) for each in errors)
