"""The address a request comes from, as gateway-core 3.14 finds it.

`X-Real-IP`, then the entry of `X-Forwarded-For` that `xff_depth` selects, then the peer. There is
no list of trusted proxies: a gateway that clients reach directly believes what they write.
"""

from __future__ import annotations

import ipaddress

from propylon.pipeline.exchange import Exchange


def client_ip(exchange: Exchange, xff_depth: int) -> str:
    """Return the client's address in canonical form; found once, kept on the exchange.

    It is empty when `X-Forwarded-For` is there but shorter than `xff_depth`.
    """
    known = exchange.client_ip
    if known is None:
        known = exchange.client_ip = _find(exchange, xff_depth)
    return known


def _find(exchange: Exchange, xff_depth: int) -> str:
    request = exchange.request
    real = request.headers.get(b"X-Real-Ip")
    if real is not None:
        address = parse_ip(real.decode("latin-1"))
        if address is not None:
            return str(address)
    # Several header lines are one list (RFC 9110, 5.3); counted from the right, the entries that
    # our own proxies wrote are then the ones that count.
    lines = request.headers.get_all(b"X-Forwarded-For")
    if any(lines):
        entries = b",".join(lines).decode("latin-1").split(",")
        if xff_depth < 0 or xff_depth > len(entries):
            return ""
        address = parse_ip(entries[-xff_depth] if xff_depth else entries[0])
        if address is not None:
            return str(address)
    return request.peer_host


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address; an IPv4 address in IPv6 form is the IPv4 address, as for Go."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if address.version == 4:
        return address
    if address.scope_id is not None:
        return None
    return address.ipv4_mapped or address
