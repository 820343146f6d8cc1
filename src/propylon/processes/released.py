"""The definition files that serve, held by the supervisor: what every worker builds from.

The folder is read at the start and at each reload, here and nowhere else. What is edited between
two reloads reaches no worker, also not one that replaces a dead one.
"""

from __future__ import annotations

import asyncio

import msgspec

from propylon.apis.source_files import (
    SourceFiles,
    read_source_files,
    released,
    with_last_good,
)
from propylon.config.model import Config
from propylon.errors import ConfigError
from propylon.observe.logs import get_logger
from propylon.processes.channel import MAX_MESSAGE_BYTES

log = get_logger("main")

# Beside the files a message carries the configuration.
MAX_SOURCES_BYTES = MAX_MESSAGE_BYTES - 16 * 1024 * 1024


class Candidate:
    """Definition files on their way to the workers; encoded once for all of them."""

    def __init__(self, files: SourceFiles) -> None:
        self.files = files
        self.encoded = msgspec.Raw(msgspec.json.encode(files))


class Released:
    """The files that serve, and beside each the text of it that last could be used."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._current = Candidate(SourceFiles())

    def __repr__(self) -> str:
        return f"<Released files={len(self._current.files.files)}>"

    @property
    def encoded(self) -> msgspec.Raw:
        """The files that serve, as a worker is told them."""
        return self._current.encoded

    async def read(self) -> Candidate:
        """Read the folder beside what serves. Raises `ConfigError` when that cannot be done."""
        candidate = await asyncio.to_thread(self._read)
        for notice in candidate.files.notices:
            log.warning(notice)
        return candidate

    def commit(self, candidate: Candidate, failed: frozenset[str]) -> None:
        """The workers serve `candidate` now, but for the files `failed`."""
        self._current = Candidate(released(candidate.files, failed))

    def _read(self) -> Candidate:
        found = read_source_files(self._config)
        candidate = Candidate(with_last_good(found, self._current.files))
        size = len(bytes(candidate.encoded))
        if size > MAX_SOURCES_BYTES:
            raise ConfigError(
                f"{self._config.app_path!r} holds {size} bytes of definitions, expected at most "
                f"{MAX_SOURCES_BYTES}",
                path="$.app_path",
            )
        return candidate
