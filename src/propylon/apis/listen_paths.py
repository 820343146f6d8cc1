"""Listen paths across all APIs: their normal form, their order, and what happens when two collide.

Pure text work on definitions (gateway-core 2.1).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

import msgspec

from propylon.apis.definition import ApiDefinition

_TEMPLATE = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


def normalise(listen_path: str) -> str:
    """Give a listen path its leading slash and clean it like a URL path; a trailing slash stays.

    What stands in braces is a regular expression and is left alone.
    """
    path = listen_path if listen_path.startswith("/") else f"/{listen_path}"
    if "{" in path:
        return path
    # normpath keeps two leading slashes, which POSIX gives a meaning of their own.
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    return f"{cleaned}/" if path.endswith("/") and cleaned != "/" else cleaned


def rename_collisions(
    definitions: Iterable[ApiDefinition], *, with_domains: bool
) -> tuple[list[ApiDefinition], list[str]]:
    """Give every API its own listen path per host; the first in file order keeps its own.

    Returns the definitions in the same order, and a notice for each change.
    """
    taken: set[tuple[str, str]] = set()
    result, notices = [], []
    for definition in definitions:
        host = definition.active_domain.lower() if with_domains else ""
        path = definition.proxy.listen_path
        if (host, path) in taken:
            path = _free_path(f"{path}-{definition.api_id}", host, taken)
            notices.append(
                f"{definition.source}: Listen path collision, changed to {path} "
                f"(was {definition.proxy.listen_path})"
            )
            proxy = msgspec.structs.replace(definition.proxy, listen_path=path)
            definition = msgspec.structs.replace(definition, proxy=proxy)
        taken.add((host, path))
        result.append(definition)
    return result, notices


def in_order(
    definitions: Iterable[ApiDefinition], *, with_domains: bool
) -> tuple[ApiDefinition, ...]:
    """Sort as routes are tried: APIs with a domain first, then longer listen paths first.

    Templates do not count towards the length. Equals keep their order, that of the files.
    """
    return tuple(sorted(definitions, key=lambda definition: _rank(definition, with_domains)))


def _rank(definition: ApiDefinition, with_domains: bool) -> tuple[bool, int]:
    literal = _TEMPLATE.sub("", definition.proxy.listen_path)
    return (with_domains and not definition.active_domain, -len(literal))


def _free_path(path: str, host: str, taken: set[tuple[str, str]]) -> str:
    while (host, path) in taken:
        path += "_"
    return path
