"""Collect everything that is wrong with a configuration, so that one start names all of it."""

from __future__ import annotations

from collections.abc import Sequence

from propylon.errors import ConfigError


class ConfigErrors(ConfigError):  # noqa: N818 - it is several
    """Several mistakes at once; `errors` holds each with its own source and path."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class Problems:
    """The mistakes found so far in one source.

    `sources` names another origin for single paths: a value that came from an environment variable
    is reported under the variable, not under the file.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.sources: dict[str, str] = {}
        self.errors: list[ConfigError] = []

    def add(self, path: str, message: str) -> None:
        self.errors.append(
            ConfigError(message, source=self.sources.get(path, self.source), path=path)
        )

    def raise_if_any(self) -> None:
        """Raise the only mistake as it is, several as `ConfigErrors`."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise ConfigErrors(self.errors)
