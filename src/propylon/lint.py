"""Say everything that is wrong with a configuration and its API definitions; change nothing.

Unlike Tyk's `lint`, which rewrites the file it checks.
"""

from __future__ import annotations

from collections.abc import Mapping

from propylon.apis.load import load_definitions
from propylon.config.load import load_config
from propylon.config.problems import ConfigErrors
from propylon.errors import ConfigError


def lint(conf_path: str | None, environ: Mapping[str, str]) -> list[str]:
    """Return one line per issue: file, JSON path, value, expectation.

    Definitions are checked only when the configuration is usable, because it says where they are
    and what they may ask for.
    """
    try:
        loaded = load_config(conf_path, environ)
        found = load_definitions(loaded.config, environ)
    except ConfigError as error:
        return _lines(error)
    where = f"{loaded.source}: " if loaded.source else ""
    return [
        *(f"{where}{notice}" for notice in loaded.notices),
        *(f"{failure.source}: {failure.message}" for failure in found.failures),
        *found.notices,
    ]


def _lines(error: ConfigError) -> list[str]:
    errors = error.errors if isinstance(error, ConfigErrors) else (error,)
    return [str(each) for each in errors]
