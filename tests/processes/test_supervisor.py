"""The supervisor and its workers as real processes on real sockets."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from propylon.config.model import Config

STEP_SECONDS = 0.02
WAIT_SECONDS = 15.0


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that only the operating system can tell, and not by an event."""
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end
        select.select([], [], [], STEP_SECONDS)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def end_of_head(sock: socket.socket) -> None:
    """Read until the answer to `/hold` has begun."""
    seen = b""
    while b"holding\n" not in seen:
        seen += sock.recv(1)


def read_rest(sock: socket.socket) -> list[str]:
    text = b""
    with sock:
        while chunk := sock.recv(4096):
            text += chunk
    return text.decode().split()


def test_serves_with_as_many_workers_as_asked(gateway: Any) -> None:
    assert len(gateway.worker_pids()) == 2
    pid, state, ready, parent = gateway.get()
    assert (state, ready) == ("one", "ready")
    assert int(parent) == gateway.process.pid
    assert int(pid) in gateway.worker_pids()


def test_row_009_pid_file_is_private_and_removed(gateway: Any) -> None:
    path = gateway.folder / "pid"
    assert int(path.read_text()) == gateway.process.pid
    assert path.stat().st_mode & 0o777 == 0o600
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    assert not path.exists()


def test_pid_file_that_cannot_be_written_is_no_obstacle(start_gateway: Any) -> None:
    gateway = start_gateway(pid_file_location="/nonexistent/folder/pid")
    gateway.logged("cannot write the pid file")
    gateway.logged("gateway started")


def test_pid_file_that_nobody_asked_for_is_not_missed(start_gateway: Any) -> None:
    gateway = start_gateway(pid_file_location=Config().pid_file_location)
    gateway.logged("gateway started")
    assert all(entry["message"] != "cannot write the pid file" for entry in gateway.log)


def test_killed_worker_is_replaced_and_no_connection_is_refused(gateway: Any) -> None:
    victims = gateway.worker_pids()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    # Both are dead or dying: what connects now waits in the shared queue.
    pid, *_ = gateway.get()
    assert int(pid) not in victims
    gateway.logged("worker replaced", count=2)
    assert len(gateway.worker_pids()) == 2
    assert "SIGKILL" in gateway.logged("worker ended, replacing it")["error"]


def test_connections_during_kills_under_load_are_all_accepted(gateway: Any) -> None:
    answered = lost = 0
    for number in range(60):
        if number in (15, 35):
            os.kill(min(gateway.worker_pids()), signal.SIGKILL)
        try:
            answered += gateway.get()[1] == "one"
        except (IndexError, ConnectionResetError):
            lost += 1  # in the hands of the worker that was killed; refused would raise
    # Each kill can take with it at most the one request that the client had open.
    assert lost <= 2
    assert answered == 60 - lost


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_signal_reloads_every_worker(gateway: Any, number: int) -> None:
    before = gateway.worker_pids()
    gateway.set_state("two")
    gateway.signal(number)
    assert gateway.logged("reload: complete")
    assert {gateway.get()[1] for _ in range(20)} == {"two"}
    assert gateway.worker_pids() == before


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("broken", "state: this state is broken"),
        ("broken-in-1", "state: broken in worker 1"),
        ("bug", "RuntimeError: a bug in the build"),
        ("crash", "ended during the reload"),
    ],
)
def test_failed_build_keeps_the_old_state_everywhere(gateway: Any, state: str, reason: str) -> None:
    before = gateway.worker_pids()
    gateway.set_state(state)
    gateway.signal(signal.SIGHUP)
    entry = gateway.logged("reload failed, the previous APIs go on serving")
    gateway.set_state("one")
    assert reason in entry["error"]
    assert {gateway.get()[1] for _ in range(10)} == {"one"}
    if state != "crash":
        assert gateway.worker_pids() == before
    gateway.set_state("three")
    gateway.signal(signal.SIGHUP)
    gateway.logged("reload: complete")
    assert {gateway.get()[1] for _ in range(10)} == {"three"}


def test_row_134_request_in_flight_finishes_on_the_state_it_began_with(gateway: Any) -> None:
    with gateway.connect("/hold") as held:
        end_of_head(held)
        gateway.set_state("two")
        gateway.signal(signal.SIGHUP)
        gateway.logged("reload: complete")
        assert gateway.get()[1] == "two"
        gateway.release()
        assert read_rest(held)[1] == "one"


def test_requests_for_reload_are_joined(gateway: Any) -> None:
    gateway.set_state("two")
    for _ in range(50):
        gateway.signal(signal.SIGHUP)
    gateway.set_state("three")
    gateway.signal(signal.SIGUSR2)
    until(lambda: gateway.get()[1] == "three")
    begun = sum(entry["message"] == "reload: initiating" for entry in gateway.log)
    assert begun <= 3


def open_descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def test_no_descriptor_leaks_over_reloads(start_gateway: Any) -> None:
    gateway = start_gateway(workers=1, reload_interval=1)
    gateway.logged("gateway started")
    gateway.signal(signal.SIGHUP)
    gateway.logged("reload: complete", count=1)
    pids = [gateway.process.pid, *gateway.worker_pids()]
    before = [open_descriptors(pid) for pid in pids]
    for number in range(2, 21):
        gateway.signal(signal.SIGHUP)
        gateway.logged("reload: complete", count=number)
    assert [open_descriptors(pid) for pid in pids] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_row_135_stop_signal_drains(gateway: Any, number: int) -> None:
    workers = gateway.worker_pids()
    with gateway.connect("/hold") as held:
        end_of_head(held)
        gateway.signal(number)
        gateway.logged("stopping")
        until(lambda: not accepts(gateway.address))
        gateway.release()
        assert read_rest(held)[1] == "one"
    assert gateway.wait() == 0
    assert not any(is_alive(pid) for pid in workers)


def accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, WAIT_SECONDS).close()
    except OSError:
        return False
    return True


def test_readiness_changes_at_once_and_accepting_goes_on_for_the_delay(
    start_gateway: Any,
) -> None:
    gateway = start_gateway(workers=1, graceful_shutdown_delay_seconds=3600)
    gateway.logged("gateway started")
    gateway.signal(signal.SIGTERM)
    until(lambda: gateway.get()[2] == "stopping")
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 128 + signal.SIGTERM


def test_drain_is_cut_when_the_time_is_over(start_gateway: Any) -> None:
    gateway = start_gateway(workers=1, graceful_shutdown_timeout_duration=1)
    gateway.logged("gateway started")
    with gateway.connect("/hold") as held:
        end_of_head(held)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert read_rest(held) == []


def test_second_signal_ends_at_once(gateway: Any) -> None:
    workers = gateway.worker_pids()
    with gateway.connect("/hold") as held:
        end_of_head(held)
        gateway.signal(signal.SIGTERM)
        gateway.logged("stopping")
        gateway.signal(signal.SIGINT)
        assert gateway.wait() == 128 + signal.SIGINT
    until(lambda: not any(is_alive(pid) for pid in workers))


def test_nobody_survives_a_killed_supervisor(gateway: Any) -> None:
    workers = gateway.worker_pids()
    gateway.process.kill()
    until(lambda: not any(is_alive(pid) for pid in workers))
    assert not accepts(gateway.address)


def test_workers_leave_signals_of_the_group_to_the_supervisor(gateway: Any) -> None:
    workers = gateway.worker_pids()
    for pid in workers:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
    assert gateway.get()[1] == "one"
    assert gateway.worker_pids() == workers


def test_failed_first_build_ends_the_start_with_its_reason(start_gateway: Any) -> None:
    gateway = start_gateway("broken", workers=2)
    assert gateway.wait() == 78
    assert gateway.noise == ["state: this state is broken\n"]


def test_crash_in_the_first_build_ends_the_start(start_gateway: Any) -> None:
    gateway = start_gateway("crash", workers=1)
    assert gateway.wait() == 70
    assert "SIGABRT" in gateway.noise[-1]


def test_address_in_use_is_named(start_gateway: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = start_gateway(listen_port=port)
        assert gateway.wait() == 69
    assert gateway.noise == [
        f"cannot listen on 127.0.0.1:{port} (listen_port): Address already in use\n"
    ]
