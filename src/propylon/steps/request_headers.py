"""Header transform of the request: gateway-core 9.6, element 25 of the chain.

Global removal, global addition, then the endpoint's removal and addition. `Host` is not a header
here but the request's host, which the upstream sees under `preserve_host_header`.
"""

from __future__ import annotations

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.step import StepResult
from propylon.steps.header_edits import HeaderEdits
from propylon.steps.version_headers import VersionEdits, build_request_edits


class RequestHeaders:
    """Edits the headers that the upstream, and every later step, will see."""

    __slots__ = ("_edits",)

    name = "TransformHeaders"
    needs_body = False

    def __init__(self, edits: dict[str, VersionEdits]) -> None:
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
    edits = build_request_edits(definition, config)
    return RequestHeaders(edits) if edits else None


def _apply(edits: HeaderEdits, exchange: Exchange) -> None:
    request = exchange.request
    edits.apply(request.headers)
    for name, value in edits.set:
        if name.lower() == b"host":
            request.headers.remove_spelling(b"Host")
            request.host = value.decode("latin-1")
