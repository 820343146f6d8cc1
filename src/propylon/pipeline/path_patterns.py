"""Endpoint path patterns: the small language of `extended_paths` and `allowed_urls`.

Gateway-core 3.5. Patterns are written for Go's RE2 and run on Python's `re`, which accepts more and
can be slow: RE2 is linear, `re` backtracks. A pattern such as `(a+)+$` takes time exponential in
the length of a path that nearly matches it, so definitions with patterns from untrusted authors
need a review. What differs otherwise is translated here, above all `$`, which must not match
before a final newline.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, VersionInfo
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.pipeline.listen_path import ListenPath, decode_path

_TEMPLATE = re.compile(r"\{[^}]+\}")

_POSIX_CLASSES = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:ascii:]": r"\x00-\x7F",
    "[:blank:]": r"\t ",
    "[:cntrl:]": r"\x00-\x1F\x7F",
    "[:digit:]": "0-9",
    "[:graph:]": "!-~",
    "[:lower:]": "a-z",
    "[:print:]": " -~",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:space:]": r"\t\n\v\f\r ",
    "[:upper:]": "A-Z",
    "[:word:]": "0-9A-Za-z_",
    "[:xdigit:]": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class Matching:
    """How patterns are anchored and compared, from `http_server_options` and the version."""

    anchors_start: bool = False
    anchors_end: bool = False
    ignores_case: bool = False

    @classmethod
    def of(cls, config: Config, version: VersionInfo | None = None) -> Matching:
        options = config.http_server_options
        return cls(
            options.enable_path_prefix_matching,
            options.enable_path_suffix_matching,
            config.ignore_endpoint_case or (version is not None and version.ignore_endpoint_case),
        )


def compile_path(text: str, matching: Matching, *, ignores_case: bool = False) -> re.Pattern[str]:
    """Compile one pattern for `search`. Raises `ValueError` for what is no regular expression."""
    flags = re.ASCII
    if ignores_case or matching.ignores_case:
        flags |= re.IGNORECASE
    try:
        return re.compile(_from_re2(expand(text, matching)), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no valid path pattern: {error}") from error


def compile_entry(
    text: str, matching: Matching, *, field: str, ignores_case: bool = False
) -> re.Pattern[str]:
    """Compile the pattern of a definition; a bad one is a `DefinitionError` that names the field.

    Tyk skips such an entry. Skipping a black list entry opens what it closed, so we do not.
    """
    try:
        return compile_path(text, matching, ignores_case=ignores_case)
    except ValueError as error:
        raise DefinitionError(str(error), path=field) from error


def expand(text: str, matching: Matching) -> str:
    """Replace the short forms: `{name}`, `/*/`, a final or inner `/*`, and anchors by setting."""
    if text.count("{") == text.count("}"):
        text = _TEMPLATE.sub("([^/]+)", text)
    text = text.replace("/*/", "/[^/]+/").replace("/*", "/.*")
    if matching.anchors_start and text.startswith("/"):
        text = "^" + text
    if matching.anchors_end and not text.endswith("$"):
        text += "$"
    return text


def _from_re2(text: str) -> str:
    """Translate the parts of RE2's syntax that Python reads otherwise."""
    parts: list[str] = []
    index, in_class = 0, False
    is_multiline = re.search(r"\(\?[a-zA-Z]*m", text) is not None
    while index < len(text):
        char = text[index]
        step = 1
        if char == "\\":
            step = 2
            pair = text[index : index + 2]
            parts.append("\\Z" if pair == "\\z" and not in_class else pair)
        elif in_class:
            posix = text[index : text.find(":]", index) + 2] if text[index + 1 :][:1] == ":" else ""
            if posix in _POSIX_CLASSES:
                parts.append(_POSIX_CLASSES[posix])
                step = len(posix)
            else:
                # Python warns about these, which RE2 takes literally.
                parts.append("\\" + char if char in "[&|~" else char)
                in_class = char != "]"
        elif char == "[":
            opening = re.compile(r"\[\^?\]?").match(text, index)
            assert opening is not None
            parts.append(opening.group())
            step = len(opening.group())
            in_class = True
        else:
            parts.append("\\Z" if char == "$" and not is_multiline else char)
        index += step
    return "".join(parts)


Candidates = Callable[[str], tuple[str, ...]]
"""From a path as sent to the texts that patterns are tried on."""


def candidates_of(definition: ApiDefinition) -> Candidates:
    """Return the function that lists the candidates of a path, most specific first, each once.

    They are the path without listen path and version segment, without listen path, and whole.
    """
    listen_path = ListenPath.compile(definition.proxy.listen_path)
    version_data = definition.version_data
    has_version_segment = not version_data.not_versioned and definition.definition.location == "url"
    versions = frozenset(version_data.versions)

    def candidates(path: str) -> tuple[str, ...]:
        whole = decode_path(path)
        length = listen_path.match_length(whole)
        stripped = whole[length:] if length > 0 else whole
        if not stripped.startswith("/"):
            stripped = "/" + stripped
        found = [whole] if stripped == whole else [stripped, whole]
        if has_version_segment:
            segment, slash, rest = stripped[1:].partition("/")
            if segment in versions:
                found.insert(0, slash + rest if slash else "/")
        return tuple(found)

    return candidates


def matches(pattern: re.Pattern[str], candidates: tuple[str, ...]) -> bool:
    search = pattern.search
    return any(search(candidate) is not None for candidate in candidates)
