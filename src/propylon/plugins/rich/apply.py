"""What the reply of a request hook changes (rich-plugins 4.4 and 4.5).

Overrides are looked at first, so a reply that only answers need not repeat the request. What a
plugin left out stays as it is. Whatever cannot go on the wire raises `PluginError`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import quote

from propylon.errors import PluginError, Refusal
from propylon.http.headers import ALWAYS_CANONICAL, Headers, canonical, is_token
from propylon.http.message import Request, Response
from propylon.http.sniff import sniff_content_type
from propylon.pipeline.exchange import Exchange
from propylon.plugins.rich.bounds import (
    MAX_HEAD_BYTES,
    require_few_headers,
    require_few_parameters,
    require_short,
    require_small_block,
)
from propylon.plugins.rich.objects import (
    OverridesReply,
    PluginObject,
    PluginReply,
    RequestObject,
    RequestReply,
)
from propylon.plugins.rich.query import edited
from propylon.plugins.rich.wiretext import header_name, header_value

DEFAULT_ERROR_TEXT = "Key not authorised"

# The gateway frames what it sends, and Go keeps Host outside the header map.
_OWN_HEADERS = frozenset({b"Host", b"Content-Length", b"Transfer-Encoding"})
_BODYLESS_STATUSES = frozenset({204, 304})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Everything RFC 3986 lets stand in a URL, `%` included: what the plugin escaped stays escaped.
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~-._|^`{}\"<>\\"


def apply_reply(
    exchange: Exchange, sent: PluginObject, reply: PluginReply, *, verbatim_names: bool
) -> Response | None:
    """Edit the request as the plugin said, or return its answer.

    Raises `Refusal` for an error-style override. `verbatim_names` writes header names as the
    plugin spelled them (`ignore_canonical_mime_header_key`).
    """
    edits = reply.request
    if edits is None:
        # An auth hook may answer with a session alone.
        if reply.session is None:
            raise PluginError("the reply has no `request`: return the object, or at least {}")
        return None
    if edits.return_overrides is not None and edits.return_overrides.response_code > 0:
        return _overridden(edits.return_overrides, verbatim_names)
    request = exchange.request
    _apply_headers(request.headers, edits, verbatim_names)
    _apply_url(exchange, sent.request, edits)
    if edits.method and edits.method != request.method:
        require_short(edits.method, "request.method")
        if not is_token(edits.method.encode()):
            raise PluginError(f"request.method: {edits.method!r} is not a method")
        request.method = edits.method
    _apply_body(request, sent.request, edits)
    return None


def changed_body(
    original: bytes, sent_text: str, raw_body: bytes | None, text: str | None
) -> bytes | None:
    """Return the body that the plugin put in the place of `original`, or None for no change.

    `raw_body` wins, unless the plugin left it alone and edited only the text.
    """
    if raw_body is not None and raw_body != original:
        return raw_body
    if text is not None and text != sent_text:
        return text.encode("utf-8", "surrogatepass")
    return None


def override_headers(headers: Mapping[str, str], *, verbatim_names: bool) -> Headers:
    """Turn the headers of an override into header lines, framing left to the writer."""
    field = "request.return_overrides.headers"
    require_few_headers(len(headers), field)
    return Headers(_field_lines(headers, field, verbatim_names).items())


def _overridden(overrides: OverridesReply, verbatim_names: bool) -> Response:
    code = overrides.response_code
    if not 200 <= code <= 999:
        raise PluginError(f"request.return_overrides.response_code: {code} is no final status")
    headers = override_headers(overrides.headers, verbatim_names=verbatim_names)
    text = overrides.response_error or overrides.response_body
    has_type = any(canonical(name) == b"Content-Type" for name, _ in headers)
    if code >= 400 and not overrides.override_error:
        raise Refusal(
            code,
            text or DEFAULT_ERROR_TEXT,
            headers=tuple(headers.items),
            keep_content_type=has_type,
            reason="the plugin refused the request",
        )
    body = text.encode("utf-8", "surrogatepass")
    if body and not has_type and code not in _BODYLESS_STATUSES:
        headers.add(b"Content-Type", sniff_content_type(body))
    return Response(code, headers, body, runs_response_chain=False)


def _field_lines(
    headers: Mapping[str, str], field: str, verbatim_names: bool
) -> dict[bytes, bytes]:
    """Return what a plugin wrote as field lines, without those that are the gateway's."""
    lines: dict[bytes, bytes] = {}
    for name, value in headers.items():
        key = header_name(name, field, verbatim=verbatim_names)
        if canonical(key) not in _OWN_HEADERS:
            lines[key] = header_value(value, field)
    require_small_block(lines.items(), field)
    return lines


def _apply_headers(headers: Headers, edits: RequestReply, verbatim_names: bool) -> None:
    deleted, added = edits.delete_headers, edits.set_headers
    require_few_headers(len(deleted or ()) + len(added or ()), "request.set_headers")
    lines = _field_lines(added, "request.set_headers", verbatim_names) if added else {}
    if deleted:
        gone = {canonical(name.encode("utf-8", "replace")) for name in deleted} - _OWN_HEADERS
        if verbatim_names:
            _remove_spellings(headers, {name.lower() for name in gone})
        else:
            headers.remove_all(frozenset(gone))
    if not lines:
        return
    if verbatim_names:
        _set_spellings(headers, lines)
    else:
        headers.set_all(lines)


def _remove_spellings(headers: Headers, lower_names: Collection[bytes]) -> None:
    headers.items = [item for item in headers.items if item[0].lower() not in lower_names]


def _set_spellings(headers: Headers, lines: dict[bytes, bytes]) -> None:
    """Do what `Headers.set_spelling` does for each line, in one pass."""
    spelled: dict[bytes, tuple[bytes, bytes]] = {}
    for name, value in lines.items():
        lower = name.lower()
        spelled.pop(lower, None)
        spelled[lower] = (canonical(name) if lower in ALWAYS_CANONICAL else name, value)
    _remove_spellings(headers, spelled.keys())
    headers.items.extend(spelled.values())


def _apply_url(exchange: Exchange, sent: RequestObject, edits: RequestReply) -> None:
    new_url = edits.url
    if new_url and new_url != sent.url:
        _replace_url(exchange, new_url)
    if edits.delete_params or edits.add_params:
        _require_few_edits(edits)
        url = exchange.rewritten_url or exchange.request.url
        path, _, query = url.partition("?")
        query = edited(query, edits.delete_params or (), edits.add_params or {})
        _put_url(exchange, f"{path}?{query}" if query else path)


def _require_few_edits(edits: RequestReply) -> None:
    deleted, added = edits.delete_params or (), edits.add_params or {}
    require_few_parameters(len(deleted) + len(added), "request.add_params")
    length = sum(len(name) + len(value) for name, value in added.items())
    if length > MAX_HEAD_BYTES:
        raise PluginError(f"request.add_params: {length} characters, {MAX_HEAD_BYTES} at most")


def _replace_url(exchange: Exchange, text: str) -> None:
    """Take over a URL that the plugin wrote.

    Without `?` the query of the request stays, with one the plugin's query counts; Tyk loses it.
    """
    require_short(text, "request.url")
    if _CONTROL.search(text):
        raise PluginError(f"request.url: {text!r} holds control characters")
    url = quote(text.partition("#")[0], safe=_URL_SAFE, errors="replace")
    scheme = _SCHEME.match(url)
    if scheme is None and not url.startswith("/"):
        raise PluginError(f"request.url: {text!r} is neither absolute nor starts with '/'")
    if scheme is not None and scheme[1].lower() == "tyk":
        # Going on with the URL as it was would send the request where nobody meant it to go.
        raise PluginError(
            f"request.url: internal redirect {text!r} is not available in this version"
        )
    is_rewritten = exchange.rewritten_url is not None
    if scheme is not None and is_rewritten:
        exchange.rewritten_url = url
        return
    if scheme is not None:
        # The API's target decides scheme and host, so only path and query count.
        url = "/" + url[scheme.end() :].partition("/")[2]
    if "?" not in url and not is_rewritten and exchange.request.query:
        url = f"{url}?{exchange.request.query}"
    _put_url(exchange, url)


def _put_url(exchange: Exchange, url: str) -> None:
    if exchange.rewritten_url is not None:
        exchange.rewritten_url = url
    else:
        exchange.request.url = url


def _apply_body(request: Request, sent: RequestObject, edits: RequestReply) -> None:
    body = request.body
    assert isinstance(body, bytes), "request hooks find the whole body"
    changed = changed_body(body, sent.body, edits.raw_body, edits.body)
    if changed is not None:
        request.replace_body(changed)
    elif b"Transfer-Encoding" in request.headers:
        # The body is complete by now: its length is known and its trailers are gone (4.10).
        request.replace_body(body)
