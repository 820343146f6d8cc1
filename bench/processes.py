"""CPU time and memory of process trees, from /proc, and programs bound to cores."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.user - other.user, self.system - other.system)


class Program:
    """A child process bound to one core, ended by `stop`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        log: Path,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                stdout=out,
                stderr=out,
                cwd=cwd,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )

    def wait_for_port(self, port: int) -> None:
        """Return once something listens; raise with the program's words when it ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"did not start:\n{self.log.read_text()[-3000:]}") from None
                time.sleep(0.02)

    def pids(self, *, without: str = "") -> list[int]:
        """Return the process and its descendants; `without` leaves out trees by command line."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = _stat(int(entry.name))
                if fields:
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            if without and without in _command_line(pid):
                continue
            found.append(pid)
            waiting += children.get(pid, [])
        return found

    def cpu(self, *, without: str = "") -> Cpu:
        user = system = 0
        for pid in self.pids(without=without):
            fields = _stat(pid)
            if fields:
                user += int(fields[11])
                system += int(fields[12])
        return Cpu(user / TICKS, system / TICKS)

    def memory_bytes(self) -> int:
        """Return the memory of the tree, shared pages divided among those who share them."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name; empty when the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
