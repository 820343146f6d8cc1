"""The programs that take part: upstream, nginx as a plain proxy, the bare proxy, gateways."""

from __future__ import annotations

import base64
import json
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from processes import START_SECONDS, Program, free_port

HERE = Path(__file__).resolve().parent

GATEWAY_CORE = 0
OTHER_CORE = 1

# Names the plugin's process, so that its CPU is counted apart from the gateway's.
PLUGIN_MARK = "bench-stdio-plugin"

_NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 64m;
  client_body_temp_path {folder}/{name}-1; proxy_temp_path {folder}/{name}-2;
  fastcgi_temp_path {folder}/{name}-3; uwsgi_temp_path {folder}/{name}-4;
  scgi_temp_path {folder}/{name}-5;
  {body}
}}
"""
# `return` answers before it has read a body, and then proxies close; `/read` reads it first.
_UPSTREAM = """
server {{ listen 127.0.0.1:{port} backlog=1024;
  location / {{ return 200 "{text}"; }}
  location = /1m {{ root {folder}; default_type text/plain; }}
  location = /read {{ client_body_buffer_size 2m; proxy_pass http://127.0.0.1:{port}/1k;
    proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length ""; }}
}}
"""
# Buffers that hold what is sent, so that nginx neither writes files nor copies in small pieces.
_PROXY = """
upstream up {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port} backlog=1024;
  location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    client_body_buffer_size 2m; proxy_buffer_size 16k; proxy_buffers 16 64k;
    proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0; }}
}}
"""

JS_HOOK = """
var {name} = new TykJS.TykMiddleware.NewMiddleware({{}});
{name}.NewProcessRequest(function (request, session, spec) {{
  request.SetHeaders["X-{name}"] = request.Headers["Host"] ? "1" : "0";
  return {name}.ReturnData(request, session.meta_data);
}});
"""
NODE_PLUGIN = """
const answer = '{"request":{"set_headers":{"X-Hello":"1"}}}'
require("readline").createInterface({input: process.stdin}).on("line", (line) => {
  const {id, method} = JSON.parse(line)
  if (id === undefined) return
  const result = method === "initialize" ? '{"protocol_version":"1.0"}' : answer
  process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":${result}}\\n`)
})
"""
PYTHON_PLUGIN = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = {"request": {"set_headers": {"X-Hello": "1"}}}
        if message["method"] == "initialize":
            result = {"protocol_version": "1.0"}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


class Server:
    """A program and where it listens."""

    def __init__(self, program: Program, port: int) -> None:
        self.program = program
        self.port = port

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def start_upstream(folder: Path) -> Server:
    port = free_port()
    (folder / "1m").write_bytes(b"x" * 1024 * 1024)
    if shutil.which("nginx"):
        body = _UPSTREAM.format(port=port, folder=folder, text="x" * 1024)
        return _nginx(folder, "upstream", body, port, OTHER_CORE)
    command = [sys.executable, str(HERE / "upstream.py"), str(port)]
    return _started(Program(command, core=OTHER_CORE, log=folder / "upstream.log"), port)


def start_nginx_proxy(folder: Path, upstream: Server) -> Server | None:
    """Start nginx as a plain proxy; None where there is no nginx."""
    if not shutil.which("nginx"):
        return None
    port = free_port()
    body = _PROXY.format(port=port, upstream=upstream.port)
    return _nginx(folder, "proxy", body, port, GATEWAY_CORE)


def start_bare_proxy(folder: Path, upstream: Server) -> Server:
    port = free_port()
    command = [sys.executable, str(HERE / "bare_proxy.py"), str(port), str(upstream.port)]
    return _started(Program(command, core=GATEWAY_CORE, log=folder / "bare.log"), port)


def _nginx(folder: Path, name: str, body: str, port: int, core: int) -> Server:
    conf = folder / f"{name}.conf"
    conf.write_text(_NGINX.format(folder=folder, name=name, body=body))
    command = ["nginx", "-c", str(conf), "-p", str(folder)]
    return _started(Program(command, core=core, log=folder / f"{name}.out"), port)


def _started(program: Program, port: int) -> Server:
    program.wait_for_port(port)
    return Server(program, port)


def definition(name: str, upstream: Server, **more: Any) -> dict[str, Any]:
    """Return a keyless API that listens at `/name/` and strips that."""
    return {
        "name": name,
        "api_id": name,
        "org_id": "bench",
        "active": True,
        "use_keyless": True,
        "proxy": {
            "listen_path": f"/{name}/",
            "target_url": f"http://127.0.0.1:{upstream.port}/",
            "strip_listen_path": True,
        },
        "version_data": {"not_versioned": True, "versions": {"Default": {"name": "Default"}}},
        **more,
    }


def javascript(hooks: int) -> dict[str, Any]:
    """Return the `custom_middleware` of an API with so many inline JavaScript hooks."""
    entries = [
        {
            "name": f"hook{number}",
            "code": base64.b64encode(JS_HOOK.format(name=f"hook{number}").encode()).decode(),
        }
        for number in range(hooks)
    ]
    return {"custom_middleware": {"driver": "otto", "pre": entries}}


def stdio(hooks: int) -> dict[str, Any]:
    entries = [{"name": f"Hook{number}"} for number in range(hooks)]
    return {"custom_middleware": {"driver": "jsonrpc", "pre": entries}}


class Gateway(Server):
    """A gateway with its own folder; `load_seconds` from its start until `/ready` said yes."""

    def __init__(
        self, folder: Path, definitions: Iterable[dict[str, Any]], plugin: list[str] | None
    ) -> None:
        apps = folder / "apps"
        apps.mkdir(parents=True)
        for each in definitions:
            (apps / f"{each['api_id']}.json").write_text(json.dumps(each))
        (folder / "tyk.conf").write_text(json.dumps(_tyk_conf(folder, plugin)))
        port = free_port()
        command = [sys.executable, "-m", "propylon", "--conf", "tyk.conf", "--port", str(port)]
        started = time.monotonic()
        program = Program(command, core=GATEWAY_CORE, log=folder / "log", cwd=folder)
        super().__init__(program, port)
        self._wait_until_ready()
        self.load_seconds = time.monotonic() - started

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(self.url("/ready"), timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                is_over = self.program.process.poll() is not None
                if is_over or time.monotonic() > deadline:
                    words = self.program.log.read_text()[-3000:]
                    raise SystemExit(f"the gateway did not start:\n{words}") from None
                time.sleep(0.05)


def _tyk_conf(folder: Path, plugin: list[str] | None) -> dict[str, Any]:
    conf: dict[str, Any] = {
        "listen_address": "127.0.0.1",
        "secret": "bench",
        "app_path": "apps",
        "pid_file_location": str(folder / "pid"),
        "enable_jsvm": True,
        "log_level": "warn",
    }
    if plugin is not None:
        conf["coprocess_options"] = {
            "enable_coprocess": True,
            "coprocess_command": plugin[0],
            "coprocess_args": plugin[1:],
        }
    return conf
