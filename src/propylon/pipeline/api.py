"""One API, ready to serve: its definition, its chain and where its requests go. Frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition
from propylon.http.message import Request
from propylon.pipeline.error_pages import ErrorPages
from propylon.pipeline.proxy_request import ProxyRules
from propylon.pipeline.step import ResponseStep, Step
from propylon.pipeline.target import Balancer, Target


@dataclass(frozen=True, slots=True)
class Api:
    """What the gateway needs to serve the requests of one API."""

    definition: ApiDefinition
    steps: tuple[Step, ...]
    response_steps: tuple[ResponseStep, ...]
    skips_options: bool
    "With CORS `options_passthrough`, an OPTIONS request meets no step at all."
    error_pages: ErrorPages
    strip: Callable[[str], str]
    "Takes the listen path off a path, or returns it whole where it stays."
    balancer: Balancer
    overrides: Mapping[str, Target]
    "Targets that single versions name instead (`override_target`), by their text."
    rules: ProxyRules
    response_seconds: float
    "Time for the upstream to connect, and again to answer."
    max_body_bytes: int
    "Largest body that is collected for a step; 0 means no limit."

    @property
    def targets(self) -> tuple[Target, ...]:
        return (*self.balancer.targets, *self.overrides.values())

    def steps_for(self, request: Request) -> tuple[Step, ...]:
        if self.skips_options and request.method == "OPTIONS":
            return ()
        return self.steps
