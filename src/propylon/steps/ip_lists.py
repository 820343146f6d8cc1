"""IP allow and block lists: gateway-core 9.17, elements 5 and 6 of the chain.

A client whose address cannot be told (3.14) is refused by both lists. An allow list without its
invalid entries is stricter, so those are logged; a block list without them would be open, so there
they are a mistake in the definition.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError, Refusal
from propylon.observe.logs import get_logger
from propylon.pipeline.client_ip import client_ip, parse_ip
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.step import StepResult

log = get_logger("ip-lists")

DISALLOWED = "access from this IP has been disallowed"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class IpList:
    """Single addresses in canonical form, and networks."""

    addresses: frozenset[str]
    networks: tuple[Network, ...]

    def holds(self, address: str) -> bool | None:
        """Tell whether the list holds an address; None when it is none."""
        if address in self.addresses:
            return True
        parsed = parse_ip(address)
        if parsed is None:
            return None
        return str(parsed) in self.addresses or any(parsed in n for n in self.networks)


class IpAllowList:
    __slots__ = ("_list", "_xff_depth")

    name = "IPWhiteListMiddleware"
    needs_body = False

    def __init__(self, allowed: IpList, xff_depth: int) -> None:
        self._list = allowed
        self._xff_depth = xff_depth

    def __call__(self, exchange: Exchange) -> StepResult:
        if not self._list.holds(client_ip(exchange, self._xff_depth)):
            raise Refusal(403, DISALLOWED)
        return None


class IpBlockList:
    __slots__ = ("_list", "_xff_depth")

    name = "IPBlackListMiddleware"
    needs_body = False

    def __init__(self, blocked: IpList, xff_depth: int) -> None:
        self._list = blocked
        self._xff_depth = xff_depth

    def __call__(self, exchange: Exchange) -> StepResult:
        if self._list.holds(client_ip(exchange, self._xff_depth)) is not False:
            raise Refusal(403, DISALLOWED)
        return None


def build_allow(definition: ApiDefinition, config: Config) -> IpAllowList | None:
    if definition.ip_access_control_disabled or not definition.enable_ip_whitelisting:
        return None
    entries, invalid = _parse(definition.allowed_ips)
    for text in invalid:
        log.error(
            "invalid IP/CIDR ignored", api_id=definition.api_id, entry=text, field="$.allowed_ips"
        )
    return IpAllowList(entries, config.http_server_options.xff_depth)


def build_block(definition: ApiDefinition, config: Config) -> IpBlockList | None:
    if definition.ip_access_control_disabled or not definition.enable_ip_blacklisting:
        return None
    entries, invalid = _parse(definition.blacklisted_ips)
    if invalid:
        raise DefinitionError(f'invalid IP/CIDR "{invalid[0]}"', path="$.blacklisted_ips")
    return IpBlockList(entries, config.http_server_options.xff_depth)


def _parse(entries: tuple[str, ...]) -> tuple[IpList, list[str]]:
    addresses: set[str] = set()
    networks: list[Network] = []
    invalid: list[str] = []
    for text in entries:
        address = parse_ip(text)
        if address is not None:
            addresses.add(str(address))
            continue
        try:
            networks.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            invalid.append(text)
    return IpList(frozenset(addresses), tuple(networks)), invalid
