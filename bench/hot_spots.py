"""Where the CPU of a request goes: by library (perf), and by function of the gateway (py-spy).

The cost per request and its kernel part are measured first, without a sampler; the samples only
divide it. perf sees kernel and libraries and does not know Python's functions. py-spy knows them,
but stops the worker for a look, which happens more often at system calls than elsewhere: its
samples inside system calls are left out, the rest divides what is not kernel. Each table is left
out when its program is missing (`apt-get install linux-perf`, `pip install py-spy`).

    python bench/hot_spots.py [--seconds 8] [--path /keyless/1k] [--rows 25]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import servers
from load import apply_load
from servers import OTHER_CORE

SAMPLES_PER_SECOND = 400

_FRAME = re.compile(r"(.+) \((.+)\)")
_LIBRARY = re.compile(r"^\s+([\d.]+)%\s+(\S+)", re.MULTILINE)
_OURS = "propylon/"
_LOOP = "uv_run"
_SYSCALLS = frozenset({"write", "writev", "sendmsg", "read", "recv", "epoll_pwait", "epoll_ctl"})


def by_library(pid: int, seconds: float, out: Path) -> Counter[str]:
    """Return the share of each library, and of the kernel, of the worker's samples."""
    record = ["perf", "record", "-F", "997", "-o", str(out), "-p", str(pid)]
    _run([*record, "--", "sleep", f"{seconds:.0f}"], seconds)
    report = _run(["perf", "report", "-i", str(out), "--sort", "dso", "--stdio"], seconds)
    shares: Counter[str] = Counter()
    for share, name in _LIBRARY.findall(report):
        shares[name.split(".cpython")[0]] += float(share)
    return shares


def by_function(pid: int, seconds: float, out: Path) -> Counter[str]:
    """Count samples outside the kernel by the innermost function of the gateway."""
    # On the worker's core the sampler would run when the worker lets it, and see that moment.
    command = ["taskset", "-c", str(OTHER_CORE), "py-spy", "record", "--native"]
    command += ["--format", "raw", "--rate", str(SAMPLES_PER_SECOND), "--output", str(out)]
    _run([*command, "--duration", f"{seconds:.0f}", "--pid", str(pid)], seconds)
    places: Counter[str] = Counter()
    for line in out.read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        where = place(stack)
        if where is not None:
            places[where] += int(samples)
    return places


def place(stack: str) -> str | None:
    """Name what a sample counts for, None if nothing; `stack` is outermost first."""
    if _LOOP not in stack:
        return None  # another thread, waiting
    matches = [_FRAME.fullmatch(frame) for frame in stack.split(";")]
    frames = [(match[1], match[2]) for match in matches if match is not None]
    name, file = frames[-1]
    if name in _SYSCALLS and "libc" in file:
        return None
    for name, file in reversed(frames):
        if _OURS in file and "processes/" not in file:
            return f"{file.partition(_OURS)[2].rpartition(':')[0]}: {name}"
    return "uvloop, outside our functions"


def _run(command: list[str], seconds: float) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return done.stdout


def table(title: str, shares: Counter[str], micros: float, rows: int) -> str:
    total = shares.total()
    lines = [f"| {title} | share | us |", "|---|---|---|"]
    shown = shares.most_common(rows)
    shown.append(("everything else", total - sum(count for _, count in shown)))
    for name, count in shown:
        lines.append(f"| {name} | {count / total:.1%} | {count / total * micros:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--path", default="/keyless/1k", help="/keyless/1k, /js1/1k, /keyless/1m")
    parser.add_argument("--rows", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        os.chmod(scratch, 0o755)  # noqa: PTH101 - nginx's worker is not root
        folder = Path(scratch)
        upstream = servers.start_upstream(folder)
        stack.callback(upstream.program.stop)
        apis = [
            servers.definition("keyless", upstream),
            servers.definition("js1", upstream, **servers.javascript(1)),
        ]
        gateway = servers.Gateway(folder / "gateway", apis, None)
        stack.callback(gateway.program.stop)
        report(gateway, folder, arguments)


def report(gateway: servers.Gateway, folder: Path, arguments: argparse.Namespace) -> None:
    url = gateway.url(arguments.path)
    seconds = arguments.seconds
    before = gateway.program.cpu()
    load = apply_load(url, seconds, {OTHER_CORE})
    used = gateway.program.cpu() - before
    micros, kernel = (each / load.requests * 1e6 for each in (used.total, used.system))
    print(f"{arguments.path}: {micros:.1f} us per request, {kernel:.1f} of it in the kernel\n")
    worker = gateway.program.pids()[-1]
    for program, divide, title, part in (
        ("perf", by_library, "library", micros),
        ("py-spy", by_function, "function, without system calls", micros - kernel),
    ):
        if shutil.which(program) is None:
            print(f"{program} is not installed\n")
            continue
        # The samplers need a moment to start; the load outlasts them.
        thread = threading.Thread(target=apply_load, args=(url, seconds + 4, {OTHER_CORE}))
        thread.start()
        shares = divide(worker, seconds, folder / program)
        thread.join()
        print(table(title, shares, part, arguments.rows))


if __name__ == "__main__":
    main()
