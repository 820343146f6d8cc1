"""Request size limit: gateway-core 9.3, element 9 of the chain.

It judges the announced `Content-Length`; the reader of the body holds the sender to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, SizeLimit
from propylon.config.model import Config
from propylon.errors import Refusal
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.path_patterns import candidates_of
from propylon.pipeline.step import StepResult
from propylon.steps.endpoints import EndpointTable, build_table, versions_of

_UNLIMITED_METHODS = frozenset({"GET", "DELETE", "TRACE", "OPTIONS", "HEAD"})


@dataclass(frozen=True, slots=True)
class _VersionLimits:
    everywhere_bytes: int
    endpoints: EndpointTable[int]


class RequestSizeLimit:
    """Refuses requests whose announced body is too large, or not announced."""

    __slots__ = ("_limits",)

    name = "RequestSizeLimit"
    needs_body = False

    def __init__(self, limits: dict[str, _VersionLimits]) -> None:
        self._limits = limits

    def __call__(self, exchange: Exchange) -> StepResult:
        request = exchange.request
        if request.method in _UNLIMITED_METHODS:
            return None
        limits = self._limits.get(exchange.version)
        if limits is None:
            return None
        if limits.everywhere_bytes > 0:
            _check(exchange, limits.everywhere_bytes)
        if limits.endpoints:
            limit = limits.endpoints.find(request.path, request.method)
            if limit is not None:
                _check(exchange, limit)
        return None


def build(definition: ApiDefinition, config: Config) -> RequestSizeLimit | None:
    candidates = candidates_of(definition)
    limits: dict[str, _VersionLimits] = {}
    for name, version, matching in versions_of(definition, config):
        everywhere = 0 if version.global_size_limit_disabled else version.global_size_limit
        endpoints = build_table(
            version.extended_paths.size_limits if version.use_extended_paths else (),
            _limit_of,
            section="size_limits",
            version=name,
            matching=matching,
            candidates=candidates,
        )
        if everywhere > 0 or endpoints:
            limits[name] = _VersionLimits(everywhere, endpoints)
    return RequestSizeLimit(limits) if limits else None


def _limit_of(entry: SizeLimit, field: str) -> int:
    return entry.size_limit


def _check(exchange: Exchange, limit_bytes: int) -> None:
    length = exchange.request.headers.get(b"Content-Length")
    if length is None:
        raise Refusal(411, "Content length is required for this request")
    if not length.isdigit():
        raise Refusal(400, "content length is not a valid Integer")
    if int(length) > limit_bytes:
        raise Refusal(400, "Request is too large", reason=f"over {limit_bytes} bytes")
