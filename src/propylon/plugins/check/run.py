"""Runs the cases against a plugin program."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from propylon.plugins.check.cases import (
    CASES,
    Case,
    DepartureError,
    Examination,
    NotApplicableError,
    bad_input,
    handshake,
    output,
    shutdown,
)
from propylon.plugins.check.probe import CaseFailedError, Probe
from propylon.plugins.check.report import CheckReport, Outcome, Verdict
from propylon.plugins.stdio.settings import StdioSettings

DEFAULT_SECONDS = 5.0


async def run_check(
    command: Sequence[str],
    *,
    hooks: Sequence[str] = (),
    seconds: float = DEFAULT_SECONDS,
    with_headers: bool = False,
) -> CheckReport:
    """Run every case against the program `command`.

    `hooks` are the names to call, by default those the plugin names itself. `seconds` bounds each
    answer; `with_headers` writes `Content-Length` framing. The program has ended on return.
    """
    settings = StdioSettings(command=command[0], args=tuple(command[1:]), with_headers=with_headers)
    exam = Examination(Probe(settings, seconds), tuple(hooks))
    verdicts: list[Verdict] = []
    tail: tuple[str, ...] = ()
    try:
        await exam.probe.start(command)
        for name, case in CASES:
            if verdicts and verdicts[0].outcome is Outcome.FAIL and case is not output:
                verdicts.append(Verdict(name, Outcome.SKIP, "the handshake fails"))
                continue
            verdicts.append(await _verdict(name, case, exam))
            if not exam.probe.is_running and case is not shutdown and case is not output:
                # One crash must not hide what the other cases would say.
                tail = await _finish(exam) or tail
                exam = await _examined_again(exam, command, settings, seconds)
    except CaseFailedError as error:
        verdicts.append(Verdict("start", Outcome.FAIL, str(error)))
    finally:
        tail = await _finish(exam) or tail
    if any(each.outcome is Outcome.PASS for each in verdicts[:1]):
        verdicts.append(await _bad_input(command, settings, seconds))
    return CheckReport(tuple(command), tuple(verdicts), tail)


def main(command: Sequence[str]) -> int:
    """Check a plugin and print the report; 0 when it passes, else 1."""
    report = asyncio.run(run_check(command))
    sys.stdout.write(report.render() + "\n")
    return 0 if report.passed else 1


async def _finish(exam: Examination) -> tuple[str, ...]:
    """End the process; return the end of its stderr."""
    await exam.probe.finish()
    return exam.probe.stderr_tail


async def _examined_again(
    crashed: Examination, command: Sequence[str], settings: StdioSettings, seconds: float
) -> Examination:
    """Start a new process and shake hands, to go on with the next case."""
    exam = Examination(Probe(settings, seconds), crashed.hooks)
    exam.probe.garbage = crashed.probe.garbage
    exam.probe.repeated = crashed.probe.repeated
    await exam.probe.start(command)
    await _verdict("handshake", handshake, exam)
    return exam


async def _verdict(name: str, case: Case, exam: Examination) -> Verdict:
    if not exam.probe.is_running and case is not output:
        return Verdict(name, Outcome.FAIL, "the process has ended before")
    try:
        return Verdict(name, Outcome.PASS, await case(exam))
    except CaseFailedError as error:
        return Verdict(name, Outcome.FAIL, str(error))
    except DepartureError as error:
        return Verdict(name, Outcome.WARN, str(error))
    except NotApplicableError as error:
        return Verdict(name, Outcome.SKIP, str(error))


async def _bad_input(command: Sequence[str], settings: StdioSettings, seconds: float) -> Verdict:
    """Run the case that may end the process on a process of its own."""
    name = "bad input"
    probe = Probe(settings, seconds)
    try:
        await probe.start(command)
    except CaseFailedError as error:
        return Verdict(name, Outcome.FAIL, str(error))
    exam = Examination(probe, ())
    try:
        first = await _verdict(name, handshake, exam)
        if first.outcome is not Outcome.PASS:
            return Verdict(name, Outcome.SKIP, "the handshake fails")
        return await _verdict(name, bad_input, exam)
    finally:
        await probe.finish()
