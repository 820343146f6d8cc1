"""One API's scripts at work: calls are tried on the event loop and repeated apart."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.errors import PluginError
from propylon.observe.logs import get_logger, write_raw
from propylon.plugins.javascript.engine import OutOfMemory, ScriptError, ScriptTimeout
from propylon.plugins.javascript.limits import LOOP_BODY_BYTES, Limits
from propylon.plugins.javascript.pool import PoolBusy, ProcessDied, ProcessPool
from propylon.plugins.javascript.program import HookRef, Program
from propylon.plugins.javascript.runtime import Answer, Escaped, ProgramRunner, RuntimeShelf

log = get_logger("jsvm")

# So many quick calls in a row earn a hook its place on the event loop back.
_QUICK_CALLS = 50


# One operation of the language can last long past the budget, and nothing can stop it. A hook that
# held the loop for so many budgets does not get there again before the next reload.
_BUDGETS_TO_BAN = 10

# Making a runtime takes about 6 ms of CPU time, once for many calls: that much is not the hook's.
_MAKING_SECONDS = 0.02


class HookPace:
    """Whether a hook's calls are short enough for the event loop."""

    __slots__ = ("_quick_calls", "is_banned", "label", "overran")

    def __init__(self, label: str) -> None:
        self.label = label
        self.overran = False
        self.is_banned = False
        self._quick_calls = 0

    def note_overrun(self) -> None:
        self.overran = True
        self._quick_calls = 0

    def note_apart(self, is_quick: bool) -> None:
        self._quick_calls = self._quick_calls + 1 if is_quick else 0
        if self._quick_calls >= _QUICK_CALLS:
            self.overran = self.is_banned


class ApiScripts:
    """The loaded scripts of one API and the processes they may use."""

    def __init__(
        self,
        definition: ApiDefinition,
        program: Program,
        limits: Limits,
        pool: ProcessPool,
        shelf: RuntimeShelf,
    ) -> None:
        self.definition = definition
        self.program = program
        self.limits = limits
        self._pool = pool
        # Two loads of one API may differ in their files: the key tells processes apart.
        self._key = f"{definition.api_id}:{id(self)}"
        self._runner = ProgramRunner(program, limits.on_loop, shelf, is_guarded=True)
        self._warned: set[tuple[str, str]] = set()
        self._log = log.bind(api_id=definition.api_id, api_name=definition.name)

    def validate(self) -> tuple[str, ...]:
        """Run the top level of all files once, log what they say; returns what went wrong.

        The runtime is dropped afterwards: most APIs of a large gateway are idle, and a runtime is
        made again in milliseconds by the first request.
        """
        problems = []
        try:
            sandbox = self._runner.load()
            self.speak("load", sandbox.load_logs)
            for number, error in sandbox.load_errors.items():
                name = self.program.files[number].name
                place = error.stack.replace("\n", "; ")
                problems.append(f"Failed to load JS middleware {name}: {error} ({place})")
        except (ScriptError, ScriptTimeout, OutOfMemory) as error:
            problems.append(f"Failed to load JS middleware: {error}")
        except Escaped as escaped:
            problems.append(f"top-level code does long native work ({escaped.what})")
        self._runner.close()
        return tuple(problems)

    def close(self) -> None:
        self._runner.close()

    def call_on_loop(
        self, pace: HookPace, ref: HookRef, pending: str, body_bytes: int
    ) -> Answer | None:
        """Call a hook within the loop's budget; None means that it has to run apart."""
        if pace.overran or self.program.runs_apart or body_bytes > LOOP_BODY_BYTES:
            return None
        # CPU time of this thread: a busy machine is not the hook's fault.
        started = time.thread_time()
        try:
            return self._runner.call(ref, pending, self.limits.loop_seconds)
        except (ScriptTimeout, OutOfMemory, Escaped):
            pace.note_overrun()
            return None
        finally:
            spent = time.thread_time() - started
            if spent > self.limits.loop_seconds:
                self._note_spent(pace, ref, spent)

    def _note_spent(self, pace: HookPace, ref: HookRef, seconds: float) -> None:
        seconds -= min(self._runner.making_seconds, _MAKING_SECONDS)
        if seconds <= self.limits.loop_seconds:
            return
        pace.note_overrun()
        message = "the hook is too long for the event loop and runs in a process"
        if seconds > self.limits.loop_seconds * _BUDGETS_TO_BAN:
            pace.is_banned = True
            message = "the hook held the event loop: it runs in a process until the next reload"
        file = self.program.files[ref.file].name
        self.warn(pace.label, message, at=file, milliseconds=round(seconds * 1000))

    async def call_apart(
        self, pace: HookPace, ref: HookRef, pending: str, deadline: float
    ) -> Answer:
        """Call a hook in a process. Raises what `failure_of` explains."""
        reply = await self._pool.call(self._key, self.program, ref, pending, deadline)
        pace.note_apart(reply.seconds < self.limits.loop_seconds / 2)
        assert reply.answer is not None
        return reply.answer

    def deadline(self, already_spent: float) -> float:
        return asyncio.get_running_loop().time() + self.limits.timeout_seconds - already_spent

    # --- what the author reads -------------------------------------------------------------------

    def speak(self, hook: str, lines: tuple[tuple[str, str], ...]) -> None:
        """Write what a script logged, once its call has ended."""
        for level, text in lines:
            message = json.loads(text)
            if level == "raw":
                write_raw(message)
            elif level == "log":
                self._log.info(message, type="log-msg", hook=hook)
            else:
                getattr(self._log, level)(message, type="console", hook=hook)

    def report(self, hook: str, message: str, **details: Any) -> None:
        self._log.error(message, hook=hook, **details)

    def warn(self, hook: str, message: str, **details: Any) -> None:
        """Say this once per load: it is about the script, and every request would repeat it."""
        if (hook, message) not in self._warned:
            self._warned.add((hook, message))
            self._log.warning(message, hook=hook, **details)


def failure_of(error: Exception, limits: Limits) -> tuple[str, str]:
    """Explain an error to the author: what happened, and what to do."""
    if isinstance(error, ScriptTimeout):
        return (
            f"JS middleware timed out after {limits.timeout_seconds:g}s",
            "shorten the script or raise jsvm_timeout",
        )
    if isinstance(error, OutOfMemory):
        mebibytes = limits.apart.memory_bytes // (1024 * 1024)
        return (
            f"JS middleware used more than {mebibytes} MiB",
            "keep less data or raise javascript.memory_mb",
        )
    if isinstance(error, PoolBusy):
        return f"JS middleware was refused: {error}", "raise javascript.max_processes"
    if isinstance(error, ProcessDied):
        return f"JS middleware lost its process: {error}", "see the kernel log for a kill"
    if isinstance(error, PluginError):
        return f"Failed to decode middleware data on return from VM: {error}", "return this type"
    return f"Failed to run JS middleware: {error}", "fix the script"


class ThrownError(msgspec.Struct, frozen=True):
    """What a script threw, with the author's own lines."""

    name: str = ""
    message: str = ""
    stack: str = ""

    @property
    def place(self) -> str:
        first = self.stack.partition("\n")[0]
        return first.partition("(")[2].rstrip(")") or first.removeprefix("at ")

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.name else self.message


def thrown(answer: Answer) -> ThrownError:
    found = json.loads(answer.text)
    return ThrownError(found["name"], found["message"], found["stack"])
