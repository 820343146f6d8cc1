"""The conformance kit, against the examples and against programs that are broken on purpose."""

from __future__ import annotations

import shutil
import sys

import pytest
from stdio_kit import EXAMPLES, program

from propylon.plugins.check import CheckReport, Outcome, main, run_check

LOOP = "import sys, json\nfor line in sys.stdin:\n    m = json.loads(line)\n"


def python(source: str) -> list[str]:
    return [sys.executable, "-u", "-c", source]


def failed(report: CheckReport) -> dict[str, str]:
    return {each.case: each.reason for each in report.verdicts if each.outcome is Outcome.FAIL}


@pytest.mark.parametrize(
    ("needs", "path"),
    [("python3", "python/plugin.py"), ("node", "node/plugin.mjs"), ("jq", "shell/plugin.sh")],
)
async def test_examples_conform(needs: str, path: str) -> None:
    if shutil.which(needs) is None:
        pytest.skip(f"{needs} is not installed")
    report = await run_check([str(EXAMPLES / path)], seconds=10)
    assert report.passed, report.render()
    assert report.count(Outcome.SKIP) == 0, report.render()


async def test_minimal_plugin_conforms() -> None:
    source = LOOP + (
        "    if m['method'] == 'Dispatch': r = {'result': {'request': {}}}\n"
        "    else: r = {'error': {'code': -32601, 'message': 'unknown'}}\n"
        "    print(json.dumps({'id': m['id'], **r}))"
    )
    report = await run_check(python(source))
    assert report.passed, report.render()
    assert "minimal" in report.verdicts[0].reason


async def test_header_framed_plugin_conforms() -> None:
    source = """
import sys, json
source, sink = sys.stdin.buffer, sys.stdout.buffer
while True:
    length = 0
    while (line := source.readline().strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length": length = int(value)
    if not length: break
    m = json.loads(source.read(length))
    if "id" not in m: continue
    result = {"request": {}} if m["method"] == "Dispatch" else {}
    body = json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": result}, indent=2).encode()
    sink.write(b"Content-Length: %d\\r\\n\\r\\n%b" % (len(body), body)); sink.flush()
"""
    report = await run_check(python(source), with_headers=True)
    assert report.passed, report.render()


@pytest.mark.parametrize(
    ("body", "case", "words"),
    [
        ("sys.exit(3)", "Dispatch Pre", "exit status 3"),
        ("print('debug'); return {'request': {}}", "stdout is messages only", "debug"),
        ("return {'request': {'set_headers': {'X': 5}}}", "Dispatch Pre", "set_headers"),
        ("send(id=message['id'], result={}); return {}", "stdout is messages only", "twice"),
        ("return None", "Dispatch Pre", "no answer"),
        ("return {}", "Dispatch Pre", "has no `request`"),
        ("return {}", "Dispatch Response", "has no `response`"),
        ("return {'request': {'url': 'relative'}}", "Dispatch Post", "neither absolute"),
        ("return {'request': {'set_headers': {'A B': '1'}}}", "Dispatch Pre", "header name"),
        ("return {'response': {'status_code': 42}}", "Dispatch Response", "no final status"),
        ("print('{\"id\": %d}' % message['id'])", "Dispatch Pre", "neither result nor error"),
    ],
)
async def test_broken_hook_fails_its_case(body: str, case: str, words: str) -> None:
    report = await run_check(program(body), seconds=0.5)
    assert not report.passed
    assert words in failed(report)[case], report.render()


async def test_failed_handshake_skips_the_rest() -> None:
    report = await run_check(python("import sys; sys.stdin.read()"), seconds=0.3)
    assert list(failed(report)) == ["handshake"]
    assert report.count(Outcome.SKIP) > 10


async def test_missing_program_fails_with_its_name() -> None:
    report = await run_check(["/no/such/program"])
    assert not report.passed
    assert "/no/such/program" in report.render()


async def test_plugin_that_ignores_the_end_of_stdin_fails_and_is_ended() -> None:
    source = LOOP + "    print(json.dumps({'id': m.get('id'), 'result': {'request': {}}}))\n"
    report = await run_check(python(source + "while True: import time; time.sleep(60)"))
    assert "still running" in failed(report)["shutdown"]


def test_main_prints_a_line_per_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(EXAMPLES / "python/plugin.py")]) == 0
    printed = capsys.readouterr().out
    assert "pass  handshake: hooks: AddHeader, CheckToken, MarkAnswer" in printed
    assert "0 failed" in printed
