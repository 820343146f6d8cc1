"""The request as the upstream gets it: gateway-core 3.7 and 3.11, in one place, without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from propylon import __version__
from propylon.errors import Refusal
from propylon.http.headers import is_token
from propylon.http.message import Request
from propylon.http.writer import HOP_BY_HOP, connection_names, request_framing, request_head
from propylon.pipeline.target import Target

USER_AGENT = f"Tyk/{__version__}".encode("ascii")

# What a step may leave in `url`: anything that cannot end the request line (RFC 9112, 3.2).
_SAFE_URL = re.compile(r"[\x21-\x7e\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """How an API forwards, decided when the snapshot is built."""

    keeps_slash: bool = False
    preserves_host: bool = False
    closes_connections: bool = False
    appends_client: bool = True
    "Off when `X-Forwarded-For` stands in a header removal list."


def upstream_url(request: Request, target: Target, stripped_path: str, rules: ProxyRules) -> str:
    """Return the request target for the upstream.

    Raises `Refusal` 500 when a step left a URL that no request line can hold.
    """
    query = request.url.partition("?")[2]
    url = target.join(stripped_path, query, keeps_slash=rules.keeps_slash)
    if request.url is not request.request_uri and not _SAFE_URL.fullmatch(url):
        raise Refusal(500, "Middleware error", reason=f"unusable request URL {url!r}")
    return url


def upstream_head(request: Request, target: Target, url: str, rules: ProxyRules) -> bytes:
    """Write the head of the request for the upstream, framing lines included."""
    if request.method not in _METHODS and not is_token(request.method.encode("latin-1", "replace")):
        raise Refusal(500, "Middleware error", reason=f"unusable method {request.method!r}")
    items = request.headers.items
    lines: list[bytes] = []
    forwarded: list[bytes] = []
    named: set[bytes] | None = None
    has_agent = takes_trailers = False
    for item in items:
        name = item[0]
        if name not in _JUDGED:
            lines.append(b"%b: %b\r\n" % item)
        elif name == b"User-Agent":
            has_agent = True
            lines.append(b"%b: %b\r\n" % item)
        elif name == b"X-Forwarded-For":
            forwarded.append(item[1])
        elif name == b"Connection":
            named = connection_names(item[1], named)
        elif name == b"Te":
            takes_trailers = takes_trailers or item[1].strip().lower() == b"trailers"
    if named:
        lines = [
            b"%b: %b\r\n" % item
            for item in items
            if item[0].lower() not in named
            and (item[0] not in _JUDGED or item[0] == b"User-Agent")
        ]
    if not has_agent:
        lines.append(b"User-Agent: %b\r\n" % USER_AGENT)
    if rules.appends_client:
        forwarded.append(request.peer_host.encode("latin-1"))
    if forwarded:
        lines.append(b"X-Forwarded-For: %b\r\n" % b", ".join(forwarded))
    framing = request_framing(request)
    if request.upgrade:
        framing += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % request.upgrade
    elif rules.closes_connections:
        framing += b"Connection: close\r\n"
    if takes_trailers:
        framing += b"Te: trailers\r\n"
    host = request.host if rules.preserves_host else target.authority
    return request_head(request.method, url, host.encode("latin-1"), lines, framing)


# Expect is answered by the gateway itself; framing is written anew.
_JUDGED = HOP_BY_HOP | {b"User-Agent", b"X-Forwarded-For", b"Expect", b"Content-Length", b"Host"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
