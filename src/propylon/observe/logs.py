"""Structured logging: one logger per part of the gateway, bound to its `prefix`.

`configure` chooses format and level once per process (gateway-core 10.3).
"""

from __future__ import annotations

from typing import Any

import structlog


def get_logger(prefix: str) -> Any:
    """Return the logger of one part of the gateway; `prefix` is what operators grep for."""
    return structlog.get_logger(prefix=prefix)
