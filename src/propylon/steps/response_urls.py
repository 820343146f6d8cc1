"""`header_transform` of `response_processors`: make the upstream's own URLs point at the gateway.

Gateway-core 4.4, element 3. Tyk replaces scheme, host and path wherever their text occurs in the
named headers; we replace them where the value is a URL of the upstream, and only there.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.http.headers import canonical, is_field_value
from propylon.pipeline.exchange import Exchange


@dataclass(frozen=True, slots=True)
class UrlMove:
    """From the upstream's origin and base path to ours."""

    names: tuple[bytes, ...]
    old_origin: bytes
    old_path: bytes
    new_origin: bytes
    new_path: bytes

    def move(self, value: bytes) -> bytes:
        """Return the value as it reads from outside; what is no URL of the upstream stays."""
        path = value
        if value.startswith(self.old_origin):
            path = value[len(self.old_origin) :]
            if path[:1] not in (b"", b"/", b"?", b"#"):
                return value
        elif not value.startswith(b"/") or value.startswith(b"//"):
            return value
        if path.startswith(self.old_path):
            path = self.new_path + path[len(self.old_path) :].removeprefix(b"/")
        return self.new_origin + path


class ResponseUrls:
    __slots__ = ("_moves",)

    name = "HeaderTransform"
    needs_body = False

    def __init__(self, moves: tuple[UrlMove, ...]) -> None:
        self._moves = moves

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        response = exchange.response
        assert response is not None
        for move in self._moves:
            for name in move.names:
                value = response.headers.get(name)
                if value:
                    response.headers.set(name, move.move(value))
        return None


def build(definition: ApiDefinition, config: Config) -> ResponseUrls | None:
    moves = tuple(
        _move_of(definition, processor.options, f"$.response_processors[{index}].options")
        for index, processor in enumerate(definition.response_processors)
        if processor.name == "header_transform"
    )
    return ResponseUrls(moves) if moves else None


class _Cleanup(msgspec.Struct, frozen=True):
    headers: tuple[str, ...] = ()
    target_host: str = ""


class _Options(msgspec.Struct, frozen=True):
    rev_proxy_header_cleanup: _Cleanup = msgspec.field(default_factory=_Cleanup)


def _move_of(definition: ApiDefinition, options: Any, field: str) -> UrlMove:
    try:
        cleanup = msgspec.convert(_lower(options or {}), _Options).rev_proxy_header_cleanup
    except msgspec.ValidationError as error:
        raise DefinitionError(str(error), path=field) from error
    public, upstream = urlsplit(cleanup.target_host), urlsplit(definition.proxy.target_url)
    if not public.scheme or not public.netloc or not is_field_value(public.netloc.encode()):
        raise DefinitionError(
            f"{cleanup.target_host!r}: expected scheme://host",
            path=field + ".rev_proxy_header_cleanup.target_host",
        )
    listen_path = definition.proxy.listen_path.rstrip("/")
    return UrlMove(
        tuple(canonical(name.encode("utf-8")) for name in cleanup.headers),
        f"{upstream.scheme}://{upstream.netloc}".encode(),
        upstream.path.rstrip("/").encode(),
        f"{public.scheme}://{public.netloc}".encode(),
        (listen_path if definition.proxy.strip_listen_path else "").encode() + b"/",
    )


def _lower(value: Any) -> Any:
    """Lower the keys of nested objects: Tyk decodes these options without regard to case."""
    if isinstance(value, dict):
        return {str(key).lower(): _lower(each) for key, each in value.items()}
    return value
