"""The parent process: it holds the listening sockets, keeps the workers alive and obeys signals.

It serves no request itself. What it runs besides workers is the stdio plugin child when several
workers share it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

import msgspec
import uvloop

from propylon import __version__
from propylon.config.model import Config
from propylon.observe.logs import get_logger
from propylon.processes.errors import EXIT_SOFTWARE
from propylon.processes.listeners import Listeners
from propylon.processes.messages import (
    AnnounceShutdown,
    ListenerRef,
    PluginState,
    Start,
)
from propylon.processes.pid_file import PidFile
from propylon.processes.plugin_owner import PluginOwner, needs_owner
from propylon.processes.pool import WorkerPool
from propylon.processes.released import Released
from propylon.processes.reload import ReloadLoop

log = get_logger("main")

# -P: the folder in which the gateway was started is no place to import modules from.
WORKER_COMMAND = (sys.executable, "-P", "-m", "propylon.processes.worker_main")

TICK_SECONDS = 1.0
TICKS_PER_PING = 10
PLUGIN_STOP_SECONDS = 15.0

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
RELOAD_SIGNALS = (signal.SIGHUP, signal.SIGUSR2)


def run_gateway(config: Config, *, worker_command: Sequence[str] = WORKER_COMMAND) -> int:
    """Run the gateway until it is told to stop; return the exit code.

    Raises `StartError` when it cannot start.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Supervisor(config, worker_command).run())


def worker_count(config: Config) -> int:
    """Return how many workers `workers` asks for; 0 is one per core this process may use."""
    if config.workers > 0:
        return config.workers
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Supervisor:
    """One gateway from its start to its end."""

    def __init__(self, config: Config, worker_command: Sequence[str]) -> None:
        self._config = config
        self._worker_command = worker_command
        self._worker_count = worker_count(config)
        self._plugins: PluginOwner | None = None
        self._stop = asyncio.Event()
        self._cut = asyncio.Event()
        self._cut_by = 0

    async def run(self) -> int:
        config = self._config
        with Listeners.open(config) as listeners, PidFile(config.pid_file_location):
            listeners.log_addresses()
            pool = WorkerPool(
                self._worker_command,
                partial(self._start_message, listeners),
                self._worker_count,
                Released(config),
            )
            reloads = ReloadLoop(pool.reload, max(config.reload_interval, 1))
            self._install_signals(reloads)
            try:
                return await self._run(listeners, pool, reloads)
            finally:
                pool.kill()
                await pool.stop()
                await self._stop_plugins()
                self._remove_signals()

    async def _run(self, listeners: Listeners, pool: WorkerPool, reloads: ReloadLoop) -> int:
        await self._start_plugins()
        if not await self._start_workers(pool):
            return self._exit_code(0)
        log.info("gateway started", version=__version__, workers=self._worker_count)
        background = [
            asyncio.create_task(reloads.run()),
            asyncio.create_task(self._tick(pool)),
        ]
        try:
            exit_code = await self._until_stopped([*background, *pool.keepers])
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        await self._shut_down(listeners, pool)
        log.info("gateway stopped")
        return self._exit_code(exit_code)

    async def _start_workers(self, pool: WorkerPool) -> bool:
        """Start the workers unless a signal ends the start first."""
        start = asyncio.create_task(pool.start())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                return True
            return False
        finally:
            for task in (start, stop):
                task.cancel()
            await asyncio.gather(start, stop, return_exceptions=True)

    async def _until_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> int:
        """Wait for a stop signal; a background task that ends by itself is a fault of ours."""
        stop = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            await asyncio.gather(stop, return_exceptions=True)
        if stop in done:
            return 0
        for task in done:
            log.critical("a task of the supervisor ended", exc_info=task.exception())
        return EXIT_SOFTWARE

    async def _shut_down(self, listeners: Listeners, pool: WorkerPool) -> None:
        """Drain (gateway-core 8), cut short by a second signal."""
        drain = asyncio.create_task(self._drain(listeners, pool))
        cut = asyncio.create_task(self._cut.wait())
        try:
            await asyncio.wait({drain, cut}, return_when=asyncio.FIRST_COMPLETED)
            if drain.done():
                drain.result()
            else:
                log.warning("second signal, ending at once")
        finally:
            for task in (drain, cut):
                task.cancel()
            await asyncio.gather(drain, cut, return_exceptions=True)

    async def _drain(self, listeners: Listeners, pool: WorkerPool) -> None:
        config = self._config
        log.info("stopping", timeout_seconds=config.graceful_shutdown_timeout_duration)
        pool.greet(AnnounceShutdown())
        await asyncio.sleep(config.graceful_shutdown_delay_seconds)
        # Our copy goes first, or connections would queue in a socket that nobody accepts from.
        listeners.close()
        await pool.drain(float(config.graceful_shutdown_timeout_duration))

    async def _tick(self, pool: WorkerPool) -> None:
        """Pass the child's state on when it has changed, and look after the workers."""
        ticks = 0
        shown: dict[str, object] | None = None
        while True:
            if self._plugins is not None:
                state = self._plugins.status()
                if state != shown:
                    shown = state
                    pool.greet(PluginState(state))
            if ticks % TICKS_PER_PING == 0:
                pool.check_responsive()
            ticks += 1
            await asyncio.sleep(TICK_SECONDS)

    # --- plugins ---

    async def _start_plugins(self) -> None:
        if needs_owner(self._config, self._worker_count):
            self._plugins = PluginOwner(self._config)
            await self._plugins.start()

    async def _stop_plugins(self) -> None:
        plugins, self._plugins = self._plugins, None
        if plugins is None:
            return
        try:
            async with asyncio.timeout(PLUGIN_STOP_SECONDS):
                await plugins.stop()
        except TimeoutError:
            log.warning("the plugin process did not stop in time", seconds=PLUGIN_STOP_SECONDS)

    # --- workers ---

    def _start_message(
        self, listeners: Listeners, slot: int, sources: msgspec.Raw, *, is_replacement: bool
    ) -> Start:
        return Start(
            config=msgspec.Raw(msgspec.json.encode(self._config)),
            sources=sources,
            is_replacement=is_replacement,
            listeners=[
                ListenerRef(listener.role, listener.socket.fileno()) for listener in listeners
            ],
            slot=slot,
            worker_count=self._worker_count,
            plugin_socket=self._plugins.socket_path if self._plugins is not None else None,
        )

    # --- signals ---

    def _install_signals(self, reloads: ReloadLoop) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_stop_signal, number)
        for number in RELOAD_SIGNALS:
            loop.add_signal_handler(number, reloads.request)

    def _remove_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (*STOP_SIGNALS, *RELOAD_SIGNALS):
            loop.remove_signal_handler(number)

    def _on_stop_signal(self, number: int) -> None:
        if self._stop.is_set():
            self._cut_by = number
            self._cut.set()
        self._stop.set()

    def _exit_code(self, code: int) -> int:
        """128+n for the signal that cut the drain short, as a shell reports it."""
        return 128 + self._cut_by if self._cut_by else code
