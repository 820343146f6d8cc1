"""Run the demo: a gateway with sample plugins, an upstream behind it, and lines to paste.

Starts the real `propylon` command in this folder and ends it on Ctrl-C. Edit a plugin and send the
gateway SIGHUP to see the change (the command is printed).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from asyncio.subprocess import Process
from pathlib import Path

from examples import examples
from upstream import address_of, start_upstream

FOLDER = Path(__file__).resolve().parent

FIRST_PORT = 8080
PORTS_TO_TRY = 20
START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


class DemoError(Exception):
    """The demo cannot run; the message says why."""


def free_port(first: int) -> int:
    """Return the first free port from `first` on; 0 asks the system for any."""
    for port in range(first, first + PORTS_TO_TRY if first else 1):
        with socket.socket() as probe:
            # What the gateway does: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError(f"no free port from {first} to {first + PORTS_TO_TRY - 1}")


async def start_gateway(port: int, upstream: str, pid_file: Path) -> Process:
    """Start `propylon` in a process group of its own, so that Ctrl-C reaches only this program."""
    environ = {
        **os.environ,
        "DEMO_UPSTREAM": upstream,
        "TYK_GW_PIDFILELOCATION": str(pid_file),
        # The stdio plugin is run by the Python that runs the gateway.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "propylon", "--conf", "tyk.conf", "--port", str(port)),
        cwd=FOLDER,
        env=environ,
        start_new_session=True,
    )


def is_ready(gateway: str) -> bool:
    """Ask the gateway whether it serves."""
    try:
        with urllib.request.urlopen(f"{gateway}/ready", timeout=2) as answer:  # noqa: S310 - http
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def wait_until_ready(gateway: str, process: Process) -> None:
    """Return once the gateway serves. Raises `DemoError` when it ends or takes too long."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while not await asyncio.to_thread(is_ready, gateway):
        if process.returncode is not None:
            raise DemoError(f"the gateway ended with exit code {process.returncode}")
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"the gateway was not ready within {START_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


async def stop(process: Process) -> None:
    """End the gateway and wait for it; it gets time to finish requests in flight."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def introduction(gateway: str, pid: int) -> str:
    lines = ["", f"Propylon listens on {gateway}. Paste these into another terminal:", ""]
    for number, example in enumerate(examples(gateway), 1):
        lines += [f"{number:2}. {example.about}", f"    {example.command}"]
        lines += [f"    shows: {example.shows}", ""]
    lines += [
        f"The files are in {FOLDER}. After a change: kill -HUP {pid}",
        "Each request is a line of the access log below. Ctrl-C ends the demo.",
        "",
    ]
    return "\n".join(lines)


async def run(first_port: int) -> None:
    """Run until the gateway ends or a signal comes."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    port = free_port(first_port)
    gateway = f"http://127.0.0.1:{port}"
    server = await start_upstream()
    with tempfile.TemporaryDirectory() as scratch:
        process = await start_gateway(port, address_of(server), Path(scratch) / "gateway.pid")
        ends = [asyncio.create_task(process.wait()), asyncio.create_task(stopped.wait())]
        try:
            ready = asyncio.create_task(wait_until_ready(gateway, process))
            ends.append(ready)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if stopped.is_set():
                return
            await ready
            print(introduction(gateway, process.pid), flush=True)
            await asyncio.wait(ends[:2], return_when=asyncio.FIRST_COMPLETED)
            if not stopped.is_set():
                raise DemoError(f"the gateway ended with exit code {process.returncode}")
        finally:
            for task in ends:
                task.cancel()
            await stop(process)
            server.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run Propylon with sample plugins.")
    parser.add_argument(
        "--port",
        type=int,
        default=FIRST_PORT,
        help=f"first port to try, default {FIRST_PORT}; 0 takes any free one",
    )
    try:
        asyncio.run(run(parser.parse_args().port))
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print("demo: ended", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
