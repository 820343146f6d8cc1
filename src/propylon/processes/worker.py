"""The life of one worker: start, serve, reload, drain, as the supervisor says.

What is served is behind `Service`; this file knows the order of things and nothing of HTTP. When
the supervisor disappears, however it does, the channel ends and the worker ends too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import uvloop

from propylon.apis.source_files import DefinitionFile, SourceFiles
from propylon.config.model import Config
from propylon.errors import ConfigError
from propylon.observe.line_writer import LineWriter
from propylon.observe.logs import configure, get_logger
from propylon.processes.channel import Channel
from propylon.processes.errors import EXIT_SOFTWARE
from propylon.processes.listeners import Listener
from propylon.processes.messages import (
    Abort,
    AnnounceShutdown,
    Commit,
    Committed,
    Drain,
    Failed,
    Ping,
    PluginState,
    Pong,
    Prepare,
    Prepared,
    Ready,
    Start,
    ToWorker,
)
from propylon.processes.worker_process import GROUP_SIGNALS

log = get_logger("worker")

START_MESSAGE_SECONDS = 30.0
# Without a supervisor nobody can stop us any more: what is in flight gets little time.
ORPHAN_DRAIN_SECONDS = 5.0
STOP_SECONDS = 4.0
# The supervisor sends a handful; more waiting means that we are stuck, and the channel closes.
MAX_WAITING_MESSAGES = 1024


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker is told about itself before it builds anything."""

    config: Config
    environ: Mapping[str, str]
    slot: int
    worker_count: int
    plugin_socket: str | None
    is_replacement: bool = False


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What came of a build: how many APIs serve, and which files not as they are now."""

    api_count: int
    failed: frozenset[str] = frozenset()


class Service(Protocol):
    """What a worker serves. All methods are called on its event loop, one after the other."""

    async def start(
        self, listeners: Sequence[Listener], sources: Sequence[DefinitionFile]
    ) -> BuildReport:
        """Build the first snapshot and serve it. Raises `ConfigError` when it cannot be built."""
        ...

    async def prepare(self, sources: Sequence[DefinitionFile]) -> BuildReport:
        """Build a snapshot beside the serving one. May be cancelled; raises `ConfigError`."""
        ...

    def commit(self) -> None:
        """Let the prepared snapshot serve."""
        ...

    def abort(self, reason: str) -> None:
        """Forget the prepared snapshot, if there is one, and remember why."""
        ...

    def announce_shutdown(self) -> None: ...

    def show_plugins(self, state: Mapping[str, Any]) -> None: ...

    async def drain(self, timeout_seconds: float) -> None:
        """Stop accepting, wait for what is in flight, cut the rest."""
        ...

    async def stop(self) -> None:
        """Give back everything; called once, last, also after a failed start."""
        ...


def run_worker(make_service: Callable[[WorkerContext], Service]) -> int:
    """Run this process as a worker: the descriptor of the channel is its last argument."""
    _ignore_group_signals()
    sock = socket.socket(fileno=int(sys.argv[-1]))
    sock.set_inheritable(False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(sock, make_service).run())


def _ignore_group_signals() -> None:
    """Do nothing on signals that were meant for the supervisor.

    Handlers rather than `SIG_IGN`, which programs that a plugin host starts would inherit.
    """
    for number in GROUP_SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)


class Worker:
    """Carries out the supervisor's messages in the order in which they come."""

    def __init__(
        self, sock: socket.socket, make_service: Callable[[WorkerContext], Service]
    ) -> None:
        self._sock = sock
        self._make_service = make_service
        self._channel: Channel[ToWorker] | None = None
        self._inbox: asyncio.Queue[ToWorker | None] = asyncio.Queue(MAX_WAITING_MESSAGES)
        "None stands for the end of the channel."
        self._is_orphan = asyncio.Event()
        self._build: asyncio.Task[None] | None = None
        self._log_writer: LineWriter | None = None

    async def run(self) -> int:
        self._channel = await Channel.open(self._sock, ToWorker, self._on_message, self._on_close)
        try:
            async with asyncio.timeout(START_MESSAGE_SECONDS):
                start = await self._inbox.get()
            if not isinstance(start, Start):
                return EXIT_SOFTWARE
            return await self._run(start)
        finally:
            self._channel.close()
            if self._log_writer is not None:
                self._log_writer.close()

    async def _run(self, start: Start) -> int:
        config = msgspec.json.decode(start.config, type=Config)
        self._log_writer = configure(config)
        context = WorkerContext(
            config,
            os.environ,
            start.slot,
            start.worker_count,
            start.plugin_socket,
            start.is_replacement,
        )
        service = self._make_service(context)
        try:
            report = await self._start_service(service, _inherit(start), start.sources)
            if report is None:
                return 0
            self._send(Ready(report.api_count, report.failed))
            await self._obey(service)
            return 0
        except ConfigError as error:
            self._send(Failed(str(error), error.exit_code))
            return error.exit_code
        except Exception as error:  # the outermost edge of this process
            log.exception("worker failed", worker=start.slot)
            self._send(Failed(f"{type(error).__name__}: {error}", EXIT_SOFTWARE))
            return EXIT_SOFTWARE
        finally:
            await self._stop_service(service)

    async def _start_service(
        self, service: Service, listeners: Sequence[Listener], sources: msgspec.Raw
    ) -> BuildReport | None:
        """Start serving; None when the supervisor went away meanwhile."""
        start = asyncio.create_task(service.start(listeners, await _decode(sources)))
        orphan = asyncio.create_task(self._is_orphan.wait())
        try:
            await asyncio.wait({start, orphan}, return_when=asyncio.FIRST_COMPLETED)
            return start.result() if start.done() else None
        finally:
            start.cancel()
            orphan.cancel()
            await asyncio.gather(start, orphan, return_exceptions=True)

    async def _stop_service(self, service: Service) -> None:
        await self._cancel_build()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await service.stop()
        except Exception:  # whatever is left ends with the process
            log.exception("stopping failed")

    async def _obey(self, service: Service) -> None:
        """Carry out messages until one ends the worker."""
        while True:
            message = await self._inbox.get()
            match message:
                case Prepare():
                    await self._cancel_build()
                    self._build = asyncio.create_task(self._prepare(service, message))
                case Commit():
                    service.commit()
                    self._send(Committed(message.reload))
                case Abort():
                    await self._cancel_build()
                    service.abort(message.reason)
                case AnnounceShutdown():
                    service.announce_shutdown()
                case PluginState():
                    service.show_plugins(message.state)
                case Ping():
                    self._send(Pong())
                case Drain():
                    await self._cancel_build()
                    await service.drain(message.timeout_seconds)
                    return
                case None:
                    log.error("the supervisor is gone, ending")
                    await self._cancel_build()
                    await service.drain(ORPHAN_DRAIN_SECONDS)
                    return
                case Start():
                    raise AssertionError("a worker is started once")

    async def _prepare(self, service: Service, message: Prepare) -> None:
        number = message.reload
        try:
            report = await service.prepare(await _decode(message.sources))
        except ConfigError as error:
            self._send(Prepared(number, reason=str(error)))
        except Exception as error:  # a build may fail in any way; what serves goes on serving
            log.exception("building the new APIs failed")
            self._send(Prepared(number, reason=f"{type(error).__name__}: {error}"))
        else:
            self._send(Prepared(number, api_count=report.api_count, failed=report.failed))

    async def _cancel_build(self) -> None:
        build, self._build = self._build, None
        if build is not None:
            build.cancel()
            await asyncio.gather(build, return_exceptions=True)

    # --- the channel ---

    def _send(self, message: msgspec.Struct) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def _on_message(self, message: ToWorker) -> None:
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            self._is_orphan.set()
            if self._channel is not None:
                self._channel.close()

    def _on_close(self) -> None:
        self._is_orphan.set()
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(None)


async def _decode(sources: msgspec.Raw) -> Sequence[DefinitionFile]:
    # Megabytes for a large gateway, and requests are being served meanwhile.
    found = await asyncio.to_thread(msgspec.json.decode, sources, type=SourceFiles)
    return found.files


def _inherit(start: Start) -> list[Listener]:
    """Take over the listening sockets; programs that this worker starts must not get them."""
    listeners = []
    for each in start.listeners:
        sock = socket.socket(fileno=each.descriptor)
        sock.set_inheritable(False)
        sock.setblocking(False)
        listeners.append(Listener(each.role, sock))
    return listeners
