"""What the reply of a response hook changes (rich-plugins 4.6)."""

from __future__ import annotations

from propylon.errors import PluginError
from propylon.http.headers import Headers
from propylon.http.message import Response
from propylon.pipeline.exchange import Exchange
from propylon.plugins.rich.apply import changed_body
from propylon.plugins.rich.bounds import require_few_headers, require_small_block
from propylon.plugins.rich.objects import (
    HeaderValues,
    PluginObject,
    PluginReply,
    ResponseObject,
    ResponseReply,
)
from propylon.plugins.rich.wiretext import header_name, header_value, to_text


def apply_response_reply(
    exchange: Exchange, sent: PluginObject, reply: PluginReply, *, verbatim_names: bool
) -> None:
    """Edit the answer as the plugin said.

    Raises `PluginError` when the reply has no `response` or one that cannot go on the wire.
    """
    response = exchange.response
    edits = reply.response
    assert response is not None, "response hooks run on an answer"
    assert sent.response is not None, "the object of a response hook has an answer"
    if edits is None:
        raise PluginError("the reply has no `response`: return the object, or at least {}")
    if edits.status_code:
        if not 200 <= edits.status_code <= 999:
            raise PluginError(f"response.status_code: {edits.status_code} is no final status")
        response.status = edits.status_code
    is_head = exchange.request.method == "HEAD"
    _apply_headers(response, sent.response, edits, verbatim_names)
    _apply_body(response, sent.response, edits, is_head=is_head)


def _apply_headers(
    response: Response, sent: ResponseObject, edits: ResponseReply, verbatim_names: bool
) -> None:
    if edits.headers is None or edits.headers == sent.headers:
        values = edits.multivalue_headers
        if values is None or values == sent.multivalue_headers:
            return
    else:
        base = edits.multivalue_headers
        values = synchronised(sent.multivalue_headers if base is None else base, edits.headers)
    response.headers = _lines(response.headers, values, verbatim_names)


def synchronised(values: list[HeaderValues], headers: dict[str, str]) -> list[HeaderValues]:
    """Carry edits of the one-value map over to the lists.

    The first value of each entry becomes that of `headers`; entries that it lacks go, entries
    that only it has come last.
    """
    result = []
    known = set()
    for entry in values:
        if entry.key in headers:
            known.add(entry.key)
            result.append(HeaderValues(entry.key, [headers[entry.key], *entry.values[1:]]))
    added = [HeaderValues(key, [value]) for key, value in headers.items() if key not in known]
    return result + added


def _lines(original: Headers, values: list[HeaderValues], verbatim_names: bool) -> Headers:
    require_few_headers(sum(len(entry.values) or 1 for entry in values), "response.headers")
    # Text that stood for bytes which are not UTF-8 goes back as those bytes.
    as_received = {to_text(raw): raw for _, raw in original.items if not raw.isascii()}
    lines = Headers()
    for entry in values:
        name = header_name(entry.key, "response.multivalue_headers", verbatim=verbatim_names)
        for value in entry.values:
            raw = as_received.get(value)
            if raw is None:
                raw = header_value(value, f"response.headers.{entry.key}")
            lines.add(name, raw)
    require_small_block(lines, "response.headers")
    return lines


def _apply_body(
    response: Response, sent: ResponseObject, edits: ResponseReply, *, is_head: bool
) -> None:
    body = response.body
    assert isinstance(body, bytes), "response hooks find the whole body"
    changed = changed_body(body, sent.body, edits.raw_body, edits.body)
    if changed is not None:
        response.body = changed
        body = changed
    if is_head:
        # The length says what GET would return; there is nothing here to count.
        return
    response.headers.remove(b"Transfer-Encoding")
    response.headers.set(b"Content-Length", b"%d" % len(body))
    response.trailers = []
