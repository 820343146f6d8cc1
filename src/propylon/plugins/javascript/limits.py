"""The bounds of JavaScript calls, read once from the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from propylon.config.model import Config
from propylon.plugins.javascript.engine import MAX_STACK_BYTES, EngineLimits

_MIB = 1024 * 1024

# On the event loop the heap is small: one native operation can only be as long as the data it
# walks over, and the engine looks at the clock between operations, not inside one.
LOOP_MEMORY_BYTES = 4 * _MIB

# Scripts copy bodies a few times; past this size the call goes to a process at once.
LOOP_BODY_BYTES = 128 * 1024

DEFAULT_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    timeout_seconds: float
    loop_seconds: float
    on_loop: EngineLimits
    apart: EngineLimits
    max_processes: int
    always_fresh: bool


def read_limits(config: Config) -> Limits:
    settings = config.javascript
    timeout = config.jsvm_timeout if config.jsvm_timeout > 0 else DEFAULT_TIMEOUT_SECONDS
    memory = max(1, settings.memory_mb) * _MIB
    stack = min(max(64, settings.stack_kb) * 1024, MAX_STACK_BYTES)
    return Limits(
        timeout_seconds=float(timeout),
        loop_seconds=min(max(1, settings.loop_budget_ms) / 1000, timeout),
        on_loop=EngineLimits(min(memory, LOOP_MEMORY_BYTES), stack),
        apart=EngineLimits(memory, stack),
        max_processes=max(1, settings.max_processes),
        always_fresh=settings.isolation == "fresh",
    )
