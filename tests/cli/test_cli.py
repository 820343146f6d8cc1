"""The command line: exit codes, messages, and a start with the real gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from propylon import __version__

WAIT_SECONDS = 30
EXAMPLE_PLUGIN = Path(__file__).parents[2] / "examples" / "stdio" / "python" / "plugin.py"


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "propylon", *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Return a small configuration that can start."""
    (tmp_path / "apps").mkdir()
    path = tmp_path / "tyk.conf"
    path.write_text(
        json.dumps(
            {
                "listen_address": "127.0.0.1",
                "listen_port": 1,
                "app_path": str(tmp_path / "apps"),
                "pid_file_location": str(tmp_path / "pid"),
                "log_format": "json",
            }
        )
    )
    return path


def test_version_flag(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_version_has_six_lines(tmp_path: Path) -> None:
    done = run("version", cwd=tmp_path)
    labels = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert labels == [
        "Release version",
        "Built by",
        "Build date",
        "Commit",
        "Go version",
        "OS/Arch",
    ]


def test_version_as_json(tmp_path: Path) -> None:
    document = json.loads(run("version", "--json", cwd=tmp_path).stdout)
    assert list(document) == ["Version", "BuiltBy", "BuildDate", "Commit", "Go"]
    assert set(document["Go"]) == {"Os", "Arch", "Version"}


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_the_commands_and_hides_go_flags(tmp_path: Path, flag: str) -> None:
    done = run(flag, cwd=tmp_path)
    assert done.returncode == 0
    for word in ("start", "lint", "version", "plugin", "--conf", "--port", "--debug"):
        assert word in done.stdout
    assert "memprofile" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["strat"], "start"),
        (["--cnof", "x"], "--conf"),
        (["--port", "http"], "'http' is not a valid integer"),
        (["--port", "70000"], "70000"),
        (["plugin", "check"], "COMMAND"),
    ],
)
def test_wrong_usage_is_2_and_says_what_was_meant(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_row_001_conf_is_the_only_file_read(conf: Path) -> None:
    done = run("--conf", "missing.conf", cwd=conf.parent)
    assert done.returncode == 78
    assert done.stderr.startswith("propylon: missing.conf: ")
    assert len(done.stderr.splitlines()) == 1


def test_broken_configuration_is_one_line_and_78(conf: Path) -> None:
    conf.write_text('{"listen_port": "eighty"}')
    done = run("--conf", str(conf), cwd=conf.parent)
    assert done.returncode == 78
    assert "listen_port" in done.stderr
    assert "Traceback" not in done.stderr


def test_lint_finds_nothing(conf: Path) -> None:
    before = conf.read_bytes()
    done = run("lint", "--conf", str(conf), cwd=conf.parent)
    assert (done.returncode, done.stdout) == (0, f"found no issues in {conf}\n")
    assert conf.read_bytes() == before


def test_lint_lists_issues(conf: Path) -> None:
    (conf.parent / "apps" / "broken.json").write_text("{")
    done = run("--conf", str(conf), "lint", cwd=conf.parent)
    assert done.returncode == 1
    first, *issues = done.stdout.splitlines()
    assert first == f"issues found in {conf}:"
    assert any("broken.json" in issue for issue in issues)


def test_lint_notices_are_no_issues(conf: Path) -> None:
    settings = json.loads(conf.read_text())
    conf.write_text(json.dumps({**settings, "listen_prot": 1}))
    done = run("lint", "--conf", str(conf), cwd=conf.parent)
    assert done.returncode == 0
    first, notice = done.stdout.splitlines()
    assert first == f"found no issues in {conf}"
    assert notice.startswith(f"notice: {conf}: $.listen_prot: unknown key")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"app_path": "/nonexistent"}, '$.app_path: "/nonexistent", expected a folder'),
        (
            {"http_server_options": {"use_ssl": True}},
            "$.http_server_options.use_ssl: true, but",
        ),
        (
            {
                "http_server_options": {
                    "use_ssl": True,
                    "certificates": [{"cert_file": "/nonexistent.pem", "key_file": "/k"}],
                }
            },
            '$.http_server_options.certificates[0].cert_file: "/nonexistent.pem" cannot be read',
        ),
    ],
)
def test_files_of_the_configuration_are_named_with_it(
    conf: Path, change: dict[str, Any], complaint: str
) -> None:
    conf.write_text(json.dumps({**json.loads(conf.read_text()), **change}))
    done = run("--conf", str(conf), cwd=conf.parent)
    assert done.returncode == 78
    assert done.stderr.startswith(f"propylon: {conf}: {complaint}")


class Running:
    """The real gateway, started from the command line."""

    def __init__(self, *arguments: str, cwd: Path, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "propylon", *arguments],
            cwd=cwd,
            env={**os.environ, **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, Any]] = []

    def logged(self, message: str) -> dict[str, Any]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["message"] == message:
                return self.log[-1]
        raise AssertionError(self.log)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        self.log += [json.loads(line) for line in self.process.stderr]
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def running() -> Iterator[list[Running]]:
    started: list[Running] = []
    yield started
    for each in started:
        each.close()


@pytest.mark.parametrize("command", [[], ["start"]])
def test_row_010_port_wins_and_start_is_the_default(
    conf: Path, running: list[Running], command: list[str]
) -> None:
    gateway = Running(*command, "--conf", str(conf), "--port", "0", "--memprofile", cwd=conf.parent)
    running.append(gateway)
    port = gateway.logged("listening")["port"]
    gateway.logged("gateway started")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10) as answer:
        assert answer.status == 200
    assert gateway.end() == 0
    assert gateway.log[-1]["message"] == "gateway stopped"


def test_row_001_tyk_conf_of_the_working_directory(conf: Path, running: list[Running]) -> None:
    gateway = Running("--port", "0", cwd=conf.parent)
    running.append(gateway)
    assert gateway.logged("configuration loaded")["source"] == "tyk.conf"
    gateway.logged("gateway started")
    assert gateway.end() == 0


def test_one_stdio_child_for_two_workers(conf: Path, running: list[Running]) -> None:
    settings = json.loads(conf.read_text())
    settings["workers"] = 2
    settings["coprocess_options"] = {
        "enable_coprocess": True,
        "coprocess_command": sys.executable,
        "coprocess_args": [str(EXAMPLE_PLUGIN)],
    }
    conf.write_text(json.dumps(settings))
    gateway = Running("--conf", str(conf), "--port", "0", cwd=conf.parent)
    running.append(gateway)
    gateway.logged("gateway started")
    children = subprocess.run(
        ["ps", "-ww", "-o", "args=", "--ppid", str(gateway.process.pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    workers = [line for line in children if "worker_main" in line]
    plugins = [line for line in children if line.endswith(str(EXAMPLE_PLUGIN))]
    assert (len(workers), len(plugins), len(children)) == (2, 1, 3)
    assert gateway.end() == 0


def test_plugin_check_passes_the_command_on(tmp_path: Path) -> None:
    done = run("plugin", "check", "--", "/nonexistent/plugin", "--flag", cwd=tmp_path)
    assert done.returncode not in (0, 2)
    assert "Traceback" not in done.stderr
