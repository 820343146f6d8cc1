"""Carries out what a hook returned: on the request, on the response, or as the answer itself."""

from __future__ import annotations

import re
from email.utils import formatdate

from propylon.errors import PluginError, Refusal
from propylon.http.headers import Headers, canonical, is_field_value, is_token
from propylon.http.message import Request, Response
from propylon.http.sniff import sniff_content_type
from propylon.plugins.javascript.contract import (
    MAX_EDITS,
    Returned,
    ReturnedOverrides,
    url_text,
)
from propylon.plugins.javascript.query import edit_query
from propylon.plugins.javascript.text import to_bytes

# How the body is framed is the gateway's to say: a hook that could say it could smuggle requests.
# `Host` given by a hook does not change the upstream's Host either (5.5).
_NOT_FOR_HOOKS = frozenset({b"Content-Length", b"Transfer-Encoding", b"Host"})

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_UNSAFE = re.compile("[^\x21-\x7e]")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def header_field(name: str, value: str, *, keeps_spelling: bool) -> tuple[bytes, bytes]:
    """Check one header given by a script; raises `PluginError` for what cannot be sent."""
    known = _known_names.get(name)
    if known is None:
        known = _learn_name(name)
    content = to_bytes(value)
    if not is_field_value(content):
        raise PluginError(f"the value of header {name!r} contains a line break or NUL")
    return (known[0] if keeps_spelling else known[1]), content


# Scripts set the same few names in every request. The bound keeps one that makes names up from
# growing the table.
_MAX_KNOWN_NAMES = 1024
_known_names: dict[str, tuple[bytes, bytes]] = {}


def _learn_name(name: str) -> tuple[bytes, bytes]:
    """Return a header name as spelled and in canonical form."""
    field = to_bytes(name)
    if not is_token(field):
        raise PluginError(f"header name {name!r} is not allowed")
    known = (field, canonical(field))
    if len(_known_names) < _MAX_KNOWN_NAMES:
        _known_names[name] = known
    return known


# An upstream would refuse a larger header block anyway.
MAX_HEADER_BYTES = 256 * 1024


def edit_headers(headers: Headers, returned: Returned, *, keeps_spelling: bool) -> None:
    """Delete, then set. Raises `PluginError` before anything is changed."""
    deleted, given = returned.delete_headers, returned.set_headers
    if not deleted and not given:
        return
    _check_edits(len(deleted) + len(given), "headers")
    # One pass each: a pass per name would hold the loop for seconds where names come by thousands.
    fields = {}
    for name, value in given.items():
        field, content = header_field(name, value, keeps_spelling=keeps_spelling)
        if (canonical(field) if keeps_spelling else field) not in _NOT_FOR_HOOKS:
            fields[field] = content
    edited = Headers(headers.items)
    if deleted:
        doomed = [to_bytes(name) for name in deleted]
        edited.remove_spellings(name for name in doomed if canonical(name) not in _NOT_FOR_HOOKS)
    if keeps_spelling:
        edited.set_spellings(fields)
    else:
        edited.set_all(fields)
    _check_size(edited.items)
    headers.items = edited.items


def _check_edits(count: int, what: str) -> None:
    if count > MAX_EDITS:
        raise PluginError(f"the hook edits {count} {what}, more than {MAX_EDITS}")


def _check_size(fields: list[tuple[bytes, bytes]]) -> None:
    size = 0
    for name, value in fields:
        size += len(name) + len(value) + 4
    if size > MAX_HEADER_BYTES:
        raise PluginError(f"the headers grow to {size} bytes, more than {MAX_HEADER_BYTES}")


def edit_request(
    request: Request, returned: Returned, *, keeps_body: bool, keeps_spelling: bool
) -> None:
    """Apply 5.10 steps 9 and 10. Raises `PluginError` before anything is changed by a bad URL."""
    url = _url_of(request, returned)
    body = request.body
    assert isinstance(body, bytes), "request hooks find the whole body"
    new_body = body if keeps_body or returned.ignore_body else to_bytes(returned.body or "")
    # A chunked body is complete by now: what goes on has a length, and no trailers.
    if new_body != body or b"Transfer-Encoding" in request.headers:
        request.replace_body(new_body)
    request.url = url
    edit_headers(request.headers, returned, keeps_spelling=keeps_spelling)


def _url_of(request: Request, returned: Returned) -> str:
    is_kept = returned.url is None or returned.url == url_text(request.url)
    url = request.url if is_kept else checked_url(returned.url or "")
    if not (returned.delete_params or returned.add_params or returned.extended_params):
        return url
    appended = sum(map(len, returned.extended_params.values()))
    edits = len(returned.delete_params) + len(returned.add_params) + appended
    _check_edits(edits, "parameters")
    path, _, query = url.partition("?")
    query = edit_query(
        query,
        delete=returned.delete_params,
        replace=returned.add_params,
        append=returned.extended_params,
    )
    return f"{path}?{query}" if query else path


def checked_url(url: str) -> str:
    """Bring a script's URL into origin form; the host of an absolute one is the API's to choose."""
    if url[:6].lower() == "tyk://":
        raise PluginError(f"internal redirect {url!r} is not available in this version")
    path, mark, query = url.partition("?")
    absolute = _ABSOLUTE.match(path)
    if absolute:
        path = path[absolute.end() :]
    path = path.partition("#")[0]
    if _CONTROL.search(url) or _BAD_ESCAPE.search(path):
        raise PluginError(f"URL {url!r} cannot be parsed")
    if not path.startswith("/"):
        path = "/" + path
    return _escaped(path) + mark + _escaped(query.partition("#")[0])


def _escaped(text: str) -> str:
    if not _UNSAFE.search(text):
        return text
    return "".join(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}" for byte in to_bytes(text))


def edit_response(
    response: Response, returned: Returned, *, keeps_body: bool, keeps_spelling: bool
) -> None:
    """Apply 5.9."""
    if returned.status_code:
        if not 100 <= returned.status_code <= 999:
            raise PluginError(f"StatusCode {returned.status_code} is not between 100 and 999")
        response.status = returned.status_code
        response.reason = b""
    if not keeps_body:
        response.body = to_bytes(returned.body or "")
        response.trailers = []
        response.headers.remove(b"Content-Length")
        response.headers.remove(b"Transfer-Encoding")
    edit_headers(response.headers, returned, keeps_spelling=keeps_spelling)


def answer_of(
    overrides: ReturnedOverrides,
    *,
    keeps_spelling: bool,
    closes_connection: bool,
    runs_response_chain: bool,
) -> Response | None:
    """Turn overrides into an answer (5.6): None to go on, `Refusal` raised for the error style."""
    code = overrides.code
    if not code:
        return None
    if not 100 <= code <= 999:
        raise PluginError(f"ResponseCode {code} is not between 100 and 999")
    _check_edits(len(overrides.headers), "headers of the answer")
    fields = [
        header_field(name, value, keeps_spelling=keeps_spelling)
        for name, value in overrides.headers
        if canonical(to_bytes(name)) not in _NOT_FOR_HOOKS
    ]
    _check_size(fields)
    if code >= 400 and not overrides.is_raw:
        raise Refusal(code, overrides.text, headers=fields, reason="ReturnOverrides of a plugin")
    headers = Headers(fields)
    body = to_bytes(overrides.text)
    if b"Content-Type" not in headers and body:
        headers.set(b"Content-Type", sniff_content_type(body))
    headers.set(b"Server", b"tyk")
    headers.set(b"Date", formatdate(usegmt=True).encode())
    for name in (b"X-Ratelimit-Limit", b"X-Ratelimit-Remaining", b"X-Ratelimit-Reset"):
        headers.set(name, b"0")
    if closes_connection:
        headers.set(b"Connection", b"close")
    return Response(code, headers, body, runs_response_chain=runs_response_chain)
