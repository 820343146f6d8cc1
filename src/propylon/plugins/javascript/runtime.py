"""Runs the scripts of one API: in one hardened runtime, or in a new one for each call.

The same code works on the event loop and in the helper processes; only the limits differ.
"""

from __future__ import annotations

import json
import re
import time
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec

from propylon.plugins.javascript.engine import (
    Engine,
    EngineLimits,
    OutOfMemory,
    ScriptError,
    ScriptTimeout,
    is_out_of_memory,
)
from propylon.plugins.javascript.program import HookRef, Program, SourceFile
from propylon.plugins.javascript.text import convert_base64

# Lines of plugin files start here, so that a frame tells them from the gateway's own.
_FIRST_LINE = 10_000
_FRAME = re.compile(r"eval_script:(\d+)(?::(\d+))?")

# Top-level code that needs longer would hold up every reload and, in fresh runtimes, each call.
LOAD_SECONDS = 2.0

# One call says no more than this; a script that logs in a loop must not fill the gateway's memory,
# nor push the lines of others out of the log. The kernel cuts lines at 8,192 characters.
MAX_LOG_LINES = 1000
MAX_LOG_BYTES = 256 * 1024


class LogLine(NamedTuple):
    """What a script said: level `log`, `raw` or one of `console`; text is JSON."""

    level: str
    text: str


class Escaped(BaseException):
    """The script needs `fresh` (a runtime of its own) or `apart` (a process); `what` it touched."""

    def __init__(self, target: str, what: str) -> None:
        super().__init__(what)
        self.target = target
        self.what = what


class Answer(msgspec.Struct, frozen=True):
    """What a call came back with: `mark` and JSON `text` of the kernel, and what was logged.

    Marks: `=` result with the body as it was, `+` result, `?` no result, `!` the script threw.
    """

    mark: str
    text: str
    logs: tuple[tuple[str, str], ...] = ()


@cache
def _own_script(name: str) -> str:
    return (resources.files(__package__) / "runtime_js" / name).read_text("utf-8")


class _Mail:
    """What passes between one call and its script.

    The engine holds these methods and is invisible to Python's cycle collector, so nothing here
    may lead back to the engine: it would never be freed.
    """

    __slots__ = ("_is_guarded", "_log_bytes", "_logs", "_unsaid", "deadline", "pending")

    def __init__(self, *, is_guarded: bool) -> None:
        self._is_guarded = is_guarded
        self.begin("", LOAD_SECONDS)

    def begin(self, pending: str, seconds: float) -> None:
        self.pending = pending
        self.deadline = time.perf_counter() + seconds
        self._logs: list[tuple[str, str]] = []
        self._log_bytes = 0
        self._unsaid = 0

    def give(self) -> str:
        return self.pending

    def emit(self, level: str, text: str) -> None:
        self.tick()
        size = len(text) if text.isascii() else len(text.encode())
        if len(self._logs) >= MAX_LOG_LINES or self._log_bytes + size > MAX_LOG_BYTES:
            self._unsaid += 1
            return
        self._log_bytes += size
        self._logs.append((level, text))

    def logs(self) -> tuple[tuple[str, str], ...]:
        if self._unsaid:
            note = f"{self._unsaid} log lines of this call were dropped"
            self._logs.append(("warning", json.dumps(note)))
            self._unsaid = 0
        return tuple(self._logs)

    def base64(self, mode: str, argument: str) -> str | None:
        self.tick()
        return convert_base64(mode, argument)

    def tick(self) -> None:
        """Stop a script on the event loop that spends its time inside of native operations."""
        if self._is_guarded and time.perf_counter() > self.deadline:
            raise Escaped("apart", "long native operations")


class Sandbox:
    """One runtime with an API's scripts loaded."""

    __slots__ = ("_engine", "_lines", "_mail", "_memory_bytes", "load_errors", "load_logs")

    def __init__(
        self,
        program: Program,
        limits: EngineLimits,
        *,
        is_shared: bool,
        is_guarded: bool,
        load_seconds: float = LOAD_SECONDS,
    ) -> None:
        mail = self._mail = _Mail(is_guarded=is_guarded)
        engine = self._engine = Engine(limits)
        self._memory_bytes = limits.memory_bytes
        self._lines: list[tuple[int, int, str]] = []
        engine.define("$pending", mail.give)
        engine.define("$emit", mail.emit)
        engine.define("$base64", mail.base64)
        engine.define("$escape", _escape)
        engine.run(_own_script("kernel.js"), LOAD_SECONDS)
        if program.uses_underscore:
            engine.run(_own_script("underscore.js"), LOAD_SECONDS)
        if is_guarded:
            engine.define("$tick", mail.tick)
            engine.run(_own_script("guard.js"), LOAD_SECONDS)
            engine.run("$take('$guard')($take('$tick'), $escape); 0")
        if is_shared:
            engine.run(_own_script("harden.js"), LOAD_SECONDS)
        shares = "true" if program.shares_tyk_js else "false"
        config = json.dumps(program.config_text)
        engine.run(f"$configure({config}, {shares}); 0")
        self._add_files(program.files)
        harden = "$take('$harden')" if is_shared else "undefined"
        engine.run(f"$start({harden}); 0", LOAD_SECONDS)
        mail.begin("", load_seconds)
        self.load_errors = self._load(load_seconds)
        self.load_logs = mail.logs()

    def _add_files(self, files: tuple[SourceFile, ...]) -> None:
        line = _FIRST_LINE
        for file in files:
            opening, closing = _wrap(file)
            self._engine.run("\n" * (line - 1) + opening + file.text + closing)
            # The opening ends in a line break, so the author's first line is the next one.
            height = file.text.count("\n") + 1
            self._lines.append((line + 1, height, file.name))
            line += height + 4

    def _load(self, seconds: float) -> dict[int, ScriptError]:
        text = self._engine.run("$propylon('load')", seconds)
        assert isinstance(text, str)
        return {file: self._error(described[1:]) for file, described in json.loads(text)}

    def call(self, ref: HookRef, pending: str, seconds: float) -> tuple[Answer, bool]:
        """Call one hook; the second value tells whether this runtime may serve again.

        Raises `ScriptTimeout`, `OutOfMemory` and `Escaped`; after these it may not.
        """
        if len(pending) >= self._memory_bytes:
            raise OutOfMemory("the message does not fit into the script's memory")
        mail = self._mail
        mail.begin(pending, seconds)
        text = self._engine.run(f"$propylon('call',{ref.file},{ref.case})", seconds)
        if not isinstance(text, str):  # only in a runtime of its own, where a script may break it
            raise ScriptError("TypeError", "the script replaced what promises are made of")
        is_clean = not text.startswith("#")
        if not is_clean:
            text = text[1:]
        return Answer(text[0], text[1:], mail.logs()), is_clean

    def _error(self, described: str) -> ScriptError:
        found = json.loads(described)
        return ScriptError(found["name"], found["message"], self.author_stack(found["stack"]))

    def author_stack(self, stack: str) -> str:
        """Keep the frames of plugin files, under their names and line numbers."""
        frames = []
        for frame in stack.splitlines():
            place = _FRAME.search(frame)
            if place is None:
                continue
            where = self._place(int(place[1]), place[2])
            if where:
                frames.append(frame[: place.start()].strip() + where + frame[place.end() :])
        return "\n".join(frames)

    def _place(self, line: int, column: str | None) -> str:
        for first, height, name in self._lines:
            if first <= line < first + height:
                return f"{name}:{line - first + 1}" + (f":{column}" if column else "")
        return ""


def _escape(target: str, what: str) -> None:
    raise Escaped(target, what)


def _wrap(file: SourceFile) -> tuple[str, str]:
    names = [*file.hooks, *file.published]
    published = [[len(file.hooks) + index, name] for index, name in enumerate(file.published)]
    cases = "".join(f"case {index}:return {name};" for index, name in enumerate(names))
    return (
        f"$add({json.dumps(published)},function(){{\n",
        f"\nreturn function(){{switch(arguments[0]){{{cases}}}}}}});0",
    )


class RuntimeShelf:
    """Keeps the number of live runtimes of a process bounded: the longest unused one goes."""

    __slots__ = ("_max_runtimes", "_runners")

    def __init__(self, max_runtimes: int) -> None:
        self._max_runtimes = max_runtimes
        self._runners: set[ProgramRunner] = set()

    def add(self, runner: ProgramRunner) -> None:
        if len(self._runners) >= self._max_runtimes and runner not in self._runners:
            min(self._runners, key=lambda each: each.used_at).close()
        self._runners.add(runner)

    def remove(self, runner: ProgramRunner) -> None:
        self._runners.discard(runner)


class ProgramRunner:
    """Serves the calls of one API in this process."""

    __slots__ = ("_is_guarded", "_limits", "_shared", "_shelf", "is_fresh", "making_seconds",
                 "program", "used_at")  # fmt: skip

    def __init__(
        self, program: Program, limits: EngineLimits, shelf: RuntimeShelf, *, is_guarded: bool
    ) -> None:
        self.used_at = 0.0
        self.making_seconds = 0.0
        "What the last call took to make runtimes, in CPU time."
        self._shelf = shelf
        self.program = program
        self.is_fresh = program.is_fresh
        self._limits = limits
        self._is_guarded = is_guarded
        self._shared: Sandbox | None = None

    def load(self) -> Sandbox:
        """Run the top level of all files once and say how that went.

        An unhardened runtime does: it is made four times faster, and a large gateway loads
        thousands of APIs.
        """
        return self._make(LOAD_SECONDS, is_shared=False)

    def _make(self, load_seconds: float, *, is_shared: bool) -> Sandbox:
        started = time.thread_time()
        try:
            return Sandbox(
                self.program,
                self._limits,
                is_shared=is_shared,
                is_guarded=self._is_guarded,
                load_seconds=load_seconds,
            )
        finally:
            self.making_seconds += time.thread_time() - started

    def close(self) -> None:
        """Free the runtime; the next call makes a new one."""
        self._shared = None
        self._shelf.remove(self)

    def call(self, ref: HookRef, pending: str, seconds: float) -> Answer:
        """Call a hook. Raises `ScriptTimeout`, `OutOfMemory`, and `Escaped` towards a process."""
        self.making_seconds = 0.0
        if not self.is_fresh:
            try:
                return self._call_shared(ref, pending, seconds)
            except Escaped as escaped:
                self._leave_shared(escaped)
        sandbox = self._make(min(seconds, LOAD_SECONDS), is_shared=False)
        answer, _ = sandbox.call(ref, pending, seconds)
        return self._explained(answer, sandbox)

    def _call_shared(self, ref: HookRef, pending: str, seconds: float) -> Answer:
        sandbox = self._shared
        if sandbox is None:
            sandbox = self._make(min(seconds, LOAD_SECONDS), is_shared=True)
            self._shelf.add(self)
        self.used_at = time.monotonic()
        # Whatever raises leaves the runtime in an unknown state: it must earn its place again.
        self._shared = None
        answer, is_clean = sandbox.call(ref, pending, seconds)
        if answer.mark == "!":
            answer = self._explained(answer, sandbox)
            is_clean = is_clean and not _is_exhausted(answer)
            _raise_if_frozen(answer)
        if is_clean:
            self._shared = sandbox
        return answer

    def _explained(self, answer: Answer, sandbox: Sandbox) -> Answer:
        """Put the author's lines into an error, and tell the heap limit from a thrown error."""
        if answer.mark != "!":
            return answer
        found = json.loads(answer.text)
        # With no memory left for an error the engine throws `null`. On the loop, where the heap is
        # small, a script's own `null` is taken for that too and the call repeated in a process.
        is_bare_null = self._is_guarded and found["message"] == "thrown: null"
        if is_bare_null or is_out_of_memory(found["name"], found["message"]):
            raise OutOfMemory("the script used up its memory")
        found["stack"] = sandbox.author_stack(found["stack"])
        return Answer("!", json.dumps(found), answer.logs)

    def _leave_shared(self, escaped: Escaped) -> None:
        if escaped.target != "fresh":
            raise escaped
        self.close()
        self.is_fresh = True


def _is_exhausted(answer: Answer) -> bool:
    """Tell whether the stack overflowed, perhaps in the middle of the clean-up."""
    return json.loads(answer.text)["name"] in ("RangeError", "InternalError")


def _raise_if_frozen(answer: Answer) -> None:
    found = json.loads(answer.text)
    if found["name"] == "TypeError" and _FROZEN.search(found["message"]):
        raise Escaped("fresh", found["message"])


_FROZEN = re.compile(r"read-only|not extensible|not configurable|no setter")


__all__ = [
    "Answer",
    "Escaped",
    "LogLine",
    "OutOfMemory",
    "ProgramRunner",
    "Sandbox",
    "ScriptError",
    "ScriptTimeout",
]
