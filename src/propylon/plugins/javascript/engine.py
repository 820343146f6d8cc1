"""The JavaScript engine behind one small class, so that another engine is one other file.

An `Engine` is one isolated QuickJS runtime, bound to the thread that made it. Text crosses its
border as JSON: the binding refuses lone surrogates, which stand for undecodable bytes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jsbox import JavaScriptError, JsTimeoutError, Runtime

from propylon.errors import PropylonError

# Beyond this the binding refuses: deeper guest recursion could overflow the native stack.
MAX_STACK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EngineLimits:
    memory_bytes: int
    stack_bytes: int


class ScriptError(PropylonError):
    """JavaScript threw. `stack` has one line per frame with `file:line:column` of the engine."""

    def __init__(self, name: str, message: str, stack: str = "") -> None:
        super().__init__(f"{name}: {message}" if name else message)
        self.name = name
        self.message = message
        self.stack = stack


class ScriptTimeout(PropylonError):  # noqa: N818 - names what happened
    """The script was stopped at its deadline; the engine's state is unknown afterwards."""


class OutOfMemory(PropylonError):  # noqa: N818 - names what happened
    """The script used up its heap; the engine's state is unknown afterwards."""


class Engine:
    """One runtime with its own heap, stack limit and globals."""

    __slots__ = ("_runtime",)

    def __init__(self, limits: EngineLimits) -> None:
        self._runtime = Runtime(
            memory_limit=limits.memory_bytes,
            max_stack_size=min(limits.stack_bytes, MAX_STACK_BYTES),
            # What crosses the border lives on the heap as well: one bound is enough. The binding's
            # own, 16 MB, would refuse bodies that the heap can hold.
            max_value_bytes=limits.memory_bytes,
        )

    def define(self, name: str, function: Callable[..., str | None]) -> None:
        """Make `function` a global. A `BaseException` it raises ends the script uncatchably."""
        self._runtime.bind_function(name, function)

    def check(self, source: str) -> None:
        """Parse without running; raises `ScriptError` with the place of the mistake."""
        try:
            self._runtime.check_syntax(source)
        except JavaScriptError as error:
            raise _translate(error) from None

    def run(self, code: str, seconds: float | None = None) -> object:
        """Evaluate in sloppy mode; a promise is settled first. Returns its JSON-like value."""
        try:
            return self._runtime.eval(code, timeout=seconds)
        except JsTimeoutError:
            raise ScriptTimeout("the script was stopped at its deadline") from None
        except JavaScriptError as error:
            raise _translate(error) from None
        except (UnicodeError, TypeError) as error:
            raise ScriptError("", f"the script's result cannot be read: {error}") from None
        except ValueError as error:  # the binding's bound on one value
            raise OutOfMemory(str(error)) from None


def _translate(error: JavaScriptError) -> PropylonError:
    name = error.name or ""
    message = error.message or ""
    if is_out_of_memory(name, message):
        return OutOfMemory("the script used up its memory")
    return ScriptError(name, message, error.stack or "")


def is_out_of_memory(name: str, message: str) -> bool:
    """Tell whether this error is the heap limit; the engine throws `null` when nothing is left."""
    return (name == "InternalError" and message == "out of memory") or (
        not name and message == "null"
    )
