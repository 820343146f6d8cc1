"""Applies a reply as the gateway would, to a request or answer that matches the call."""

from __future__ import annotations

from typing import Any

import msgspec

from propylon.errors import PluginError, Refusal
from propylon.http.headers import Headers, canonical
from propylon.http.message import Request, Response
from propylon.pipeline.exchange import Exchange
from propylon.plugins.rich.apply import apply_reply
from propylon.plugins.rich.identity import authenticated_session
from propylon.plugins.rich.objects import PluginObject, PluginReply
from propylon.plugins.rich.respond import apply_response_reply


def apply_as_gateway(params: dict[str, Any], reply: PluginReply) -> None:
    """Apply `reply` to the call `params`. Raises `PluginError` where the gateway answers 500.

    A refusal that the plugin asked for is an answer like any other.
    """
    sent = msgspec.convert(params, PluginObject)
    exchange = _exchange(sent)
    if sent.hook_type == "Response":
        apply_response_reply(exchange, sent, reply, verbatim_names=False)
        return
    try:
        answer = apply_reply(exchange, sent, reply, verbatim_names=False)
        if sent.hook_type == "CustomKeyCheck" and answer is None:
            authenticated_session(reply, "org")
    except Refusal:
        return


def is_of_another_type(params: dict[str, Any], reply: PluginReply) -> bool:
    """Tell whether the reply is that of a request hook to an answer, or the other way round."""
    if params["hook_type"] == "Response":
        return reply.response is None and (reply.request or reply.session) is not None
    return reply.request is None and reply.session is None and reply.response is not None


def refusal_of(params: dict[str, Any], reply: PluginReply) -> str:
    """Say why the gateway cannot use a reply; empty when it can."""
    try:
        apply_as_gateway(params, reply)
    except PluginError as error:
        return str(error)
    return ""


def _exchange(sent: PluginObject) -> Exchange:
    request = Request(
        sent.request.method,
        sent.request.url,
        _headers(sent.request.headers),
        host=sent.request.headers["Host"],
        body=sent.request.body.encode(),
    )
    exchange = Exchange(request, id=sent.context.request_id, started_at=0.0)
    if sent.response is not None:
        answer = sent.response
        exchange.response = Response(
            answer.status_code, _headers(answer.headers), answer.body.encode()
        )
    return exchange


def _headers(headers: dict[str, str]) -> Headers:
    lines = ((canonical(name.encode()), value.encode()) for name, value in headers.items())
    return Headers((name, value) for name, value in lines if name != b"Host")
