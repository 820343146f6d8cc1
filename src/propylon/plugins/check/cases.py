"""The conformance cases, in the order in which they run on one plugin process.

A case returns a remark, or raises: `CaseFailedError` for what breaks the contract,
`DepartureError` for what the gateway copes with, `NotApplicableError` for what this plugin does
not promise.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from propylon.errors import PluginError, PropylonError
from propylon.plugins.check.probe import CaseFailedError, Probe
from propylon.plugins.check.production import is_of_another_type, refusal_of
from propylon.plugins.check.sample import HOOK_TYPES, UNKNOWN_HOOK, call
from propylon.plugins.stdio.child import Handshake
from propylon.plugins.stdio.protocol import (
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION,
    Message,
    error_text,
    reply_in,
)

_CALLS_AT_ONCE = 32
_LARGE_BODY_BYTES = 8 * 1024 * 1024
# A large message may take so many times as long as a small one.
_LARGE_PATIENCE = 6
_EXIT_SECONDS = 5.0
# All that JSON writers get wrong: quotes, controls, separators that end lines elsewhere, astral.
_AWKWARD_TEXT = 'q"\\\b\t\r\n\x00\x1f\u2028\u2029é漢\U0001f600</script>'


class DepartureError(PropylonError):
    """Not what the protocol asks, but the gateway copes."""


class NotApplicableError(PropylonError):
    """The plugin does not promise what this case examines."""


class Examination:
    """What the cases share: the probe and what the handshake told."""

    def __init__(self, probe: Probe, hooks: tuple[str, ...]) -> None:
        self.probe = probe
        self.handshake = Handshake()
        self.is_minimal = False
        self.hooks = hooks

    @property
    def names_hooks(self) -> bool:
        return self.handshake.hooks is not None

    @property
    def first_hook(self) -> str:
        return self.hooks[0] if self.hooks else "Check"

    async def dispatch(self, params: dict[str, Any], seconds: float | None = None) -> Message:
        """Call a hook and see that the answer can be used."""
        message = await self.probe.call("Dispatch", params, seconds)
        check_reply(message, params)
        return message


Case = Callable[[Examination], Awaitable[str]]


def check_reply(message: Message, params: dict[str, Any]) -> str:
    """Raise `CaseFailedError` unless this is an error or a result that the gateway applies.

    Return why it does not serve the call, empty when it does: hooks are called as every type, and
    most are made for one.
    """
    if message.error is not None:
        return error_text(message.error)
    if not message.has_result:
        raise CaseFailedError("the reply has neither result nor error")
    try:
        reply = reply_in(message.result)
    except PluginError as error:
        raise CaseFailedError(str(error)) from error
    if is_of_another_type(params, reply):
        return "the reply is one of another hook type"
    if reason := refusal_of(params, reply):
        raise CaseFailedError(f"the gateway refuses the reply: {reason}")
    return ""


async def handshake(exam: Examination) -> str:
    message = await exam.probe.call("initialize", exam.probe.initialize_params())
    if message.error is not None:
        if message.error.code != METHOD_NOT_FOUND:
            raise CaseFailedError(error_text(message.error))
        exam.is_minimal = True
        exam.handshake.max_concurrency = 1
        return "a minimal plugin: one call at a time, all hook names"
    try:
        exam.handshake = msgspec.json.decode(message.result, type=Handshake, strict=False)
    except msgspec.DecodeError as error:
        raise CaseFailedError(f"the result of initialize is not usable: {error}") from error
    version = exam.handshake.protocol_version
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        raise CaseFailedError(f"protocol_version is {version}, expected {PROTOCOL_VERSION}")
    exam.probe.notify("initialized", {})
    if exam.handshake.hooks is not None:
        exam.hooks = exam.hooks or tuple(exam.handshake.hooks)
        return f"hooks: {', '.join(exam.handshake.hooks) or 'none'}"
    return "names no hooks: every name is called"


def dispatch_case(hook_type: str) -> Case:
    """Make the case that calls every hook as this type."""

    async def dispatch(exam: Examination) -> str:
        errors = []
        names = exam.hooks or (exam.first_hook,)
        for name in names:
            params = call(hook_type, name, body='{"a": 1}')
            message = await exam.probe.call("Dispatch", params)
            if reason := check_reply(message, params):
                errors.append(f"{name}: {reason}")
        if len(errors) == len(names):
            raise NotApplicableError(f"no hook serves it ({errors[0]})")
        return ""

    return dispatch


async def unknown_hook(exam: Examination) -> str:
    if not exam.names_hooks:
        raise NotApplicableError("the plugin names no hooks, so none is unknown")
    message = await exam.dispatch(call("Pre", UNKNOWN_HOOK))
    if message.error is None:
        raise DepartureError("it answered a hook that it did not name")
    if message.error.code != METHOD_NOT_FOUND:
        raise DepartureError(f"expected error {METHOD_NOT_FOUND}, got {message.error.code}")
    return ""


async def unknown_method(exam: Examination) -> str:
    message = await exam.probe.call("NoSuchMethod", {})
    if message.error is None:
        raise DepartureError(f"expected error {METHOD_NOT_FOUND}, got a result")
    return ""


async def notifications(exam: Examination) -> str:
    if exam.is_minimal:
        raise NotApplicableError("minimal plugins get no notifications")
    before = len(exam.probe.answers_without_id)
    exam.probe.notify("Reload", {"apis": []})
    exam.probe.notify("$/unknown", {})
    await _is_alive(exam)
    if len(exam.probe.answers_without_id) > before:
        raise DepartureError("it answered a notification")
    return ""


async def awkward_text(exam: Examination) -> str:
    await exam.dispatch(call("Pre", exam.first_hook, body=_AWKWARD_TEXT))
    return ""


async def many_in_flight(exam: Examination) -> str:
    limit = exam.handshake.max_concurrency
    at_once = min(_CALLS_AT_ONCE, limit) if limit else _CALLS_AT_ONCE
    if at_once == 1:
        raise NotApplicableError("the plugin takes one call at a time")
    calls = [call("Pre", exam.first_hook, body=str(number)) for number in range(at_once)]
    ids = [exam.probe.send("Dispatch", params) for params in calls]
    for call_id, params in zip(ids, calls, strict=True):
        check_reply(await exam.probe.answer_to(call_id), params)
    return f"{at_once} calls"


async def cancellation(exam: Examination) -> str:
    if exam.is_minimal:
        raise NotApplicableError("minimal plugins get no notifications")
    call_id = exam.probe.send("Dispatch", call("Pre", exam.first_hook))
    exam.probe.notify("$/cancelRequest", {"id": call_id})
    exam.probe.notify("$/cancelRequest", {"id": 2**40})
    await _is_alive(exam)
    return ""


async def ping(exam: Examination) -> str:
    message = await exam.probe.call("ping", {})
    if message.error is not None and not exam.is_minimal:
        raise DepartureError(f"{error_text(message.error)} (any answer counts as a sign of life)")
    return ""


async def large_message(exam: Examination) -> str:
    body = "x" * _LARGE_BODY_BYTES
    await exam.dispatch(
        call("Pre", exam.first_hook, body=body), _LARGE_PATIENCE * exam.probe.seconds
    )
    return f"{_LARGE_BODY_BYTES // 2**20} MiB"


async def output(exam: Examination) -> str:
    probe = exam.probe
    if probe.repeated:
        raise CaseFailedError(f"it answered ids {probe.repeated[:5]} twice, or never asked ones")
    if probe.garbage:
        shown = probe.garbage[0].decode("utf-8", "replace")
        raise CaseFailedError(
            f"{len(probe.garbage)} lines on stdout are no messages: {json.dumps(shown)}"
        )
    return "Content-Length framing" if probe.writes_headers else "newline framing"


async def bad_input(exam: Examination) -> str:
    """The gateway never sends garbage; surviving it makes a plugin easier to debug."""
    before = exam.probe.garbage.copy()
    exam.probe.send_raw(b'{"jsonrpc": "2.0", "id": ')
    try:
        await _is_alive(exam)
    except CaseFailedError as error:
        raise DepartureError(f"after a line that is no JSON: {error}") from error
    finally:
        exam.probe.garbage = before
    return ""


async def shutdown(exam: Examination) -> str:
    probe = exam.probe
    if not probe.is_running:
        raise NotApplicableError("the plugin is gone already")
    remark = ""
    message = await probe.call("shutdown", {})
    if message.error is not None and not exam.is_minimal:
        remark = "it does not know shutdown, the end of stdin must do"
    if not exam.is_minimal:
        probe.notify("exit", {})
    probe.process.close_stdin()
    if not await probe.has_exited_within(_EXIT_SECONDS):
        raise CaseFailedError(f"still running {_EXIT_SECONDS:g} s after the end of its stdin")
    return remark


async def _is_alive(exam: Examination) -> None:
    """Any answer to a ping will do."""
    await exam.probe.call("ping", {})


CASES: tuple[tuple[str, Case], ...] = (
    ("handshake", handshake),
    *((f"Dispatch {hook_type}", dispatch_case(hook_type)) for hook_type in HOOK_TYPES),
    ("unknown hook", unknown_hook),
    ("unknown method", unknown_method),
    ("notifications", notifications),
    ("awkward text", awkward_text),
    ("many in flight", many_in_flight),
    ("cancellation", cancellation),
    ("ping", ping),
    ("large message", large_message),
    ("stdout is messages only", output),
    ("shutdown", shutdown),
)
"""Run on one process, in this order; `bad input` gets a process of its own."""
