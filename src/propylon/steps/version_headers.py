"""The header edits that the versions of an API ask for, of requests or of responses alike.

Gateway-core 9.6: each version has edits for everywhere and edits for single endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, TransformHeaders, VersionInfo
from propylon.config.model import Config
from propylon.pipeline.path_patterns import candidates_of
from propylon.steps.endpoints import EndpointTable, build_table, version_path, versions_of
from propylon.steps.header_edits import HeaderEdits, build_edits


@dataclass(frozen=True, slots=True)
class VersionEdits:
    everywhere: HeaderEdits
    endpoints: EndpointTable[HeaderEdits]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one version says of one direction."""

    remove: tuple[str, ...]
    add: Mapping[str, str]
    is_disabled: bool
    endpoints: tuple[TransformHeaders, ...]


def build_request_edits(definition: ApiDefinition, config: Config) -> dict[str, VersionEdits]:
    """Return the edits by version; one that asks for none is not in it."""
    edits = {}
    for name, version, _ in versions_of(definition, config):
        edits[name] = _Asked(
            tuple(version.global_headers_remove),
            version.global_headers,
            version.global_headers_disabled,
            _used(version, version.extended_paths.transform_headers),
        )
    return _build(definition, config, edits, "global_headers", "transform_headers")


def build_response_edits(definition: ApiDefinition, config: Config) -> dict[str, VersionEdits]:
    """Return the edits by version; one that asks for none is not in it."""
    edits = {}
    for name, version, _ in versions_of(definition, config):
        edits[name] = _Asked(
            tuple(version.global_response_headers_remove),
            version.global_response_headers,
            version.global_response_headers_disabled,
            _used(version, version.extended_paths.transform_response_headers),
        )
    return _build(
        definition, config, edits, "global_response_headers", "transform_response_headers"
    )


def _used(
    version: VersionInfo, entries: tuple[TransformHeaders, ...]
) -> tuple[TransformHeaders, ...]:
    return entries if version.use_extended_paths else ()


def _build(
    definition: ApiDefinition,
    config: Config,
    asked_by_version: Mapping[str, _Asked],
    field: str,
    section: str,
) -> dict[str, VersionEdits]:
    keeps_spelling = config.ignore_canonical_mime_header_key
    candidates = candidates_of(definition)

    def edits_of(entry: TransformHeaders, where: str) -> HeaderEdits:
        return build_edits(
            entry.delete_headers, entry.add_headers, field=where, keeps_spelling=keeps_spelling
        )

    edits = {}
    for name, _, matching in versions_of(definition, config):
        asked = asked_by_version[name]
        everywhere = HeaderEdits()
        if not asked.is_disabled:
            everywhere = build_edits(
                asked.remove,
                asked.add,
                field=f"{version_path(name)}.{field}",
                keeps_spelling=keeps_spelling,
            )
        endpoints = build_table(
            asked.endpoints,
            edits_of,
            section=section,
            version=name,
            matching=matching,
            candidates=candidates,
        )
        if everywhere or endpoints:
            edits[name] = VersionEdits(everywhere, endpoints)
    return edits
