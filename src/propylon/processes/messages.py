"""What the supervisor and a worker say to each other: one JSON object per line, both ways.

The supervisor speaks first, with `Start`. Everything that wants an answer carries the number of
the reload it belongs to, so a late answer to an abandoned one is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class _Message(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all messages; `type` is the class name in snake case."""


def _tagged(name: str) -> str:
    return "".join("_" + char.lower() if char.isupper() else char for char in name).lstrip("_")


# --- from the supervisor -----------------------------------------------------------------------


class ListenerRef(msgspec.Struct, frozen=True):
    """A listening socket that the worker inherited. `role` is `main` or `control`."""

    role: str
    descriptor: int


class Start(_Message, frozen=True, tag=_tagged):
    """Build the first snapshot, serve these listeners, answer `Ready` or `Failed`."""

    config: msgspec.Raw
    sources: msgspec.Raw
    "The definition files to build from, a `SourceFiles`."
    listeners: list[ListenerRef]
    slot: int
    "0 to N-1; a replacement takes the slot of the worker it replaces."
    is_replacement: bool
    worker_count: int
    plugin_socket: str | None
    "Unix socket of the stdio child's owner; None when the worker owns its child itself."


class Prepare(_Message, frozen=True, tag=_tagged):
    """Build a new snapshot of `sources` beside the serving one and answer `Prepared`."""

    reload: int
    sources: msgspec.Raw


class Commit(_Message, frozen=True, tag=_tagged):
    """Let the prepared snapshot serve and answer `Committed`."""

    reload: int


class Abort(_Message, frozen=True, tag=_tagged):
    """Forget the prepared snapshot; `reason` says whose build failed and why."""

    reload: int
    reason: str


class AnnounceShutdown(_Message, frozen=True, tag=_tagged):
    """Answer `/ready` with 503 from now on, and go on serving."""


class Drain(_Message, frozen=True, tag=_tagged):
    """Stop accepting, finish what is in flight within `timeout_seconds`, exit."""

    timeout_seconds: float


class PluginState(_Message, frozen=True, tag=_tagged):
    """The state of the stdio child that the supervisor owns, for `/hello`."""

    state: Mapping[str, Any]


class Ping(_Message, frozen=True, tag=_tagged):
    """Answer `Pong`: proof that the worker's event loop turns."""


ToWorker = Start | Prepare | Commit | Abort | AnnounceShutdown | Drain | PluginState | Ping


# --- from a worker -----------------------------------------------------------------------------


class Ready(_Message, frozen=True, tag=_tagged):
    """The first snapshot serves."""

    api_count: int
    failed: frozenset[str] = frozenset()
    "Files that are not served as they are now."


class Failed(_Message, frozen=True, tag=_tagged):
    """There is no first snapshot; the worker exits."""

    reason: str
    exit_code: int


class Prepared(_Message, frozen=True, tag=_tagged):
    """The build ended. `reason` is empty when it succeeded."""

    reload: int
    reason: str = ""
    api_count: int = 0
    failed: frozenset[str] = frozenset()


class Committed(_Message, frozen=True, tag=_tagged):
    """The new snapshot serves."""

    reload: int


class Pong(_Message, frozen=True, tag=_tagged):
    """The event loop turns."""


ToSupervisor = Ready | Failed | Prepared | Committed | Pong
