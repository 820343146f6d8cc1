"""Header transform of the request: gateway-core 9.6, element 25 of the chain.

Global removal, global addition, then the endpoint's removal and addition. `Host` is not a header
here but the request's host, which the upstream sees under `preserve_host_header`.
"""

from __future__ import annotations

from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, TransformHeaders, VersionInfo
from propylon.config.model import Config
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.path_patterns import Candidates, Matching, candidates_of
from propylon.pipeline.step import StepResult
from propylon.steps.endpoints import EndpointTable, build_table, version_path, versions_of
from propylon.steps.header_edits import HeaderEdits, build_edits


@dataclass(frozen=True, slots=True)
class _VersionEdits:
    everywhere: HeaderEdits
    endpoints: EndpointTable[HeaderEdits]


class RequestHeaders:
    """Edits the headers that the upstream, and every later step, will see."""

    __slots__ = ("_edits",)

    name = "TransformHeaders"
    needs_body = False

    def __init__(self, edits: dict[str, _VersionEdits]) -> None:
        self._edits = edits

    def __call__(self, exchange: Exchange) -> StepResult:
        edits = self._edits.get(exchange.version)
        if edits is None:
            return None
        request = exchange.request
        _apply(edits.everywhere, exchange)
        if edits.endpoints:
            found = edits.endpoints.find(request.path, request.method)
            if found is not None:
                _apply(found, exchange)
        return None


def build(definition: ApiDefinition, config: Config) -> RequestHeaders | None:
    candidates = candidates_of(definition)
    edits: dict[str, _VersionEdits] = {}
    for name, version, matching in versions_of(definition, config):
        found = _build_version(name, version, matching, candidates, config)
        if found.everywhere or found.endpoints:
            edits[name] = found
    return RequestHeaders(edits) if edits else None


def _build_version(
    name: str, version: VersionInfo, matching: Matching, candidates: Candidates, config: Config
) -> _VersionEdits:
    keeps_spelling = config.ignore_canonical_mime_header_key

    def edits_of(entry: TransformHeaders, field: str) -> HeaderEdits:
        return build_edits(
            entry.delete_headers, entry.add_headers, field=field, keeps_spelling=keeps_spelling
        )

    everywhere = HeaderEdits()
    if not version.global_headers_disabled:
        everywhere = build_edits(
            version.global_headers_remove,
            version.global_headers,
            field=version_path(name) + ".global_headers",
            keeps_spelling=keeps_spelling,
        )
    entries = version.extended_paths.transform_headers if version.use_extended_paths else ()
    endpoints = build_table(
        entries,
        edits_of,
        section="transform_headers",
        version=name,
        matching=matching,
        candidates=candidates,
    )
    return _VersionEdits(everywhere, endpoints)


def _apply(edits: HeaderEdits, exchange: Exchange) -> None:
    request = exchange.request
    edits.apply(request.headers)
    for name, value in edits.set:
        if name.lower() == b"host":
            request.headers.remove_spelling(b"Host")
            request.host = value.decode("latin-1")
