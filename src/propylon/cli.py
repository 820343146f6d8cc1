"""The command `propylon`: start (the default), lint, version, plugin check.

Exit codes: 0 done, 1 lint found issues, 2 wrong usage, 69 something needed is not to be had, 70 a
fault of ours, 78 wrong configuration, 128+n ended by signal n. What went wrong is one line on
stderr. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from propylon import __version__
from propylon.errors import ConfigError
from propylon.processes.errors import StartError

if TYPE_CHECKING:
    from propylon.config.model import Config
    from propylon.lint import LintReport

EXIT_INTERRUPTED = 130  # 128 + SIGINT

# Flags of `tyk` that switch on Go tooling: a service file that has one must still start us.
IGNORED_FLAGS = (
    "httpprofile",
    "memprofile",
    "cpuprofile",
    "blockprofile",
    "mutexprofile",
    "log-instrumentation",
)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The flags that `start` and `lint` share; each may stand before or after the command."""

    conf: str | None = None
    port: int | None = None
    debug: bool = False

    def overridden_by(self, later: StartOptions) -> StartOptions:
        """Return these options with those of `later` that were given."""
        return StartOptions(
            conf=self.conf if later.conf is None else later.conf,
            port=self.port if later.port is None else later.port,
            debug=self.debug or later.debug,
        )


def _start_options(command: F) -> F:
    for flag in IGNORED_FLAGS:
        command = click.option(f"--{flag}", is_flag=True, hidden=True, expose_value=False)(command)
    command = click.option("--debug", is_flag=True, help="Log at level debug.")(command)
    command = click.option(
        "--port",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help="Listen on PORT instead of `listen_port`; 0 takes a free one.",
    )(command)
    return click.option(
        "--conf",
        metavar="FILE",
        help="Read FILE and no other. Default: ./tyk.conf, then /etc/tyk/tyk.conf.",
    )(command)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(version)s")
@_start_options
@click.pass_context
def cli(ctx: click.Context, conf: str | None, port: int | None, debug: bool) -> None:
    """An API gateway. Without a command it starts."""
    ctx.obj = StartOptions(conf, port, debug)
    if ctx.invoked_subcommand is None:
        ctx.exit(_start(ctx.obj))


@cli.command()
@_start_options
@click.pass_obj
@click.pass_context
def start(
    ctx: click.Context, options: StartOptions, conf: str | None, port: int | None, debug: bool
) -> None:
    """Start the gateway (the default)."""
    ctx.exit(_start(options.overridden_by(StartOptions(conf, port, debug))))


@cli.command()
@_start_options
@click.pass_obj
@click.pass_context
def lint(
    ctx: click.Context, options: StartOptions, conf: str | None, port: int | None, debug: bool
) -> None:
    """Check the configuration and every API definition; change nothing."""
    path = options.overridden_by(StartOptions(conf, port, debug)).conf
    report = _lint(path)
    shown = path or _found_conf()
    if report.issues:
        click.echo(f"issues found in {shown}:")
        for issue in report.issues:
            click.echo(issue)
    else:
        click.echo(f"found no issues in {shown}")
    for notice in report.notices:
        click.echo(f"notice: {notice}")
    ctx.exit(1 if report.issues else 0)


def _lint(path: str | None) -> LintReport:
    """Lint in silence: what building would log stands in the report."""
    from propylon.config.model import Config
    from propylon.lint import lint as find_issues
    from propylon.observe.logs import configure

    descriptor = os.open(os.devnull, os.O_WRONLY)
    writer = configure(Config(), descriptor=descriptor)
    try:
        return find_issues(path, os.environ)
    finally:
        writer.close()
        os.close(descriptor)


def _found_conf() -> str:
    from propylon.config.load import SEARCH_LIST

    found = (path for path in SEARCH_LIST if Path(path).is_file())
    return next(found, "the built-in configuration")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def version(as_json: bool) -> None:
    """Print what this is, in the six lines that `tyk version` prints."""
    facts = _VersionFacts()
    click.echo(facts.as_json() if as_json else facts.as_text())


class _VersionFacts:
    """What can be said about this build. It is installed from source, so nobody stamped it."""

    built_by = "unknown"
    build_date = "unknown"
    commit = "unknown"

    def __init__(self) -> None:
        self.os = sys.platform
        machine = platform.machine().lower()
        # Go's names: scripts written for `tyk version` compare with them.
        self.arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
        self.runtime = f"none (Python {platform.python_version()})"

    def as_text(self) -> str:
        lines = {
            "Release version": __version__,
            "Built by": self.built_by,
            "Build date": self.build_date,
            "Commit": self.commit,
            "Go version": self.runtime,
            "OS/Arch": f"{self.os}/{self.arch}",
        }
        return "\n".join(f"{label}: {value}" for label, value in lines.items())

    def as_json(self) -> str:
        document = {
            "Version": __version__,
            "BuiltBy": self.built_by,
            "BuildDate": self.build_date,
            "Commit": self.commit,
            "Go": {"Os": self.os, "Arch": self.arch, "Version": self.runtime},
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


@cli.group()
def plugin() -> None:
    """Tools for plugin authors."""


@plugin.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def check(ctx: click.Context, command: tuple[str, ...]) -> None:
    """Run a stdio plugin through the conformance checks: plugin check -- COMMAND ARGS."""
    from propylon.plugins.check import main as check_plugin

    ctx.exit(check_plugin(list(command)))


def _start(options: StartOptions) -> int:
    """Load the configuration, begin to log, run until told to stop."""
    from propylon.config.files import check_files
    from propylon.config.load import load_config
    from propylon.observe.logs import configure, get_logger
    from propylon.processes.supervisor import run_gateway

    loaded = load_config(options.conf, os.environ, port=options.port)
    check_files(loaded)
    config = _debugging(loaded.config) if options.debug else loaded.config
    writer = configure(config)
    try:
        log = get_logger("main")
        log.info("configuration loaded", source=loaded.source or "built-in defaults")
        for notice in loaded.notices:
            log.warning(str(notice))
        return run_gateway(config)
    finally:
        writer.close()


def _debugging(config: Config) -> Config:
    return msgspec.structs.replace(config, log_level="debug")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code and say on stderr what went wrong."""
    try:
        result = cli.main(arguments, prog_name="propylon", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except (ConfigError, StartError) as error:
        click.echo(f"propylon: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of `propylon version | head` has gone; a flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    return result if isinstance(result, int) else 0
