"""The texts of the definition files: read in one place, handed to every worker.

Who serves reads no folder. It gets these texts, so that all workers, and one that replaces a dead
one later, build from the same bytes whatever has happened to the folder since.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from propylon.config.json_text import describe, read_text
from propylon.config.model import Config
from propylon.errors import ConfigError


class DefinitionFile(msgspec.Struct, frozen=True):
    """One `.json` file of the folder, as it was when it was read."""

    source: str
    text: str
    problem: str = ""
    "Why there is no text, or why it is not to be used."
    last_good: str | None = None
    "The text of this file that served before; None when none has."

    @property
    def name(self) -> str:
        return Path(self.source).name


class SourceFiles(msgspec.Struct, frozen=True):
    """All files of one folder by name."""

    files: tuple[DefinitionFile, ...] = ()
    notices: tuple[str, ...] = ()


def read_source_files(config: Config) -> SourceFiles:
    """Read `<app_path>/*.json`. Raises `ConfigError` only when the folder cannot be read."""
    folder = Path(config.app_path)
    if not folder.is_dir():
        if config.app_path != Config().app_path:
            raise ConfigError(
                f"{describe(config.app_path)}, expected a folder of API definitions",
                path="$.app_path",
            )
        notice = f"app_path: folder {config.app_path} does not exist, no API is loaded"
        return SourceFiles(notices=(notice,))
    try:
        paths = sorted(file for file in folder.iterdir() if file.suffix == ".json")
    except OSError as error:
        raise ConfigError(
            f"{describe(config.app_path)} cannot be read: {error.strerror}", path="$.app_path"
        ) from error
    return SourceFiles(tuple(_read(path) for path in paths))


def with_last_good(found: SourceFiles, released: SourceFiles) -> SourceFiles:
    """Put beside each text the one of the same file that serves now."""
    serving = {file.source: file.last_good for file in released.files}
    return SourceFiles(
        tuple(
            msgspec.structs.replace(file, last_good=serving.get(file.source))
            for file in found.files
        ),
        found.notices,
    )


def released(built: SourceFiles, failed: frozenset[str]) -> SourceFiles:
    """Return what serves after a build in which the files `failed` were not usable as they are."""
    return SourceFiles(
        tuple(
            file if file.source in failed else msgspec.structs.replace(file, last_good=file.text)
            for file in built.files
        ),
        built.notices,
    )


def _read(path: Path) -> DefinitionFile:
    try:
        return DefinitionFile(str(path), read_text(path))
    except ConfigError as error:
        return DefinitionFile(str(path), "", problem=error.message)
