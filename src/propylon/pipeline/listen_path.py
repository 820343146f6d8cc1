"""Listen paths and host patterns: what they match, and how a listen path is taken off a URL.

Both are literal text or gorilla/mux templates, in which `{name}` stands for one segment and
`{name:regex}` for what the regular expression matches (gateway-core 3.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from propylon.errors import DefinitionError

_PATH_SEGMENT = "[^/]+"
_HOST_LABEL = "[^.]+"


def decode_path(path: str) -> str:
    """Decode a path as it came from the wire: percent-encoding first, then UTF-8.

    Bytes that are no UTF-8 survive as surrogates, so that two different paths stay different.
    """
    if "%" not in path and path.isascii():
        return path
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "surrogateescape")


def encode_path(path: str) -> str:
    """Write a decoded path as a URL path, escaping what RFC 3986, 3.3 does not allow in one."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/:@!$&'()*+,;=~")


@dataclass(frozen=True, slots=True)
class ListenPath:
    """A compiled listen path. `pattern` is None for literal text."""

    text: str
    pattern: re.Pattern[str] | None = None

    @classmethod
    def compile(cls, text: str) -> ListenPath:
        """Raise `DefinitionError` for a template that no request could match."""
        if not is_template(text):
            return cls(text)
        return cls(text, compile_template(text, _PATH_SEGMENT, path="$.proxy.listen_path"))

    def match_length(self, path: str) -> int:
        """Return how many characters of a decoded path this listen path covers, or -1."""
        if path.startswith(self.text):
            return len(self.text)
        if self.pattern is None:
            return -1
        match = self.pattern.match(path)
        return -1 if match is None else match.end()

    def strip(self, path: str) -> str:
        """Take the listen path off a path as sent; the rest keeps its percent-encoding.

        A path that does not begin with it comes back whole. The result begins with `/`.
        """
        if path.startswith(self.text):
            rest = path[len(self.text) :]
        elif self.pattern is None and "%" not in path and path.isascii():
            rest = path
        else:
            decoded = decode_path(path)
            length = self.match_length(decoded)
            rest = path if length <= 0 else path[_sent_length(path, decoded[:length]) :]
        return rest if rest.startswith("/") else "/" + rest


def is_template(text: str) -> bool:
    return "{" in text


def compile_template(text: str, default: str, *, path: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a mux template to a pattern for `match`; `default` is what a bare `{name}` matches.

    `path` names the field in errors.
    """
    parts: list[str] = []
    end = 0
    for opening, closing in _find_braces(text, path):
        parts.append(re.escape(text[end:opening]))
        name, colon, expression = text[opening + 1 : closing].partition(":")
        if not name or (colon and not expression):
            raise DefinitionError(f"{text!r}: {{name}} or {{name:regex}} expected", path=path)
        parts.append(f"(?:{expression or default})")
        end = closing + 1
    parts.append(re.escape(text[end:]))
    try:
        return re.compile("".join(parts), flags | re.ASCII)
    except re.error as error:
        raise DefinitionError(f"{text!r} is no valid template: {error}", path=path) from error


def compile_host(text: str) -> re.Pattern[str]:
    """Compile a domain template; use it with `fullmatch` on a lower-cased host without port."""
    return compile_template(text, _HOST_LABEL, path="$.domain", flags=re.IGNORECASE)


def _find_braces(text: str, path: str) -> list[tuple[int, int]]:
    """Return the outermost brace pairs; a regex inside may hold braces of its own."""
    pairs: list[tuple[int, int]] = []
    depth = start = 0
    for index, char in enumerate(text):
        if char == "{":
            if depth == 0:
                start = index
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                pairs.append((start, index))
            elif depth < 0:
                break
    if depth:
        raise DefinitionError(f"{text!r}: braces do not match", path=path)
    return pairs


def _sent_length(path: str, decoded_prefix: str) -> int:
    """Return how many characters of the path as sent make up this decoded prefix."""
    index = 0
    for _ in decoded_prefix.encode("utf-8", "surrogateescape"):
        index += 3 if _is_escape(path, index) else 1
    return index


def _is_escape(path: str, index: int) -> bool:
    digits = path[index + 1 : index + 3]
    return path[index] == "%" and len(digits) == 2 and all(c in _HEX for c in digits)


_HEX = frozenset("0123456789abcdefABCDEF")
