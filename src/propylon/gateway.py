"""The life of a request between its two sockets: route, steps, upstream, response steps, answer.

One method per stage, in that order. A stage goes on by a plain call while nothing has to wait;
only when a step returns an awaitable does the request get a task, owned by its client connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from propylon.errors import Refusal
from propylon.http.body import BodyBroken, BodyStream, BodyTooLarge
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.http.request_reader import BadRequest
from propylon.net.client_connection import ClientConnection
from propylon.net.proxy_call import ProxyCall, explain
from propylon.net.upstream_connection import UpstreamConnection
from propylon.net.upstream_pool import UpstreamPools
from propylon.observe.logs import get_logger
from propylon.pipeline.api import Api
from propylon.pipeline.error_pages import not_found, plain_text
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.listen_path import decode_path
from propylon.pipeline.proxy_request import upstream_head, upstream_url
from propylon.pipeline.router import clean_redirect
from propylon.pipeline.snapshot import Snapshot
from propylon.pipeline.step import Step

log = get_logger("gateway")

INTERNAL_ERROR = "Internal Server Error"
MIDDLEWARE_ERROR = "Middleware error"


class SystemEndpoints(Protocol):
    """Paths that the gateway answers itself, before any API (gateway-core 3.2)."""

    @property
    def paths(self) -> frozenset[str]: ...

    def answer(self, request: Request) -> Response | None: ...


class ExchangeLog(Protocol):
    """Told of every exchange once it is over."""

    def log(self, exchange: Exchange) -> None: ...


class Gateway:
    """Serves requests on the current snapshot; `swap` changes it between two requests."""

    def __init__(
        self,
        snapshot: Snapshot,
        pools: UpstreamPools,
        loop: asyncio.AbstractEventLoop,
        *,
        endpoints: SystemEndpoints | None,
        access_log: ExchangeLog | None,
        cleans_urls: bool,
        max_request_body_bytes: int,
        silence_seconds: float,
        logs_not_found: bool = False,
    ) -> None:
        self.snapshot = snapshot
        self._pools = pools
        self._loop = loop
        self._endpoints = endpoints
        self._endpoint_paths = frozenset[str]() if endpoints is None else endpoints.paths
        self._access_log = access_log
        self._cleans_urls = cleans_urls
        self._max_request_body_bytes = max_request_body_bytes
        self._silence_seconds = silence_seconds
        self._logs_not_found = logs_not_found

    def swap(self, snapshot: Snapshot, on_retired: Callable[[Snapshot], None]) -> None:
        """Serve new requests from `snapshot`; those in flight finish on the old one."""
        old, self.snapshot = self.snapshot, snapshot
        old.retire(on_retired)

    # -- Handler -------------------------------------------------------------------------------

    def begin(self, exchange: Exchange, client: ClientConnection) -> None:
        """Route the request and start its chain."""
        snapshot = self.snapshot
        snapshot.acquire()
        exchange.lease = snapshot
        request = exchange.request
        try:
            path = request.url.partition("?")[0]
            # All that most requests need of this is the look at their path.
            if path in self._endpoint_paths or self._max_request_body_bytes or "%" in path or (
                self._cleans_urls and ("//" in path or "/." in path)
            ):
                answer = self._answer_early(request, path)
                if answer is not None:
                    client.answer(exchange, answer)
                    return
                path = decode_path(path)
            elif not path.isascii():
                path = decode_path(path)
            match = snapshot.router.find(request.host, path)
            if match is None:
                self._answer_not_found(exchange, client)
                return
            api = match.target
            exchange.definition = api.definition
            exchange.matched_prefix = match.prefix
        except Exception as error:
            self._fail(exchange, None, client, error)
            return
        self._run(exchange, api, client, api.steps_for(request), 0)

    def reject(self, error: BadRequest) -> Response:
        return plain_text(error.status, error.message)

    def finished(self, exchange: Exchange) -> None:
        if exchange.lease is not None:
            exchange.lease.release()
            exchange.lease = None
        if self._access_log is not None:
            self._access_log.log(exchange)

    # -- before the chain ------------------------------------------------------------------------

    def _answer_early(self, request: Request, path: str) -> Response | None:
        limit = self._max_request_body_bytes
        if limit:
            too_large = _limit_body(request, limit)
            if too_large is not None:
                return too_large
        if self._endpoints is not None:
            answer = self._endpoints.answer(request)
            if answer is not None:
                return answer
        if self._cleans_urls:
            location = clean_redirect(path)
            if location is not None:
                query = request.query
                target = f"{location}?{query}" if query else location
                return Response(301, Headers([(b"Location", target.encode("latin-1"))]))
        return None

    def _answer_not_found(self, exchange: Exchange, client: ClientConnection) -> None:
        if self._logs_not_found:
            request = exchange.request
            log.error("not found", path=request.path, host=request.host, request_id=exchange.id)
        client.answer(exchange, not_found())

    # -- the request chain -----------------------------------------------------------------------

    def _run(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        steps: tuple[Step, ...],
        index: int,
    ) -> None:
        """Run the steps from `index` on, then forward; stop where one answers or has to wait."""
        try:
            while index < len(steps):
                step = steps[index]
                if step.needs_body:
                    body = exchange.request.body
                    if isinstance(body, BodyStream):
                        client.spawn(self._collect_request(exchange, api, client, steps, index))
                        return
                    if api.max_body_bytes and len(body) > api.max_body_bytes:
                        raise BodyTooLarge(api.max_body_bytes)
                result = step(exchange)
                index += 1
                if result is None:
                    continue
                if isinstance(result, Response):
                    self._respond(exchange, api, client, result, None)
                    return
                client.spawn(self._wait(exchange, api, client, result, steps, index))
                return
            self._forward(exchange, api, client)
        except Exception as error:
            self._fail(exchange, api, client, error)

    async def _wait(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        result: Awaitable[Response | None],
        steps: tuple[Step, ...],
        next_index: int,
    ) -> None:
        try:
            response = await result
        except Exception as error:
            self._fail(exchange, api, client, error)
            return
        if response is None:
            self._run(exchange, api, client, steps, next_index)
        else:
            self._respond(exchange, api, client, response, None)

    async def _collect_request(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        steps: tuple[Step, ...],
        index: int,
    ) -> None:
        request = exchange.request
        assert isinstance(request.body, BodyStream)
        try:
            request.replace_body(await request.body.read(api.max_body_bytes))
        except Exception as error:
            self._fail(exchange, api, client, error)
            return
        self._run(exchange, api, client, steps, index)

    # -- the upstream ----------------------------------------------------------------------------

    def _forward(self, exchange: Exchange, api: Api, client: ClientConnection) -> None:
        request = exchange.request
        override = exchange.target_override
        target = api.balancer.pick() if override is None else api.overrides[override]
        url = upstream_url(request, target, api.strip(request.path), api.rules)
        head = upstream_head(request, target, url, api.rules)
        call = ProxyCall(
            self, self._loop, exchange, api, client, silence_seconds=self._silence_seconds
        )
        client.on_gone = call.cancel
        call.start(self._pools.pool(target), head)

    def upstream_answered(
        self,
        call: ProxyCall,
        outcome: Response | Refusal,
        connection: UpstreamConnection | None,
    ) -> None:
        """Go on with what came of a forwarded request."""
        if isinstance(outcome, Response):
            self._respond(call.exchange, call.api, call.client, outcome, connection)
        else:
            self._fail(call.exchange, call.api, call.client, outcome)

    # -- the response chain ------------------------------------------------------------------------

    def _respond(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        response: Response,
        connection: UpstreamConnection | None,
    ) -> None:
        exchange.response = response
        has_steps = response.runs_response_chain and api.response_steps
        first = 0 if has_steps else len(api.response_steps)
        self._run_response(exchange, api, client, connection, first)

    def _run_response(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        connection: UpstreamConnection | None,
        index: int,
    ) -> None:
        steps = api.response_steps
        try:
            while index < len(steps):
                step = steps[index]
                response = exchange.response
                assert response is not None
                if step.needs_body:
                    body = response.body
                    if isinstance(body, BodyStream):
                        client.spawn(
                            self._collect_response(exchange, api, client, connection, index)
                        )
                        return
                    if api.max_body_bytes and len(body) > api.max_body_bytes:
                        raise _response_too_large(api.max_body_bytes)
                waiting = step(exchange)
                index += 1
                if waiting is not None:
                    client.spawn(
                        self._wait_response(exchange, api, client, connection, waiting, index)
                    )
                    return
            self._send(exchange, client, connection)
        except Exception as error:
            self._fail(exchange, api, client, error)

    async def _wait_response(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        connection: UpstreamConnection | None,
        waiting: Awaitable[None],
        next_index: int,
    ) -> None:
        try:
            await waiting
        except Exception as error:
            self._fail(exchange, api, client, error)
            return
        self._run_response(exchange, api, client, connection, next_index)

    async def _collect_response(
        self,
        exchange: Exchange,
        api: Api,
        client: ClientConnection,
        connection: UpstreamConnection | None,
        index: int,
    ) -> None:
        response = exchange.response
        assert response is not None
        assert isinstance(response.body, BodyStream)
        try:
            response.body = await response.body.read(api.max_body_bytes)
        except BodyTooLarge:
            self._fail(exchange, api, client, _response_too_large(api.max_body_bytes))
            return
        except BodyBroken as error:
            refusal = Refusal(500, "There was a problem proxying the request", reason=str(error))
            self._fail(exchange, api, client, refusal)
            return
        self._run_response(exchange, api, client, connection, index)

    # -- the answer --------------------------------------------------------------------------------

    def _send(
        self, exchange: Exchange, client: ClientConnection, connection: UpstreamConnection | None
    ) -> None:
        response = exchange.response
        assert response is not None
        is_tunnel = connection is not None and connection.has_switched
        if not (200 <= response.status <= 999 or (is_tunnel and response.status == 101)):
            raise Refusal(500, MIDDLEWARE_ERROR, reason=f"a final status of {response.status}")
        client.answer(exchange, response)
        if connection is None or not is_tunnel:
            return
        if response.status != 101 or client.is_gone or connection.transport is None:
            connection.abort()
        else:
            connection.join(client.switch(connection.transport, connection.rest))

    def _fail(
        self, exchange: Exchange, api: Api | None, client: ClientConnection, error: Exception
    ) -> None:
        """Answer with the error that a step or the upstream raised; anything else is a 500."""
        if isinstance(error, BodyBroken):
            error = explain(error)
        if not isinstance(error, Refusal):
            definition = exchange.definition
            log.error(
                "a bug in the gateway ended a request",
                api_id=definition.api_id if definition else "",
                request_id=exchange.id,
                exc_info=error,
            )
            error = Refusal(500, INTERNAL_ERROR, reason=repr(error))
        exchange.refusal = error
        if client.on_gone is not None:
            client.on_gone()
            client.on_gone = None
        if isinstance(error, BodyTooLarge):
            client.answer(exchange, plain_text(error.status, error.message + "\n"))
            return
        pages = self.snapshot.error_pages if api is None else api.error_pages
        client.answer(exchange, pages.render(error, exchange.request))


def _response_too_large(max_bytes: int) -> Refusal:
    return Refusal(500, "Response body too large", reason=f"over {max_bytes} bytes")


def _limit_body(request: Request, limit: int) -> Response | None:
    """Apply `max_request_body_size`: at once where a length is known, else while it arrives."""
    body = request.body
    if isinstance(body, BodyStream):
        if body.length is None or body.received_bytes > limit:
            body.max_bytes = limit
        size = body.length or body.received_bytes
    else:
        size = len(body)
    if size > limit:
        return plain_text(413, "Request Entity Too Large\n")
    return None
