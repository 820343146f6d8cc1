"""The request as the upstream gets it: gateway-core 3.7 and 3.11, in one place, without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from propylon import __version__
from propylon.errors import Refusal
from propylon.http.headers import is_token
from propylon.http.message import Request
from propylon.http.writer import drop_hop_by_hop, has_token, request_framing, request_head
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
    url = target.join(stripped_path, request.query, keeps_slash=rules.keeps_slash)
    if request.url is not request.request_uri and not _SAFE_URL.fullmatch(url):
        raise Refusal(500, "Middleware error", reason=f"unusable request URL {url!r}")
    return url


def upstream_head(request: Request, target: Target, url: str, rules: ProxyRules) -> bytes:
    """Write the head of the request for the upstream, framing lines included."""
    if not is_token(request.method.encode("latin-1", "replace")):
        raise Refusal(500, "Middleware error", reason=f"unusable method {request.method!r}")
    items = request.headers.items
    forwarded: list[bytes] = []
    lines: list[tuple[bytes, bytes]] = []
    has_agent = False
    for item in drop_hop_by_hop(items):
        name = item[0]
        if name == b"X-Forwarded-For" and rules.appends_client:
            forwarded.append(item[1])
            continue
        if name == b"Expect":  # the gateway answers it itself
            continue
        if name == b"User-Agent":
            has_agent = True
        lines.append(item)
    if not has_agent:
        lines.append((b"User-Agent", USER_AGENT))
    if rules.appends_client:
        forwarded.append(request.peer_host.encode("latin-1"))
        lines.append((b"X-Forwarded-For", b", ".join(forwarded)))
    host = request.host if rules.preserves_host else target.authority
    framing = request_framing(request) + _connection_lines(request, items, rules)
    return request_head(request.method, url, host.encode("latin-1"), lines, framing)


def _connection_lines(
    request: Request, items: list[tuple[bytes, bytes]], rules: ProxyRules
) -> bytes:
    lines = b""
    if request.upgrade:
        lines = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % request.upgrade
    elif rules.closes_connections:
        lines = b"Connection: close\r\n"
    if request.headers.get(b"Te") == b"trailers" or has_token(items, b"Te", b"trailers"):
        lines += b"Te: trailers\r\n"
    return lines
