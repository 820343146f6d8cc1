"""The contract that built-in middleware and plugins share.

A step is called with the exchange. It returns None to go on, a `Response` to answer instead of the
upstream, or an awaitable of one of these when, and only when, this request must wait. It raises
`Refusal` to end the request with an error. Steps are built once per API and called for every
request, so they hold only frozen data.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from propylon.http.message import Response
from propylon.pipeline.exchange import Exchange

StepResult = Response | Awaitable[Response | None] | None


class Step(Protocol):
    """One element of the request chain.

    `name` is shown in logs. A step with `needs_body` finds `exchange.request.body` as bytes; the
    runner collects it first (bounded by `max_request_body_size` and the read timeout).
    """

    @property
    def name(self) -> str: ...

    @property
    def needs_body(self) -> bool: ...

    def __call__(self, exchange: Exchange) -> StepResult: ...


class ResponseStep(Protocol):
    """One element of the response chain: edits `exchange.response` in place.

    With `needs_body` it finds `exchange.response.body` as bytes. A `Refusal` replaces the answer
    and ends the chain.
    """

    @property
    def name(self) -> str: ...

    @property
    def needs_body(self) -> bool: ...

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None: ...
