"""The real program, started as operators start it: files, a command line, its log, its signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_SECONDS = 30.0
STOP_SECONDS = 30.0


class GatewayProcess:
    """One gateway in `folder`: `tyk.conf`, `apps/`, and what the test puts beside them.

    `config` is merged over `base_config`; `definitions` become `apps/<api_id>.json`. It starts on
    entry, when it has said where it listens, and is ended on exit.
    """

    def __init__(
        self,
        folder: Path,
        definitions: Sequence[Mapping[str, Any]] = (),
        *,
        config: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.apps = folder / "apps"
        self.apps.mkdir(parents=True, exist_ok=True)
        self.log: list[dict[str, Any]] = []
        self.port = 0
        self._environ = {**os.environ, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._grown = threading.Condition()
        self._has_ended = False
        self._reader: threading.Thread | None = None
        merged = {**base_config(folder), **(config or {})}
        (folder / "tyk.conf").write_text(json.dumps(merged, indent=2))
        for definition in definitions:
            self.write_definition(definition)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def write_definition(self, definition: Mapping[str, Any]) -> None:
        (self.apps / f"{definition['api_id']}.json").write_text(json.dumps(definition, indent=2))

    def start(self) -> None:
        command = [sys.executable, "-m", "propylon", "--conf", str(self.folder / "tyk.conf")]
        self._process = subprocess.Popen(
            [*command, "--port", "0"],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self.port = int(self.wait_for_log("listening", listener="main")["port"])
            self.wait_for_log("gateway started")
        except BaseException:
            self.stop()
            raise

    def reload(self) -> None:
        """Ask for a reload by signal; wait for its log line with `wait_for_log`."""
        self.send_signal(signal.SIGHUP)

    def send_signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """End it gently, or after `STOP_SECONDS` for good; return its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.terminate()
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if self._reader is not None:
            self._reader.join(STOP_SECONDS)
        if process.stderr is not None:
            process.stderr.close()
        self._process = None
        return code

    # -- its log -------------------------------------------------------------------------------

    def wait_for_log(self, message: str, *, since: int = 0, **fields: object) -> dict[str, Any]:
        """Return the first line with this message and these fields.

        `since` is an index into `log`: take `len(gateway.log)` before what should cause the line.
        """
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [line for line in self.log[since:] if _matches(line, message, fields)]
            return bool(found) or self._has_ended

        with self._grown:
            self._grown.wait_for(is_there, START_SECONDS)
        if not found:
            seen = "\n".join(json.dumps(each) for each in self.log[-40:])
            raise AssertionError(f"no log line {message!r} {fields}; the log:\n{seen}")
        return found[0]

    def _read_log(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"message": raw.decode("utf-8", "replace").rstrip("\n"), "level": "raw"}
            with self._grown:
                self.log.append(line)
                self._grown.notify_all()
        with self._grown:
            self._has_ended = True
            self._grown.notify_all()

    # -- what it holds (Linux) -----------------------------------------------------------------

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def fd_count(self) -> int:
        """Count the descriptors of all its processes."""
        pids = [self.pid, *self.worker_pids()]
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)

    def rss_bytes(self) -> int:
        """Add up the resident memory of its workers."""
        pages = [
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.worker_pids()
        ]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def _matches(line: Mapping[str, Any], message: str, fields: Mapping[str, object]) -> bool:
    return line.get("message") == message and all(line.get(k) == v for k, v in fields.items())


def base_config(folder: Path) -> dict[str, Any]:
    """Return a small configuration that stays within `folder` and logs JSON."""
    return {
        "listen_address": "127.0.0.1",
        "listen_port": 0,
        "secret": "test-secret",
        "app_path": str(folder / "apps"),
        "pid_file_location": str(folder / "gateway.pid"),
        "log_format": "json",
        "workers": 1,
        "http_server_options": {"enable_websockets": True},
    }


def keyless(
    target_url: str, *, api_id: str = "plain", listen_path: str = "/plain/", **more: Any
) -> dict[str, Any]:
    """Return the definition of an API without authentication; `more` overrides its top level."""
    proxy = {"listen_path": listen_path, "target_url": target_url, "strip_listen_path": True}
    versions = {"not_versioned": True, "versions": {"Default": {"name": "Default"}}}
    return {
        "name": api_id,
        "api_id": api_id,
        "org_id": "default",
        "active": True,
        "use_keyless": True,
        "version_data": versions,
        **more,
        "proxy": {**proxy, **more.get("proxy", {})},
    }
