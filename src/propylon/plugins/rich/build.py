"""From an exchange to the object that a plugin sees (rich-plugins 4.2, 4.6, A.3).

One builder per hook holds what never changes; a call copies only what the request brings.
"""

from __future__ import annotations

import hashlib

from propylon.apis.definition import ApiDefinition
from propylon.http.message import Request
from propylon.pipeline.exchange import Exchange
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.rich.gojson import go_json
from propylon.plugins.rich.identity import plugin_session
from propylon.plugins.rich.objects import (
    CallContext,
    HeaderValues,
    PluginObject,
    PluginSession,
    RequestObject,
    ResponseObject,
)
from propylon.plugins.rich.query import parameters
from propylon.plugins.rich.wiretext import to_text, url_text

_HOOKS_WITHOUT_SESSION = frozenset({HookType.PRE, HookType.AUTH_CHECK})


class ObjectBuilder:
    """Makes the object of each call of one hook.

    `repeats_raw_body` sends a text body in `raw_body` too, as gRPC plugins expect; without it a
    body crosses once.
    """

    __slots__ = (
        "_deadline_ms",
        "_has_raw_body_only",
        "_has_session",
        "_hook_name",
        "_hook_type",
        "_repeats_raw_body",
        "_spec",
        "_strips_listen_path",
    )

    def __init__(
        self, definition: ApiDefinition, hook: Hook, *, deadline_ms: int, repeats_raw_body: bool
    ) -> None:
        self._hook_type = hook.type.value
        self._hook_name = hook.name
        self._has_raw_body_only = hook.raw_body_only
        self._has_session = hook.type not in _HOOKS_WITHOUT_SESSION
        self._deadline_ms = deadline_ms
        self._repeats_raw_body = repeats_raw_body
        self._spec = spec_of(definition)
        self._strips_listen_path = definition.proxy.strip_listen_path

    def request_object(self, exchange: Exchange) -> PluginObject:
        """Build the object of a request hook; the body must be complete."""
        session = exchange.session
        sent = None
        if session is not None and self._has_session:
            sent = plugin_session(session)
        url = exchange.rewritten_url or exchange.request.url
        return self._object(exchange, url, sent, None)

    def response_object(self, exchange: Exchange) -> PluginObject:
        """Build the object of a response hook; the body of the answer must be complete."""
        response = exchange.response
        assert response is not None, "response hooks run on an answer"
        assert isinstance(response.body, bytes), "response hooks find the whole body"
        session = exchange.session
        sent = PluginSession() if session is None else plugin_session(session)
        headers, every = header_maps(response.headers.items)
        text, raw = self._bodies(response.body)
        answer = ResponseObject(
            status_code=response.status,
            body=text,
            raw_body=raw,
            headers=headers,
            multivalue_headers=[HeaderValues(name, values) for name, values in every.items()],
        )
        return self._object(exchange, self._proxied_url(exchange), sent, answer)

    def _object(
        self,
        exchange: Exchange,
        url: str,
        session: PluginSession | None,
        response: ResponseObject | None,
    ) -> PluginObject:
        request = self._request(exchange.request, url, exchange.rewritten_url)
        return PluginObject(
            hook_type=self._hook_type,
            hook_name=self._hook_name,
            request=request,
            session=session,
            metadata={} if session is None else session.metadata,
            spec=self._spec,
            response=response,
            context=CallContext(
                exchange.id,
                request.headers.get("Traceparent", ""),
                exchange.client_ip or exchange.request.peer_host,
                self._deadline_ms,
            ),
        )

    def _request(self, request: Request, url: str, rewritten: str | None) -> RequestObject:
        headers, every = header_maps(request.headers.items)
        headers["Host"] = request.host
        every["Host"] = [request.host]
        _, mark, query = url.partition("?")
        params, all_params = parameters(query) if mark else ({}, {})
        # The body of a request that was streamed upstream is gone when a response hook runs.
        body = request.body if isinstance(request.body, bytes) else b""
        text, raw = self._bodies(body)
        return RequestObject(
            headers=headers,
            headers_all=every,
            params=params,
            params_all=all_params,
            url=url_text(url),
            method=request.method,
            request_uri=url_text(request.request_uri if rewritten is None else _target(rewritten)),
            scheme=request.scheme,
            body=text,
            raw_body=raw,
        )

    def _bodies(self, body: bytes) -> tuple[str, bytes | None]:
        """Return `body` and `raw_body` as they are sent."""
        if self._has_raw_body_only:
            return "", body
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return "", body
        return text, body if self._repeats_raw_body else None

    def _proxied_url(self, exchange: Exchange) -> str:
        if exchange.rewritten_url is not None:
            return exchange.rewritten_url
        url, prefix = exchange.request.url, exchange.matched_prefix
        if not self._strips_listen_path or not prefix or not url.startswith(prefix):
            return url
        rest = url[len(prefix) :]
        return rest if rest.startswith("/") else "/" + rest


def spec_of(definition: ApiDefinition) -> dict[str, str]:
    """Return what plugins are told about the API."""
    bundle = definition.custom_middleware_bundle
    spec = {
        "OrgID": definition.org_id,
        "APIID": definition.api_id,
        # An identifier that plugins know from Tyk, not a protection.
        "bundle_hash": hashlib.md5(bundle.encode(), usedforsecurity=False).hexdigest(),
    }
    if definition.config_data and not definition.config_data_disabled:
        spec["config_data"] = go_json(definition.config_data)
    return spec


def header_maps(
    items: list[tuple[bytes, bytes]],
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the first value and all values of each header, as text.

    `Transfer-Encoding` is ours to decide and left out, as Go leaves it out.
    """
    first: dict[str, str] = {}
    every: dict[str, list[str]] = {}
    for raw_name, raw_value in items:
        name = raw_name.decode("latin-1")
        value = to_text(raw_value)
        if name in first:
            every[name].append(value)
        elif name != "Transfer-Encoding":
            first[name] = value
            every[name] = [value]
    return first, every


def _target(url: str) -> str:
    """Return path and query of an absolute or origin-form URL."""
    _, separator, rest = url.partition("://")
    if not separator:
        return url
    return "/" + rest.partition("/")[2]
