"""The PID file: written when the gateway starts, removed when it ends (checklist row 9)."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from propylon.config.model import Config
from propylon.observe.logs import get_logger

log = get_logger("main")


class PidFile:
    """A context manager. That the file cannot be written is logged, never fatal.

    In the default place nobody asked for it: there it is worth a debug line only.
    """

    def __init__(self, location: str) -> None:
        self._path = Path(location) if location else None
        self._is_default = location == Config().pid_file_location
        self._content = f"{os.getpid()}\n"

    def __repr__(self) -> str:
        return f"<PidFile {self._path}>"

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        try:
            # A link planted in a shared folder must not lead us to another file.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            with os.fdopen(descriptor, "w") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(self._content)
        except OSError as error:
            say = log.debug if self._is_default else log.warning
            say("cannot write the pid file", path=str(self._path), error=error.strerror)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file unless another gateway has written its own number there since."""
        if self._path is None:
            return
        try:
            if self._path.read_text() == self._content:
                self._path.unlink()
        except OSError:
            pass
