"""Header injector of the response chain: gateway-core 9.6 and 4.4, elements 2 and 3.

The endpoint's edits, the version's, then those of `response_processors` named `header_injector`.
"""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.pipeline.exchange import Exchange
from propylon.steps.header_edits import HeaderEdits, build_edits
from propylon.steps.version_headers import VersionEdits, build_response_edits


class ResponseHeaders:
    """Edits the headers that the client will see."""

    __slots__ = ("_edits", "_injected")

    name = "HeaderInjector"
    needs_body = False

    def __init__(self, edits: dict[str, VersionEdits], injected: tuple[HeaderEdits, ...]) -> None:
        self._edits = edits
        self._injected = injected

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        response = exchange.response
        assert response is not None
        headers = response.headers
        edits = self._edits.get(exchange.version)
        if edits is not None:
            if edits.endpoints:
                request = exchange.request
                found = edits.endpoints.find(request.path, request.method)
                if found is not None:
                    found.apply(headers)
            edits.everywhere.apply(headers)
        for injected in self._injected:
            injected.apply(headers)
        return None


def build(definition: ApiDefinition, config: Config) -> ResponseHeaders | None:
    edits = build_response_edits(definition, config)
    injected = tuple(
        _build_injected(processor.options, f"$.response_processors[{index}].options", config)
        for index, processor in enumerate(definition.response_processors)
        if processor.name == "header_injector"
    )
    injected = tuple(each for each in injected if each)
    return ResponseHeaders(edits, injected) if edits or injected else None


class _InjectorOptions(msgspec.Struct, frozen=True):
    remove_headers: tuple[str, ...] | None = None
    add_headers: dict[str, str] | None = None


def _build_injected(options: object, field: str, config: Config) -> HeaderEdits:
    try:
        decoded = msgspec.convert(options or {}, _InjectorOptions)
    except msgspec.ValidationError as error:
        raise DefinitionError(str(error), path=field) from error
    return build_edits(
        decoded.remove_headers or (),
        decoded.add_headers or {},
        field=field,
        keeps_spelling=config.ignore_canonical_mime_header_key,
    )
