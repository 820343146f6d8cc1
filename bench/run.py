"""CPU per request of the gateway beside nginx and a bare proxy, measured in one run.

The proxies share one core, upstream and load have the other. One is loaded at a time, in rounds, so
that what else happens on the machine meets all of them; the median of the rounds counts. Needs
Linux.

    python bench/run.py [--seconds 3] [--rounds 3] [--only WORD] [--apis 2000]
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import servers
from load import CONNECTIONS, LoadError, apply_load
from servers import OTHER_CORE, PLUGIN_MARK, Gateway, Server

MIB = 1024 * 1024

BARE = "bare proxy"
NGINX = "nginx"
KEYLESS = "gateway, no hook"


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that are compared with each other: the same bodies."""

    title: str
    cases: tuple[Case, ...]


@dataclass(slots=True)
class Case:
    label: str
    server: Server
    path: str
    body_bytes: int = 0
    micros: list[float] = field(default_factory=list)
    "CPU per request of the proxy, one per round."
    system_micros: list[float] = field(default_factory=list)
    plugin_micros: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        program = self.server.program
        before = program.cpu(without=PLUGIN_MARK)
        whole_before = program.cpu()
        url = self.server.url(self.path)
        load = apply_load(url, seconds, {OTHER_CORE}, self.body_bytes)
        used = program.cpu(without=PLUGIN_MARK) - before
        whole = program.cpu() - whole_before
        self.micros.append(used.total / load.requests * 1e6)
        self.system_micros.append(used.system / load.requests * 1e6)
        self.plugin_micros.append((whole.total - used.total) / load.requests * 1e6)
        self.rates.append(load.requests / load.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.micros)


@dataclass(frozen=True, slots=True)
class Field:
    """Everything that takes part."""

    groups: tuple[Group, ...]
    many: Gateway
    many_memory_bytes: int
    single_memory_bytes: int


def start_field(folder: Path, stack: ExitStack, apis: int) -> Field:
    def started(server: Server) -> Server:
        stack.callback(server.program.stop)
        return server

    upstream = started(servers.start_upstream(folder))
    nginx = servers.start_nginx_proxy(folder, upstream)
    if nginx is None:
        print("nginx is not installed: no ratios to it", file=sys.stderr)
    else:
        started(nginx)
    bare = started(servers.start_bare_proxy(folder, upstream))

    definitions = [
        servers.definition("keyless", upstream),
        servers.definition("js1", upstream, **servers.javascript(1)),
        servers.definition("js3", upstream, **servers.javascript(3)),
    ]
    stdio = [
        servers.definition("stdio1", upstream, **servers.stdio(1)),
        servers.definition("stdio3", upstream, **servers.stdio(3)),
    ]
    main = Gateway(folder / "main", definitions, None)
    started(main)
    hooked = []
    for name, plugin in _plugins(folder):
        gateway = Gateway(folder / name.lower(), stdio, plugin)
        started(gateway)
        hooked += [
            Case(f"gateway, {count} stdio hook{'s' * (count > 1)} ({name})", gateway, path)
            for count, path in ((1, "/stdio1/1k"), (3, "/stdio3/1k"))
        ]
    many = Gateway(
        folder / "many",
        [
            servers.definition(f"api-{number}", upstream, **servers.javascript(1))
            for number in range(apis - 1)
        ]
        + [servers.definition("plain-one", upstream)],
        None,
    )
    started(many)
    memory = many.program.memory_bytes()
    single_memory = main.program.memory_bytes()

    def proxies(path: str, body_bytes: int = 0) -> tuple[Case, ...]:
        made = [Case(NGINX, nginx, path, body_bytes)] if nginx else []
        made.append(Case(BARE, bare, path, body_bytes))
        return (*made, Case(KEYLESS, main, "/keyless" + path, body_bytes))

    return Field(
        (
            Group(
                "1 KiB answers",
                (
                    *proxies("/1k"),
                    Case("gateway, 1 JavaScript hook", main, "/js1/1k"),
                    Case("gateway, 3 JavaScript hooks", main, "/js3/1k"),
                    *hooked,
                    Case(f"gateway, no hook, 1 of {apis} APIs", many, "/plain-one/1k"),
                    Case(f"gateway, 1 JavaScript hook, 1 of {apis} APIs", many, "/api-7/1k"),
                ),
            ),
            Group("1 KiB requests", proxies("/1k", 1024)),
            Group("1 MiB answers", proxies("/1m")),
            Group("1 MiB requests", proxies("/read", MIB)),
        ),
        many,
        memory,
        single_memory,
    )


def _plugins(folder: Path) -> Iterator[tuple[str, list[str]]]:
    script = folder / "plugin.py"
    script.write_text(servers.PYTHON_PLUGIN)
    yield "Python", [sys.executable, str(script), PLUGIN_MARK]
    if shutil.which("node"):
        script = folder / "plugin.js"
        script.write_text(servers.NODE_PLUGIN)
        yield "Node", ["node", str(script), PLUGIN_MARK]


def table(group: Group) -> str:
    """Return a Markdown table of one group."""
    measured = [case for case in group.cases if case.micros]
    by_label = {case.label: case for case in measured}
    lines = [
        f"**{group.title}**",
        "",
        "| | CPU us/request | of it kernel | x nginx | x bare proxy | plugin us | requests/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in measured:
        ratios = [
            f"{case.median / by_label[base].median:.2f}" if base in by_label else "-"
            for base in (NGINX, BARE)
        ]
        plugin = statistics.median(case.plugin_micros)
        lines.append(
            f"| {case.label} | {case.median:.1f} | {statistics.median(case.system_micros):.1f} "
            f"| {ratios[0]} | {ratios[1]} | {f'{plugin:.1f}' if plugin > 0.5 else '-'} "
            f"| {statistics.median(case.rates):,.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measure only labels that hold this word")
    parser.add_argument("--apis", type=int, default=2000)
    arguments = parser.parse_args()
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        sys.exit("the benchmark needs Linux (/proc, taskset) and two cores")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        os.chmod(scratch, 0o755)  # noqa: PTH101 - nginx's worker is not root
        everything = start_field(Path(scratch), stack, arguments.apis)
        for round_number in range(arguments.rounds):
            for group in everything.groups:
                for case in group.cases:
                    if arguments.only in case.label:
                        _measure(case, arguments.seconds, warm_up=round_number == 0)
        print(_machine(arguments))
        for group in everything.groups:
            print(table(group))
        print(_many(everything, arguments.apis))


def _measure(case: Case, seconds: float, *, warm_up: bool) -> None:
    try:
        if warm_up:
            apply_load(case.server.url(case.path), 1, {OTHER_CORE}, case.body_bytes)
        case.measure(seconds)
    except LoadError as error:
        sys.exit(f"{case.label}: {error}\n{case.server.program.log.read_text()[-3000:]}")
    print(f"{case.label}: {case.micros[-1]:.1f} us", file=sys.stderr)


def _machine(arguments: argparse.Namespace) -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return (
        f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}; {CONNECTIONS} in flight, "
        f"median of {arguments.rounds} rounds of {arguments.seconds:.0f} s, "
        f"load by {'wrk' if shutil.which('wrk') else 'bench/load.py'}\n"
    )


def _many(everything: Field, apis: int) -> str:
    extra = everything.many_memory_bytes - everything.single_memory_bytes
    return (
        f"{apis} APIs, each but one with a JavaScript hook: ready "
        f"{everything.many.load_seconds:.1f} s after the start; "
        f"{everything.many_memory_bytes / MIB:.0f} MiB, which is "
        f"{extra / 1024 / apis:.0f} KiB per API more than a gateway with three APIs\n"
    )


if __name__ == "__main__":
    main()
