"""Header injector of the response chain: gateway-core 9.6 and 4.4, elements 2 and 3.

The endpoint's edits, the version's, then those of `response_processors` named `header_injector`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

import msgspec

from propylon.apis.definition import ApiDefinition, TransformHeaders, VersionInfo
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.path_patterns import Candidates, Matching, candidates_of
from propylon.steps.endpoints import EndpointTable, build_table, version_path, versions_of
from propylon.steps.header_edits import HeaderEdits, build_edits


@dataclass(frozen=True, slots=True)
class _VersionEdits:
    endpoints: EndpointTable[HeaderEdits]
    everywhere: HeaderEdits


class ResponseHeaders:
    """Edits the headers that the client will see."""

    __slots__ = ("_edits", "_injected")

    name = "HeaderInjector"
    needs_body = False

    def __init__(self, edits: dict[str, _VersionEdits], injected: tuple[HeaderEdits, ...]) -> None:
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
    candidates = candidates_of(definition)
    edits: dict[str, _VersionEdits] = {}
    for name, version, matching in versions_of(definition, config):
        found = _build_version(name, version, matching, candidates, config)
        if found.everywhere or found.endpoints:
            edits[name] = found
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


def _build_version(
    name: str, version: VersionInfo, matching: Matching, candidates: Candidates, config: Config
) -> _VersionEdits:
    keeps_spelling = config.ignore_canonical_mime_header_key

    def edits_of(entry: TransformHeaders, field: str) -> HeaderEdits:
        return build_edits(
            entry.delete_headers, entry.add_headers, field=field, keeps_spelling=keeps_spelling
        )

    everywhere = HeaderEdits()
    if not version.global_response_headers_disabled:
        everywhere = build_edits(
            version.global_response_headers_remove,
            version.global_response_headers,
            field=version_path(name) + ".global_response_headers",
            keeps_spelling=keeps_spelling,
        )
    paths = version.extended_paths
    entries = paths.transform_response_headers if version.use_extended_paths else ()
    endpoints = build_table(
        entries,
        edits_of,
        section="transform_response_headers",
        version=name,
        matching=matching,
        candidates=candidates,
    )
    return _VersionEdits(endpoints, everywhere)
