"""The commands of README and docs do what the pages say: they are run from the pages themselves.

A fenced block says after its language what becomes of it: `file=NAME` is written, `run` is run,
`background` is started and waited for, `checkout` stands for a make target of the checkout,
`example` is not run. `text shows` holds lines that the output before it must have.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
PAGES = [ROOT / "README.md", *TUTORIALS]
ALL_PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

BLOCK = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PORTS = ("8080", "9000")
KINDS = {"run", "background", "checkout", "example"}
WAIT_SECONDS = 20.0

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the commands use curl")


@dataclass(frozen=True)
class Block:
    language: str
    mark: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*match.groups()) for match in BLOCK.finditer(page.read_text())]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@dataclass
class Reader:
    """Somebody who follows a page in an empty folder."""

    folder: Path
    ports: dict[str, str] = field(default_factory=lambda: {port: free_port() for port in PORTS})
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    last: str = ""

    def adapt(self, text: str) -> str:
        for written, actual in self.ports.items():
            text = text.replace(written, actual)
        return text

    def environ(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path}

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.adapt(text))

    def run(self, text: str) -> str:
        done = subprocess.run(
            ["sh", "-ec", self.adapt(text)],
            cwd=self.folder,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, text: str) -> None:
        waited_for = {self.port_of(text)}
        with (self.folder / "background.log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", f"exec {self.adapt(text)}"],
                cwd=self.folder,
                env=self.environ(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        for port in waited_for:
            self.wait_for(port, process)

    def port_of(self, command: str) -> str:
        """The port that a command names, else that of its configuration: the gateway's."""
        return next((actual for said, actual in self.ports.items() if said in command), "") or (
            self.ports["8080"]
        )

    def wait_for(self, port: str, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
                return
            except OSError:
                assert process.poll() is None, (self.folder / "background.log").read_text()
                assert time.monotonic() < end

    def expect(self, lines: str, command: str) -> None:
        """Look for the lines; run again while a reload may still be under way."""
        end = time.monotonic() + WAIT_SECONDS
        while missing := [line for line in lines.splitlines() if line not in self.last]:
            log = (self.folder / "background.log").read_text()
            assert time.monotonic() < end, f"{command}\n{missing} not in\n{self.last}\n{log}"
            self.last = self.run(command)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    for process in reversed(reader.started):
        process.terminate()
        assert process.wait(WAIT_SECONDS) is not None


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.name)
def test_tutorial(page: Path, reader: Reader) -> None:
    command = ""
    for block in blocks(page):
        match block.mark.partition("="):
            case ("file", _, name):
                reader.write(name, block.text)
            case ("run", _, _):
                command = block.text
                reader.last = reader.run(command)
            case ("background", _, _):
                reader.start(block.text)
            case ("shows", _, _):
                reader.expect(block.text, command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_says_what_becomes_of_it(page: Path) -> None:
    unmarked = [
        block.text
        for block in blocks(page)
        if block.language in ("sh", "console", "") and block.mark not in KINDS
    ]
    assert unmarked == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    for block in blocks(page):
        if block.mark == "checkout":
            for line in block.text.splitlines():
                program, *targets = line.split()
                assert program == "make"
                subprocess.run(
                    ["make", "-n", "-C", str(ROOT), *targets],
                    check=True,
                    capture_output=True,
                    timeout=WAIT_SECONDS,
                )


def test_make_demo_runs_and_ends(tmp_path: Path) -> None:
    """The first command of the README, in an environment that is installed already."""
    stamp = tmp_path / "installed"
    stamp.touch()
    demo = subprocess.Popen(
        ["make", "-C", str(ROOT), f"VENV={sys.prefix}", f"STAMP={stamp}", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert demo.stdout is not None
        assert any(b"Ctrl-C ends the demo" in line for line in demo.stdout)
    finally:
        # What a terminal does on Ctrl-C.
        os.killpg(demo.pid, 2)
        demo.communicate(timeout=WAIT_SECONDS)


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
