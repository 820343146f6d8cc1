"""`make demo` keeps its promises: every line it prints is run and shows what it says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "demo"
ENTRY = re.compile(r"^ ?\d+\. (.+)\n    (curl .+)\n    shows: (.+)$", re.MULTILINE)
START_SECONDS = 45.0

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the demo's lines use curl")


@dataclass
class Demo:
    process: subprocess.Popen[str]
    introduction: str
    log: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    log = tmp_path_factory.mktemp("demo") / "stderr"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(DEMO / "run.py"), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            # As under make: the terminal's Ctrl-C is sent to the group.
            start_new_session=True,
        )
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        lines = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C ends the demo" in line:
                break
        else:
            pytest.fail(f"the demo did not start:\n{log.read_text()}")
        watchdog.cancel()
        yield Demo(process, "".join(lines), log)
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


@needs_curl
def test_every_printed_line_shows_what_it_says(demo: Demo) -> None:
    entries = ENTRY.findall(demo.introduction)
    assert len(entries) == demo.introduction.count("curl ") > 8
    for about, command, shows in entries:
        done = subprocess.run(
            ["sh", "-c", f"{command} -s"], capture_output=True, text=True, timeout=20, check=True
        )
        assert shows in done.stdout, f"{about}\n{command}\n{done.stdout}\n{demo.log.read_text()}"


@needs_curl
def test_the_access_log_names_request_and_hooks(demo: Demo) -> None:
    address = re.search(r"http://127\.0\.0\.1:\d+", demo.introduction)
    assert address is not None
    subprocess.run(
        ["curl", "-s", "-o", "/dev/null", f"{address[0]}/javascript/logged"], check=True, timeout=20
    )
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0
    line = next(line for line in demo.log.read_text().splitlines() if "/javascript/logged" in line)
    assert "prefix=access-log" in line
    assert "greet" in line
    assert "guard" in line


def test_ctrl_c_ends_everything(demo: Demo) -> None:
    if demo.process.poll() is None:
        os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.process.wait(30) == 0
    pid = re.search(r"kill -HUP (\d+)", demo.introduction)
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid[1]), 0)
