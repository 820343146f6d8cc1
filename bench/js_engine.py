"""Measure one JavaScript hook call: CPU time from the step's entry to its return.

Run: python bench/js_engine.py. The numbers are for comparing changes on one machine.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.http.headers import Headers
from propylon.http.message import Request
from propylon.pipeline.exchange import Exchange
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.javascript import JavaScriptHost

CALLS = 4000
ROUNDS = 3

CASES = {
    "returns the request": ("", {}),
    "sets a header": ("request.SetHeaders['X-A'] = '1';", {}),
    "reads a header in lower case": (
        "request.SetHeaders['X-A'] = request.Headers['authorization'][0];",
        {},
    ),
    "leaves an implicit global": ("leak = 1;", {}),
    "edits the body": ("request.Body += '!';", {}),
    "sets a header, fresh runtime": ("request.SetHeaders['X-A'] = '1';", {"isolation": "fresh"}),
}


def exchange() -> Exchange:
    headers = Headers([(b"Authorization", b"x"), (b"Accept", b"*/*"), (b"User-Agent", b"bench")])
    request = Request("POST", "/a?b=c", headers, host="example.com", body=b"hello")
    return Exchange(request, id="1", started_at=0.0)


def measure(statements: str, settings: dict[str, str], folder: Path) -> float:
    host = JavaScriptHost(msgspec.convert({"enable_jsvm": True, "javascript": settings}, Config))
    path = folder / "plugin.js"
    path.write_text(
        "var m = new TykJS.TykMiddleware.NewMiddleware({});"
        "m.NewProcessRequest(function (request, session, config) {"
        f"{statements} return m.ReturnData(request, {{}}); }});"
    )
    definition = msgspec.convert({"api_id": "bench", "name": "bench"}, ApiDefinition)
    step = host.load(definition, (Hook(HookType.PRE, "m", str(path)),)).pre[0]
    step(exchange())
    calls = CALLS // 20 if settings else CALLS
    return min(_round(step, calls) for _ in range(ROUNDS)) / calls * 1e6


def _round(step: object, calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        step(exchange())  # type: ignore[operator]
    return time.process_time() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, (statements, settings) in CASES.items():
            print(f"{measure(statements, settings, Path(folder)):8.1f} us  {name}")


if __name__ == "__main__":
    main()
