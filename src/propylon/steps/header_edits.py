"""Removing and adding header lines by configuration: what the request and response steps share.

Gateway-core 9.6: removals first, adding means replacing. Names and values are checked when the API
is built, so a request finds nothing to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from propylon.errors import DefinitionError
from propylon.http.headers import Headers, canonical, is_field_value, is_token
from propylon.observe.logs import get_logger

log = get_logger("headers")

# The writer frames messages; Go's transport ignores these in the header map just so.
_FRAMING = frozenset({b"Content-Length", b"Transfer-Encoding", b"Trailer"})

_VARIABLES = ("$tyk_", "$secret_")


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """Names to remove, then lines to set. `keeps_spelling` sets and removes names verbatim."""

    remove: tuple[bytes, ...] = ()
    set: tuple[tuple[bytes, bytes], ...] = ()
    keeps_spelling: bool = False

    def __bool__(self) -> bool:
        return bool(self.remove or self.set)

    def apply(self, headers: Headers) -> None:
        if self.keeps_spelling:
            for name in self.remove:
                headers.remove_spelling(name)
            for name, value in self.set:
                headers.set_spelling(name, value)
            return
        for name in self.remove:
            headers.remove(name)
        for name, value in self.set:
            headers.set(name, value)


def build_edits(
    remove: Iterable[str], add: Mapping[str, str], *, field: str, keeps_spelling: bool
) -> HeaderEdits:
    """Check and encode one pair of settings; `field` names the section in errors."""
    return HeaderEdits(
        tuple(
            name
            for name in (_name(text, field, keeps_spelling) for text in remove)
            if canonical(name) not in _FRAMING
        ),
        tuple(
            (name, _value(value, field))
            for name, value in ((_name(t, field, keeps_spelling), v) for t, v in add.items())
            if not _is_framing(name, field)
        ),
        keeps_spelling,
    )


def _name(text: str, field: str, keeps_spelling: bool) -> bytes:
    name = text.strip().encode("utf-8")
    if not is_token(name):
        raise DefinitionError(f"{text!r} is no header name", path=field)
    return name if keeps_spelling else canonical(name)


def _value(text: str, field: str) -> bytes:
    for variable in _VARIABLES:
        if variable in text:
            raise DefinitionError(
                f"{text!r}: variables ({variable}*) are not supported yet", path=field
            )
    value = text.encode("utf-8")
    if not is_field_value(value):
        raise DefinitionError(f"{text!r} is no header value", path=field)
    return value.strip()


def _is_framing(name: bytes, field: str) -> bool:
    if canonical(name) not in _FRAMING:
        return False
    log.warning(
        "this header is the gateway's own and is not set", header=name.decode(), field=field
    )
    return True
