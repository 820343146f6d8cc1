"""How long the upstream may take for this request: gateway-core 9.13.

An endpoint's `hard_timeouts` wins over the version's `global_enforce_timeout`; without either the
API's default stays. Runs last, so that it judges the path a plugin may have written.
"""

from __future__ import annotations

from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, HardTimeout
from propylon.config.model import Config
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.path_patterns import candidates_of
from propylon.pipeline.step import StepResult
from propylon.steps.endpoints import EndpointTable, build_table, versions_of


@dataclass(frozen=True, slots=True)
class _VersionTimeouts:
    everywhere_seconds: float | None
    endpoints: EndpointTable[float]


class Timeouts:
    __slots__ = ("_timeouts",)

    name = "Timeouts"
    needs_body = False

    def __init__(self, timeouts: dict[str, _VersionTimeouts]) -> None:
        self._timeouts = timeouts

    def __call__(self, exchange: Exchange) -> StepResult:
        timeouts = self._timeouts.get(exchange.version)
        if timeouts is None:
            return None
        request = exchange.request
        seconds = timeouts.endpoints.find(request.path, request.method)
        exchange.upstream_timeout = timeouts.everywhere_seconds if seconds is None else seconds
        return None


def build(definition: ApiDefinition, config: Config) -> Timeouts | None:
    candidates = candidates_of(definition)
    timeouts: dict[str, _VersionTimeouts] = {}
    for name, version, matching in versions_of(definition, config):
        seconds = version.global_enforce_timeout
        everywhere = None if version.global_enforce_timeout_disabled or seconds <= 0 else seconds
        paths = version.extended_paths
        endpoints = build_table(
            [e for e in paths.hard_timeouts if _seconds_of(e, "") > 0]
            if version.use_extended_paths
            else (),
            _seconds_of,
            section="hard_timeouts",
            version=name,
            matching=matching,
            candidates=candidates,
        )
        if everywhere is not None or endpoints:
            timeouts[name] = _VersionTimeouts(everywhere, endpoints)
    return Timeouts(timeouts) if timeouts else None


def _seconds_of(entry: HardTimeout, field: str) -> float:
    return entry.duration or float(entry.timeout)
