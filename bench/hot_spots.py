"""Where the CPU of a request goes: samples of the worker, by function of ours and by system call.

The cost per request is measured first, without the sampler; the samples only divide it. A sample
counts for the system call it is in, else for the innermost function of the gateway, which so
answers for the C code that it calls, else for uvloop. Needs py-spy (`pip install py-spy`) and the
right to trace processes.

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
_OURS = "propylon/"
_LOOP = "uv_run"
_SYSCALLS = {
    "write": "kernel: write",
    "writev": "kernel: write",
    "sendmsg": "kernel: write",
    "read": "kernel: read",
    "recv": "kernel: read",
    "recvmsg": "kernel: read",
    "epoll_pwait": "kernel: epoll",
    "epoll_wait": "kernel: epoll",
    "epoll_ctl": "kernel: epoll",
}


def place(stack: str) -> str:
    """Name what a sample counts for; `stack` is outermost first, divided by semicolons."""
    frames = [_FRAME.fullmatch(frame) for frame in stack.split(";")]
    known = [(match[1], match[2]) for match in frames if match is not None]
    for name, file in reversed(known[-2:]):
        short = name.removeprefix("__libc_").removeprefix("__")
        if short in _SYSCALLS and ("libc" in file or "pthread" in file or "syscall" in file):
            return _SYSCALLS[short]
    for name, file in reversed(known):
        if _OURS in file and "processes/" not in file:
            return f"{file.partition(_OURS)[2].rpartition(':')[0]}: {name}"
    return "uvloop, outside our functions"


def count(raw: str) -> Counter[str]:
    """Count the samples of py-spy's raw format by place."""
    places: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, samples = line.rpartition(" ")
        # Other threads wait; py-spy takes a lock for work.
        if _LOOP not in stack:
            continue
        places[place(stack)] += int(samples)
    return places


def sample(pid: int, seconds: float, out: Path) -> str:
    command = ["py-spy", "record", "--native", "--format", "raw", "--rate", str(SAMPLES_PER_SECOND)]
    command += ["--duration", f"{seconds:.0f}", "--pid", str(pid), "--output", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60)
    return out.read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--path", default="/keyless/1k", help="/keyless/1k, /js1/1k, /keyless/1m")
    parser.add_argument("--rows", type=int, default=25)
    arguments = parser.parse_args()
    if shutil.which("py-spy") is None:
        sys.exit("py-spy is not installed")
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
        url = gateway.url(arguments.path)

        before = gateway.program.cpu()
        load = apply_load(url, arguments.seconds, {OTHER_CORE})
        micros = (gateway.program.cpu() - before).total / load.requests * 1e6

        worker = gateway.program.pids()[-1]
        # The sampler stops its target for every sample; the load outlasts it.
        thread = threading.Thread(
            target=apply_load, args=(url, arguments.seconds + 4, {OTHER_CORE})
        )
        thread.start()
        places = count(sample(worker, arguments.seconds, folder / "samples"))
        thread.join()
    print(table(places, micros, arguments.rows))


def table(places: Counter[str], micros: float, rows: int) -> str:
    total = places.total()
    lines = [f"{micros:.1f} us per request, {total} samples", "", "| where | share | us |"]
    lines.append("|---|---|---|")
    shown = places.most_common(rows)
    for name, samples in shown:
        lines.append(f"| {name} | {samples / total:.1%} | {samples / total * micros:.1f} |")
    rest = total - sum(samples for _, samples in shown)
    lines.append(f"| everything else | {rest / total:.1%} | {rest / total * micros:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
