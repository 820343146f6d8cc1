"""One child process with its three pipes on the event loop. Bytes in and out, no judgement.

Works on uvloop and on plain asyncio. The child leads its own process group, so that ending it ends
whatever it started.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from propylon.plugins.stdio.launcher import launch_command, plugin_environment
from propylon.plugins.stdio.settings import StdioSettings

# Above this much unread by the child, calls wait in the queue instead.
_WRITE_HIGH_BYTES = 256 * 1024

# The output of a dead group is in the pipe already; reading it takes a loop turn or two.
_DRAIN_SECONDS = 0.5


class ProcessOwner(Protocol):
    """Who handles what a child does."""

    def stdout_received(self, data: bytes) -> None: ...

    def stderr_received(self, data: bytes) -> None: ...

    def writing_paused(self) -> None: ...

    def writing_resumed(self) -> None: ...

    def pipe_broken(self, reason: str) -> None:
        """Nothing more can be said or heard: a pipe ended, or what it brought raised."""
        ...


class PluginProcess:
    """A running child.

    `exited` is done with the return code once it is gone and reaped, `drained` once nobody can
    write to its output any more.
    """

    __slots__ = (
        "_flush_handle",
        "_has_closed_stdin",
        "_is_stdin_gone",
        "_loop",
        "_open_outputs",
        "_outgoing",
        "_outgoing_bytes",
        "_owner",
        "_stderr",
        "_stdin",
        "_stdout",
        "_transport",
        "drained",
        "exited",
        "pid",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._flush_handle: asyncio.Handle | None = None
        self._has_closed_stdin = False
        self._is_stdin_gone = False
        self._owner: ProcessOwner
        self._stdin: asyncio.WriteTransport
        self._stdout: asyncio.ReadTransport
        self._stderr: asyncio.ReadTransport
        self._transport: asyncio.SubprocessTransport
        self.pid = 0
        self.exited: asyncio.Future[int] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self._open_outputs = 2

    def __repr__(self) -> str:
        return f"<PluginProcess pid={self.pid} exited={self.exited.done()}>"

    @classmethod
    async def start(
        cls, settings: StdioSettings, owner: ProcessOwner, command: Sequence[str] = ()
    ) -> PluginProcess:
        """Start the plugin. Raises `OSError` when not even the launcher can be run."""
        loop = asyncio.get_running_loop()
        process = cls(loop)
        pipes = [os.pipe() for _ in range(3)]
        (stdin_read, stdin_write), (stdout_read, stdout_write), (stderr_read, stderr_write) = pipes
        ours = [stdin_write, stdout_read, stderr_read]
        theirs = [stdin_read, stdout_write, stderr_write]
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: _ExitProtocol(process.exited),
                *launch_command(command or (settings.command, *settings.args)),
                stdin=stdin_read,
                stdout=stdout_write,
                stderr=stderr_write,
                env=plugin_environment(os.environ, settings.env),
                cwd=settings.cwd or None,
                start_new_session=True,
            )
        except BaseException:
            for each in ours:
                os.close(each)
            raise
        finally:
            for each in theirs:
                os.close(each)
        process._transport = transport
        process.pid = transport.get_pid()
        try:
            await process._connect(owner, ours)
        except BaseException:
            # Out of file descriptors, or cancelled: the child must not stay behind.
            process.signal_group(signal.SIGKILL)
            transport.close()
            raise
        return process

    async def _connect(self, owner: ProcessOwner, pipes: list[int]) -> None:
        stdin, stdout, stderr = (
            os.fdopen(each, mode, 0) for each, mode in zip(pipes, ("wb", "rb", "rb"), strict=True)
        )
        self._owner = owner
        self._stdin, _ = await self._loop.connect_write_pipe(
            lambda: _WriteProtocol(owner, self._stdin_ended), stdin
        )
        self._stdin.set_write_buffer_limits(high=_WRITE_HIGH_BYTES)
        self._stdout, _ = await self._loop.connect_read_pipe(
            lambda: _ReadProtocol(owner.stdout_received, self._stdout_ended, owner), stdout
        )
        self._stderr, _ = await self._loop.connect_read_pipe(
            lambda: _ReadProtocol(owner.stderr_received, self._pipe_ended, owner), stderr
        )

    def write(self, data: bytes) -> None:
        """Send bytes with everything else of this loop turn."""
        if not self._outgoing:
            self._flush_handle = self._loop.call_soon(self._flush)
        self._outgoing.append(data)
        self._outgoing_bytes += len(data)
        # Large calls of one turn must meet the pause that the first of them causes.
        if self._outgoing_bytes > _WRITE_HIGH_BYTES:
            self._flush()

    @property
    def unread_bytes(self) -> int:
        """How much the child has not taken yet."""
        return self._stdin.get_write_buffer_size()

    def pause_stdout(self) -> None:
        self._stdout.pause_reading()

    def resume_stdout(self) -> None:
        self._stdout.resume_reading()

    def close_stdin(self) -> None:
        """Let the child see the end of its input, after what was written."""
        self._flush()
        self._has_closed_stdin = True
        self._stdin.close()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the child and to whatever it started; a group that is gone is fine."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # macOS answers EPERM for a group of zombies.
            pass

    async def finish(self) -> int:
        """End the whole group, read what is left of its output, free every pipe.

        Returns how the child ended, see `exit_text`.
        """
        self.signal_group(signal.SIGKILL)
        code = await asyncio.shield(self.exited)
        # Once more, for what the child may have started while it was being killed.
        self.signal_group(signal.SIGKILL)
        try:
            await asyncio.wait_for(asyncio.shield(self.drained), _DRAIN_SECONDS)
        except TimeoutError:
            pass  # somebody left the group and holds the pipe: its output is not ours to await
        self._release()
        return code

    def _release(self) -> None:
        if self._flush_handle is not None:
            self._flush_handle.cancel()
        self._outgoing.clear()
        self._has_closed_stdin = True
        if not self._is_stdin_gone:
            self._stdin.abort()
        self._stdout.close()
        self._stderr.close()
        self._transport.close()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        self._outgoing_bytes = 0
        if outgoing and not self._has_closed_stdin and not self._is_stdin_gone:
            self._stdin.write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))

    def _stdin_ended(self) -> None:
        self._is_stdin_gone = True
        if not self._has_closed_stdin:
            self._owner.pipe_broken("the plugin closed its stdin")

    def _stdout_ended(self) -> None:
        self._pipe_ended()
        self._owner.pipe_broken("the plugin closed its stdout")

    def _pipe_ended(self) -> None:
        self._open_outputs -= 1
        if not self._open_outputs and not self.drained.done():
            self.drained.set_result(None)


class _ExitProtocol(asyncio.SubprocessProtocol):
    __slots__ = ("_exited", "_transport")

    def __init__(self, exited: asyncio.Future[int]) -> None:
        self._exited = exited
        self._transport: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def process_exited(self) -> None:
        code = self._transport.get_returncode()
        if not self._exited.done():
            self._exited.set_result(-1 if code is None else code)


class _ReadProtocol(asyncio.Protocol):
    __slots__ = ("_ended", "_owner", "_received")

    def __init__(
        self, received: Callable[[bytes], None], ended: Callable[[], None], owner: ProcessOwner
    ) -> None:
        self._received = received
        self._ended = ended
        self._owner = owner

    def data_received(self, data: bytes) -> None:
        try:
            self._received(data)
        except Exception as error:
            # The loop would close the pipe and say so to nobody.
            self._owner.pipe_broken(f"its output cannot be handled: {error!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()


class _WriteProtocol(asyncio.BaseProtocol):
    __slots__ = ("_ended", "_owner")

    def __init__(self, owner: ProcessOwner, ended: Callable[[], None]) -> None:
        self._owner = owner
        self._ended = ended

    def pause_writing(self) -> None:
        self._owner.writing_paused()

    def resume_writing(self) -> None:
        self._owner.writing_resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()


def exit_text(code: int) -> str:
    """Say how a process ended: `exit status 3`, `killed by SIGSEGV`."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
