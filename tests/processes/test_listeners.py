"""Listening sockets: addresses, families, errors."""

from __future__ import annotations

import socket

import msgspec
import pytest

from propylon.config.model import Config
from propylon.processes.errors import StartError
from propylon.processes.listeners import Listeners


def config_of(**settings: object) -> Config:
    return msgspec.convert(settings, Config)


def test_one_address() -> None:
    with Listeners.open(config_of(listen_address="127.0.0.1", listen_port=0)) as listeners:
        (listener,) = listeners
        assert listener.role == "main"
        socket.create_connection(listener.socket.getsockname(), 5).close()


def test_no_address_is_every_address_with_one_port() -> None:
    with Listeners.open(config_of(listen_port=0)) as listeners:
        ports = {listener.socket.getsockname()[1] for listener in listeners}
        assert len(ports) == 1
        with socket.create_connection(("127.0.0.1", ports.pop()), 5) as client:
            first = next(iter(listeners))
            first.socket.setblocking(True)
            accepted, peer = first.socket.accept()
            accepted.close()
            # No `::ffff:` before it: IPv4 has a socket of its own.
            assert peer[0] == client.getsockname()[0] == "127.0.0.1"


def test_control_port_has_its_own_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = config_of(listen_address="127.0.0.1", listen_port=0, control_api_port=port)
    with Listeners.open(config) as listeners:
        assert [listener.role for listener in listeners] == ["main", "control"]


def test_failure_names_the_setting_and_closes_what_was_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = config_of(listen_address="127.0.0.1", listen_port=0, control_api_port=port)
        with pytest.raises(StartError, match=rf"127.0.0.1:{port} \(control_api_port\)"):
            Listeners.open(config)


def test_address_that_is_not_ours() -> None:
    with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1"):
        Listeners.open(config_of(listen_address="192.0.2.1", listen_port=0))
