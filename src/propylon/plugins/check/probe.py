"""One plugin process under examination: send anything, wait for an answer with a deadline.

Unlike the gateway's `Child` it keeps what was odd (garbage, repeated ids) instead of coping.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

from propylon.errors import PropylonError
from propylon.plugins.stdio.framing import Framer, FrameTooLargeError, framed
from propylon.plugins.stdio.process import PluginProcess, exit_text
from propylon.plugins.stdio.protocol import (
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION,
    Message,
    UnreadableReplyError,
    error_frame,
    messages_in,
    notification_frame,
    request_frame,
)
from propylon.plugins.stdio.settings import StdioSettings
from propylon.plugins.stdio.stderr import LineLog, StderrLog


class CaseFailedError(PropylonError):
    """The plugin did not do what the case demands; the message is for its author."""


class Probe:
    """A running plugin. `garbage` holds lines that are no messages, `repeated` ids seen twice."""

    def __init__(self, settings: StdioSettings, seconds: float) -> None:
        self._settings = settings
        self.seconds = seconds
        self._framer = Framer(settings.max_message_bytes)
        self._stderr = StderrLog(_SilentLog(settings.command))
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._answered: set[int] = set()
        self._next_id = 0
        self._is_too_large = False
        self._has_started = False
        self.process: PluginProcess
        self.garbage: list[bytes] = []
        self.repeated: list[int] = []
        self.answers_without_id: list[Message] = []

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        return tuple(self._stderr.tail)

    @property
    def writes_headers(self) -> bool:
        return self._framer.saw_headers

    @property
    def is_running(self) -> bool:
        return not self.process.exited.done()

    async def start(self, command: Sequence[str]) -> None:
        try:
            self.process = await PluginProcess.start(self._settings, self, command)
        except OSError as error:
            raise CaseFailedError(f"cannot start it: {error}") from error
        self._has_started = True
        self.process.exited.add_done_callback(self._exited)

    async def finish(self) -> None:
        """End the process; a probe that never started or has ended already is fine."""
        if self._has_started:
            self._has_started = False
            await self.process.finish()
            self._stderr.finish()

    def send(self, method: str, params: Any) -> int:
        """Send a request, return its id for `answer_to`."""
        self._next_id += 1
        self._waiting[self._next_id] = asyncio.get_running_loop().create_future()
        self.send_raw(request_frame(self._next_id, method, params))
        return self._next_id

    def notify(self, method: str, params: Any) -> None:
        self.send_raw(notification_frame(method, params))

    def send_raw(self, frame: bytes) -> None:
        with_headers = self._settings.with_headers or self._framer.saw_headers
        self.process.write(framed(frame, with_headers=with_headers))

    async def answer_to(self, call_id: int, seconds: float | None = None) -> Message:
        """Wait for the reply to a request."""
        waiting = self._waiting[call_id]
        if not self.is_running and not waiting.done():
            raise CaseFailedError(self._end_text())
        limit = seconds or self.seconds
        await asyncio.wait([waiting], timeout=limit)
        if not waiting.done():
            raise CaseFailedError(f"no answer within {limit:g} s")
        return waiting.result()

    async def call(self, method: str, params: Any, seconds: float | None = None) -> Message:
        return await self.answer_to(self.send(method, params), seconds)

    async def has_exited_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self.process.exited], timeout=seconds)
        return bool(done)

    def initialize_params(self) -> dict[str, Any]:
        return {
            "protocol_version": PROTOCOL_VERSION,
            "gateway": {"name": "propylon plugin check", "version": PROTOCOL_VERSION},
            "framing": "content-length" if self._settings.with_headers else "newline",
            "limits": {
                "max_message_size": self._settings.max_message_bytes,
                "timeout_ms": int(self.seconds * 1000),
            },
            "apis": [],
            "capabilities": {"cancel": True, "store": True, "events": True, "log": True},
        }

    # from the process

    def stdout_received(self, data: bytes) -> None:
        try:
            frames = self._framer.feed(data)
        except FrameTooLargeError:
            self._is_too_large = True
            self.process.signal_group(signal.SIGKILL)
            return
        for frame in frames:
            try:
                messages = messages_in(frame)
            except UnreadableReplyError:
                messages = None
            if messages is None:
                self.garbage.append(frame[:200])
            for message in messages or ():
                self._take(message)

    def stderr_received(self, data: bytes) -> None:
        self._stderr.feed(data)

    def pipe_broken(self, reason: str) -> None:
        """The cases find out: their calls stay without an answer."""

    def writing_paused(self) -> None:
        """A case sends a bounded amount: there is nothing to hold back."""

    def writing_resumed(self) -> None:
        """See `writing_paused`."""

    def _take(self, message: Message) -> None:
        if message.method is not None:
            if message.id is not None:
                # The kit offers no store; an error is an answer that a plugin must survive.
                self.send_raw(error_frame(message.id, METHOD_NOT_FOUND, "not in a check"))
            return
        call_id = message.call_id
        if call_id is None:
            self.answers_without_id.append(message)
            return
        waiting = self._waiting.get(call_id)
        if call_id in self._answered or waiting is None:
            self.repeated.append(call_id)
            return
        self._answered.add(call_id)
        if not waiting.done():
            waiting.set_result(message)

    def _exited(self, exited: asyncio.Future[int]) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(CaseFailedError(self._end_text()))
                # Cases await one call of several: the others' failure is no news.
                waiting.exception()

    def _end_text(self) -> str:
        if self._is_too_large:
            return f"it sent more than {self._settings.max_message_bytes} bytes in one message"
        return f"the process ended ({exit_text(self.process.exited.result())})"


class _SilentLog(LineLog):
    """Keeps the tail for the report; the check's own output is the report."""

    def write(self, level: str, message: str, fields: dict[str, Any] | None = None) -> None:
        pass
