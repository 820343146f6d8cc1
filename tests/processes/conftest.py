"""A gateway of real processes to play with: see `tiny_worker.py` for what it serves."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WAIT_SECONDS = 20.0


class TinyGateway:
    """A running gateway program, its log as it comes, and a client."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.log: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._news = threading.Condition()
        self._is_over = False
        config = {
            "listen_address": "127.0.0.1",
            "listen_port": 0,
            "log_format": "json",
            "pid_file_location": str(folder / "pid"),
            **settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("tiny_gateway.py")), json.dumps(config)],
            env={**os.environ, "TINY_FOLDER": str(folder)},
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()

    # --- its log ---

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.noise.append(line.decode())
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def logged(self, message: str, count: int = 1) -> dict[str, Any]:
        """Wait until `message` was logged `count` times; return that entry."""

        def found() -> list[dict[str, Any]]:
            return [entry for entry in self.log if entry["message"] == message]

        with self._news:
            self._news.wait_for(lambda: len(found()) >= count or self._is_over, WAIT_SECONDS)
            assert len(found()) >= count, (message, self.log, self.noise)
            return found()[count - 1]

    # --- its client ---

    @property
    def address(self) -> tuple[str, int]:
        entry = self.logged("listening")
        return entry["host"], entry["port"]

    def connect(self, path: str = "/") -> socket.socket:
        sock = socket.create_connection(self.address, WAIT_SECONDS)
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return sock

    def get(self, path: str = "/") -> list[str]:
        """Return pid, state, readiness and parent pid of the worker that answered."""
        return read_all(self.connect(path)).split("\r\n\r\n")[1].split()

    # --- its life ---

    def set_state(self, state: str) -> None:
        (self.folder / "state").write_text(state)

    def release(self) -> None:
        (self.folder / "release").touch()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        code = self.process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        return code

    def worker_pids(self) -> set[int]:
        text = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return {int(pid) for pid in text.split()}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(WAIT_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()


def read_all(sock: socket.socket) -> str:
    """Read to the end of the connection."""
    with sock:
        chunks = []
        while chunk := sock.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode()


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., TinyGateway]]:
    """Return a function that starts a gateway; each is ended with the test."""
    started: list[TinyGateway] = []

    def start(state: str = "one", **settings: Any) -> TinyGateway:
        (tmp_path / "state").write_text(state)
        gateway = TinyGateway(tmp_path, **settings)
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        # Workers notice that their supervisor is gone and end by themselves.
        gateway.close()


@pytest.fixture
def gateway(start_gateway: Callable[..., TinyGateway]) -> TinyGateway:
    """Return a running gateway of two workers."""
    gateway = start_gateway(workers=2)
    gateway.logged("gateway started")
    return gateway
