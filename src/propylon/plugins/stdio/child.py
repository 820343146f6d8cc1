"""The conversation with one running plugin: handshake, messages both ways, ping, stop.

A `Child` lives as long as its process; `supervisor` starts the next one. Whatever makes the
conversation impossible ends in `doom`, which says why and wakes the supervisor.
"""

from __future__ import annotations

import asyncio
import signal
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from propylon.errors import PluginError
from propylon.observe.logs import get_logger
from propylon.plugins.stdio.callbacks import Callbacks
from propylon.plugins.stdio.calls import OWNER_SLOT, SLOTS
from propylon.plugins.stdio.dispatcher import Dispatcher
from propylon.plugins.stdio.framing import Framer, FrameTooLargeError, framed
from propylon.plugins.stdio.process import PluginProcess
from propylon.plugins.stdio.protocol import (
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION,
    ErrorObject,
    Message,
    UnreadableReplyError,
    error_text,
    messages_in,
    notification_frame,
    request_frame,
)
from propylon.plugins.stdio.settings import StdioSettings
from propylon.plugins.stdio.stderr import LineLog, StderrLog

log = get_logger("coprocess")

# A plugin that prints is a nuisance, one that only prints is no plugin.
_MAX_GARBAGE_FRAMES = 10
_GARBAGE_LOG_SECONDS = 1.0
# How much of a bad line is shown to its author.
_SHOWN_BYTES = 200

# After `exit` and the end of stdin, before SIGTERM: a loop over stdin ends by itself.
_EOF_GRACE_SECONDS = 1.0
# A plugin that ends closes its pipes a moment before; its exit status is worth that moment.
_EXIT_GRACE_SECONDS = 0.5


class Handshake(Struct):
    """What a plugin says of itself in reply to `initialize`."""

    name: str = ""
    version: str = ""
    protocol_version: str = PROTOCOL_VERSION
    hooks: list[str] | None = None
    events: list[str] | None = None
    max_concurrency: int | None = None
    capabilities: Any = None


MINIMAL = Handshake(max_concurrency=1)
"""A plugin that knows `Dispatch` only: it answered `initialize` with method not found."""


class Child:
    """One process that speaks the protocol."""

    __slots__ = (
        "_callbacks",
        "_dispatcher",
        "_framer",
        "_garbage_frames",
        "_garbage_logged_at",
        "_is_pipe_broken",
        "_is_stdout_paused",
        "_next_id",
        "_own_calls",
        "_settings",
        "_stderr",
        "_with_headers",
        "doom",
        "handshake",
        "heard_at",
        "process",
    )

    def __init__(
        self,
        settings: StdioSettings,
        dispatcher: Dispatcher,
        callbacks: Callbacks,
        lines: LineLog,
    ) -> None:
        self._settings = settings
        self._dispatcher = dispatcher
        self._callbacks = callbacks
        self._stderr = StderrLog(lines)
        self._framer = Framer(settings.max_message_bytes)
        self._with_headers = settings.with_headers
        self._next_id = OWNER_SLOT
        self._own_calls: dict[int, asyncio.Future[Message]] = {}
        self._garbage_frames = 0
        self._garbage_logged_at = 0.0
        self._is_stdout_paused = False
        self._is_pipe_broken = False
        self.process: PluginProcess
        self.handshake = MINIMAL
        self.heard_at = monotonic()
        self.doom: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def is_minimal(self) -> bool:
        return self.handshake is MINIMAL

    @property
    def stderr_tail(self) -> list[str]:
        return list(self._stderr.tail)

    async def start(self) -> None:
        """Start the process. Raises `OSError`."""
        self.process = await PluginProcess.start(self._settings, self)
        self.process.exited.add_done_callback(self._process_exited)

    async def initialize(self, params: dict[str, Any]) -> None:
        """Shake hands. Raises `PluginError` when the plugin refuses, or does not answer."""
        seconds = self._settings.init_timeout_ms / 1000
        reply = await self._call("initialize", params, seconds)
        if reply.error is not None:
            if reply.error.code != METHOD_NOT_FOUND:
                raise PluginError(f"initialize: {error_text(reply.error)}")
            return
        try:
            handshake = msgspec.json.decode(reply.result, type=Handshake, strict=False)
        except msgspec.DecodeError as error:
            raise PluginError(f"initialize: the reply is not usable: {error}") from error
        if handshake.protocol_version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
            raise PluginError(
                f"initialize: the plugin speaks protocol {handshake.protocol_version}, "
                f"the gateway {PROTOCOL_VERSION}"
            )
        self.handshake = handshake
        self.notify("initialized", {})

    def send(self, frame: bytes) -> None:
        """Send one message; joined with the others of this loop turn."""
        self.process.write(framed(frame, with_headers=self._with_headers))

    def notify(self, method: str, params: Any) -> None:
        """Send a notification; a minimal plugin would take it for a call and gets none."""
        if not self.is_minimal:
            self.send(notification_frame(method, params))

    def ping(self) -> None:
        """Ask for a sign of life: anything the plugin says counts as one."""
        self.send(request_frame(self._new_id(), "ping", {}))

    async def stop(self) -> None:
        """End the plugin, politely first (rich-plugins A.5). Always ends it."""
        grace = self._settings.stop_timeout_s
        try:
            if not self.doom.done():
                await self._call("shutdown", {}, grace)
        except PluginError:
            pass  # it is asked less politely below
        if not self.process.exited.done():
            self.notify("exit", {})
            self.process.close_stdin()
            if not await self._has_exited_within(min(_EOF_GRACE_SECONDS, grace)):
                self.process.signal_group(signal.SIGTERM)
                await self._has_exited_within(grace)

    async def finish(self) -> int:
        """Kill what is left and free everything; returns how the process ended."""
        if self._is_pipe_broken:
            await self._has_exited_within(_EXIT_GRACE_SECONDS)
        code = await self.process.finish()
        self._stderr.finish()
        self._fail_own_calls("the plugin ended")
        return code

    # from the process

    def stdout_received(self, data: bytes) -> None:
        self.heard_at = monotonic()
        try:
            frames = self._framer.feed(data)
        except FrameTooLargeError as error:
            self.condemn(f"{error} (coprocess_max_message_size)")
            return
        if self._framer.saw_headers:
            self._with_headers = True
        for frame in frames:
            try:
                messages = messages_in(frame)
            except UnreadableReplyError as error:
                self.condemn(str(error))
                return
            if messages is None:
                self._take_garbage(frame)
                continue
            for message in messages:
                self._take(message)

    def stderr_received(self, data: bytes) -> None:
        self._stderr.feed(data)

    def pipe_broken(self, reason: str) -> None:
        self._is_pipe_broken = True
        self.condemn(reason)

    def writing_paused(self) -> None:
        self._dispatcher.pause()

    def writing_resumed(self) -> None:
        if self._is_stdout_paused:
            self._is_stdout_paused = False
            self.process.resume_stdout()
        self._dispatcher.resume()

    def _take(self, message: Message) -> None:
        if message.method is not None:
            self._garbage_frames = 0
            self._answer(message)
            return
        error = message.error
        call_id = message.call_id
        if error is None and not message.has_result:
            if call_id is None:
                self._take_garbage(b"a JSON value that is no JSON-RPC message")
                return
            message.error = error = ErrorObject(0, "a reply with neither result nor error")
        self._garbage_frames = 0
        if call_id is None:
            log.warning(
                "the plugin sent a reply without an id",
                plugin=self._settings.command,
                error=None if error is None else error_text(error),
            )
        elif call_id % SLOTS == OWNER_SLOT:
            waiting = self._own_calls.pop(call_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        elif error is None:
            self._dispatcher.settle(call_id, message.result, "")
        else:
            self._dispatcher.settle(call_id, None, error_text(error))

    def _answer(self, message: Message) -> None:
        frame = self._callbacks.answer(message)
        if frame is None:
            return
        self.send(frame)
        # A plugin that asks without reading the answers is not read either, until it does.
        if (
            self.process.unread_bytes > self._settings.max_message_bytes
            and not self._is_stdout_paused
        ):
            self._is_stdout_paused = True
            self.process.pause_stdout()

    def _take_garbage(self, frame: bytes) -> None:
        self._garbage_frames += 1
        now = monotonic()
        if now - self._garbage_logged_at >= _GARBAGE_LOG_SECONDS:
            self._garbage_logged_at = now
            log.warning(
                "the plugin wrote something to stdout that is no JSON-RPC message; "
                "print to stderr instead",
                plugin=self._settings.command,
                line=frame[:_SHOWN_BYTES].decode("utf-8", "replace"),
            )
        if self._garbage_frames >= _MAX_GARBAGE_FRAMES:
            self.condemn(f"{self._garbage_frames} lines of garbage in a row on stdout")

    def _process_exited(self, exited: asyncio.Future[int]) -> None:
        self.condemn("the plugin exited")

    def condemn(self, reason: str) -> None:
        """Give the child up: the supervisor will end it."""
        if not self.doom.done():
            self.doom.set_result(reason)
        self._fail_own_calls(reason)

    # own calls

    async def _call(self, method: str, params: Any, seconds: float) -> Message:
        if self.doom.done():
            raise PluginError(f"{method}: {self.doom.result()}")
        call_id = self._new_id()
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._own_calls[call_id] = waiting
        self.send(request_frame(call_id, method, params))
        try:
            return await asyncio.wait_for(waiting, seconds)
        except TimeoutError as error:
            raise PluginError(f"{method}: no reply within {seconds:g} s") from error
        finally:
            self._own_calls.pop(call_id, None)

    def _fail_own_calls(self, reason: str) -> None:
        waiting, self._own_calls = self._own_calls, {}
        for each in waiting.values():
            if not each.done():
                each.set_exception(PluginError(reason))

    def _new_id(self) -> int:
        self._next_id += SLOTS
        return self._next_id

    async def _has_exited_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self.process.exited], timeout=seconds)
        return bool(done)
