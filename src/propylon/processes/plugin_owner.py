"""The stdio child of a gateway with several workers: owned here, reached over a unix socket.

With one worker that worker owns the child itself and a call costs one hop less.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from propylon import __version__
from propylon.config.model import Config

# sun_path holds 104 bytes on macOS and 108 on Linux; a long TMPDIR must not use them up.
MAX_FOLDER_CHARS = 80


class ChildOwner(Protocol):
    """Who runs the child; `propylon.plugins.stdio.owner.StdioOwner`."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> Mapping[str, object]: ...


def needs_owner(config: Config, worker_count: int) -> bool:
    """Tell whether the supervisor has to run a stdio child."""
    options = config.coprocess_options
    return worker_count > 1 and options.enable_coprocess and bool(options.coprocess_command)


class PluginOwner:
    """The child's owner and the private folder of its socket."""

    def __init__(self, config: Config) -> None:
        # Only a gateway that has such a child pays for the import.
        from propylon.plugins.stdio.owner import StdioOwner

        # mkdtemp makes the folder for this user alone (0700): who can connect can call plugins.
        self._folder = Path(tempfile.mkdtemp(prefix="propylon-", dir=_parent_folder()))
        self.socket_path = str(self._folder / "plugin.sock")
        self._owner: ChildOwner = StdioOwner(
            config.coprocess_options, __version__, self.socket_path
        )

    def __repr__(self) -> str:
        return f"<PluginOwner {self.socket_path}>"

    def status(self) -> dict[str, object]:
        return dict(self._owner.status())

    async def start(self) -> None:
        await self._owner.start()

    async def stop(self) -> None:
        try:
            await self._owner.stop()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _parent_folder() -> str | None:
    return None if len(tempfile.gettempdir()) <= MAX_FOLDER_CHARS else "/tmp"  # noqa: S108
