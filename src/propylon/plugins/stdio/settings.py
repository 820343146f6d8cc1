"""What the operator chose for the stdio plugin, with defaults filled in (rich-plugins A.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MIB = 1024 * 1024
DEFAULT_TIMEOUT_MS = 120_000


@dataclass(frozen=True, slots=True)
class RestartSettings:
    initial_ms: float = 500
    factor: float = 2
    max_ms: float = 30_000
    jitter: float = 0.2
    reset_after_s: float = 60


@dataclass(frozen=True, slots=True)
class StdioSettings:
    """Times are in the unit that the name says; `with_headers` is the framing we write."""

    command: str = ""
    args: tuple[str, ...] = ()
    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    with_headers: bool = False
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    init_timeout_ms: int = 10_000
    max_in_flight: int = 64
    max_queue: int = 1024
    max_message_bytes: int = 64 * MIB
    restart: RestartSettings = RestartSettings()
    stop_timeout_s: float = 5

    @classmethod
    def from_options(cls, options: Any, *, default_timeout_ms: int) -> StdioSettings:
        """Read `coprocess_options`; `default_timeout_ms` is the write time-out."""
        restart = options.coprocess_restart
        return cls(
            command=options.coprocess_command,
            args=tuple(options.coprocess_args),
            cwd=options.coprocess_cwd,
            env=dict(options.coprocess_env),
            with_headers=options.coprocess_framing == "content-length",
            timeout_ms=options.coprocess_timeout_ms or default_timeout_ms or DEFAULT_TIMEOUT_MS,
            init_timeout_ms=options.coprocess_init_timeout_ms,
            max_in_flight=options.coprocess_max_in_flight,
            max_queue=options.coprocess_max_queue,
            max_message_bytes=options.coprocess_max_message_size,
            restart=RestartSettings(
                restart.initial_ms,
                restart.factor,
                restart.max_ms,
                restart.jitter,
                restart.reset_after_s,
            ),
            stop_timeout_s=options.coprocess_stop_timeout_s,
        )
