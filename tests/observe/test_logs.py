"""The log of a whole process: configured once, so each test is a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PRELUDE = """
import logging, msgspec, threading, warnings
from propylon.config.model import Config
from propylon.observe import logs
config = msgspec.convert({"log_format": "json", "log_level": LEVEL}, Config)
log = logs.get_logger("early")
writer = logs.configure(config)
"""


def run(program: str, level: str = "info") -> list[dict[str, Any]]:
    """Run a program; return its log lines, a raw one as `{"raw": text}`."""
    source = PRELUDE.replace("LEVEL", repr(level)) + program
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=30, check=False
    )
    return [
        json.loads(line) if line.startswith("{") else {"raw": line}
        for line in done.stderr.splitlines()
    ]


def test_logger_made_before_the_configuration() -> None:
    (entry,) = run("log.info('hello', api_id='a')")
    del entry["time"]
    assert entry == {"level": "info", "message": "hello", "prefix": "early", "api_id": "a"}


def test_level_filters() -> None:
    program = "log.debug('d'); log.info('i'); log.warning('w'); log.error('e')"
    assert [each["level"] for each in run(program, "warn")] == ["warning", "error"]
    assert len(run(program, "debug")) == 4


def test_raw_line_has_the_message_alone_at_any_level() -> None:
    assert run("logs.write_raw('plugin says \\t hi')", "error") == [{"raw": "plugin says \t hi"}]


def test_exception_has_error_and_traceback() -> None:
    program = """
try:
    {}["key"]
except KeyError:
    log.exception("failed")
log.error("again", exc_info=ValueError("v"))
"""
    first, second = run(program)
    assert first["error"] == "KeyError: 'key'"
    assert "Traceback" in first["traceback"]
    assert second["error"] == "ValueError: v"


def test_stdlib_logging_and_warnings_are_routed() -> None:
    program = """
logging.getLogger("asyncio").error("slow %s", "callback")
logging.getLogger("asyncio").debug("noise")
warnings.warn("careful", stacklevel=1)
"""
    first, second = run(program)
    assert (first["prefix"], first["message"]) == ("asyncio", "slow callback")
    assert second["prefix"] == "py.warnings"


def test_uncaught_exceptions_are_logged_and_flushed() -> None:
    program = """
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("the end")
"""
    first, second = run(program)
    assert first["error"].startswith("ZeroDivisionError")
    assert second["message"] == "uncaught exception"
    assert second["level"] == "fatal"
    assert second["error"] == "RuntimeError: the end"


def test_exception_after_the_log_was_closed_is_still_seen() -> None:
    lines = run("writer.close()\nraise RuntimeError('the end')")
    assert lines[-1] == {"raw": "RuntimeError: the end"}
