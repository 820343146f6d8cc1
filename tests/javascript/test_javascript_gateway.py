"""Scripts in the real program, where a fault shows that one process of ours would hide."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.gateway_process import base_config, keyless


@contextmanager
def unread_gateway(folder: Path, statements: str) -> Iterator[int]:
    """Start a gateway and read its log up to the port, not one line further."""
    source = (
        "var m = new TykJS.TykMiddleware.NewMiddleware({});"
        "m.NewProcessRequest(function (request) {"
        f" {statements} return m.ReturnData(request, {{}}); }});"
    )
    hook = {"name": "m", "code": base64.b64encode(source.encode()).decode()}
    definition = keyless(
        "http://127.0.0.1:1", custom_middleware={"driver": "javascript", "pre": [hook]}
    )
    (folder / "apps").mkdir()
    (folder / "apps" / "plain.json").write_text(json.dumps(definition))
    (folder / "tyk.conf").write_text(json.dumps({**base_config(folder), "enable_jsvm": True}))
    process = subprocess.Popen(
        [sys.executable, "-m", "propylon", "--conf", str(folder / "tyk.conf"), "--port", "0"],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield _port(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stderr is not None
    port = 0
    for raw in process.stderr:
        line: dict[str, Any] = json.loads(raw)
        if line.get("message") == "listening" and line.get("listener") == "main":
            port = int(line["port"])
        if line.get("message") == "gateway started":
            return port
    raise AssertionError("the gateway did not start")


def test_a_log_that_nobody_reads_does_not_stop_the_gateway(tmp_path: Path) -> None:
    statements = (
        "for (var i = 0; i < 20; i++) rawlog('x'.repeat(8000));"
        "request.ReturnOverrides.ResponseCode = 200;"
    )
    with (
        unread_gateway(tmp_path, statements) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        for _ in range(10):  # 1.6 MB; a pipe takes 64 KiB
            assert client.get("/plain/x").status_code == 200
