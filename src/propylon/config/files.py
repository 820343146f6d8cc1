"""The files that a configuration names: what cannot be used is said under the key that names it.

Looked at before anything starts, so that the message can name the configuration file, the key and
the value; those who open the files later know none of them.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path

from propylon.config.load import LoadedConfig
from propylon.config.model import Config
from propylon.config.problems import ConfigErrors, Problems
from propylon.errors import ConfigError

_SERVER = "http_server_options"


@dataclass(frozen=True, slots=True)
class FileProblems:
    """What is wrong; with `is_fatal` the gateway cannot start."""

    errors: tuple[ConfigError, ...]
    is_fatal: bool


def find_file_problems(loaded: LoadedConfig) -> FileProblems:
    """Look at the folder of definitions and, for a TLS listener, at its certificates."""
    problems = Problems(loaded.source or "defaults")
    problems.sources.update(loaded.origins)
    has_folder = _check_app_path(loaded.config, problems)
    has_certificate = not loaded.config.http_server_options.use_ssl or _check_certificates(
        loaded.config, problems
    )
    return FileProblems(tuple(problems.errors), not (has_folder and has_certificate))


def check_files(loaded: LoadedConfig) -> None:
    """Raise `ConfigError` when the gateway could not start with these files."""
    found = find_file_problems(loaded)
    if found.is_fatal:
        raise found.errors[0] if len(found.errors) == 1 else ConfigErrors(found.errors)


def _check_app_path(config: Config, problems: Problems) -> bool:
    # Without the default folder there is simply no API.
    if config.app_path == Config().app_path or Path(config.app_path).is_dir():
        return True
    problems.add("$.app_path", f"{_quoted(config.app_path)}, expected a folder of API definitions")
    return False


def _check_certificates(config: Config, problems: Problems) -> bool:
    """Tell whether one certificate can be used: a listener skips those that cannot (1.5)."""
    options = config.http_server_options
    usable = 0
    for index, pair in enumerate(options.certificates):
        where = f"$.{_SERVER}.certificates[{index}]"
        usable += _check_pair(where, pair.cert_file, pair.key_file, problems)
    for index, path in enumerate(options.ssl_certificates):
        usable += _check_pair(f"$.{_SERVER}.ssl_certificates[{index}]", path, None, problems)
    if not options.certificates and not options.ssl_certificates:
        problems.add(f"$.{_SERVER}.use_ssl", f"true, but {_SERVER}.certificates lists none")
    return bool(usable)


def _check_pair(where: str, cert_file: str, key_file: str | None, problems: Problems) -> bool:
    """Check one pair; `key_file` is None for a file that holds both."""
    named = [(where if key_file is None else f"{where}.cert_file", cert_file)]
    if key_file:
        named.append((f"{where}.key_file", key_file))
    for path, file in named:
        try:
            Path(file).open("rb").close()
        except OSError as error:
            problems.add(path, f"{_quoted(file)} cannot be read: {error.strerror}")
            return False
    try:
        # With an empty password: OpenSSL would ask the terminal for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            cert_file, key_file or None, password=""
        )
    except (OSError, ssl.SSLError) as error:
        problems.add(named[0][0], f"{_quoted(cert_file)} cannot be used: {error}")
        return False
    return True


def _quoted(file: str) -> str:
    """Show a path as it is written, and whole: its end is what tells files apart."""
    return json.dumps(file, ensure_ascii=False)
