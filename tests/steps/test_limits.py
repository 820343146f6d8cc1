"""Request size, IP lists and upstream timeouts: gateway-core 9.3, 9.17, 9.13."""

from __future__ import annotations

from typing import Any

import pytest
from stepkit import make_config, make_definition, make_exchange, make_paths, run

from propylon.errors import DefinitionError, Refusal
from propylon.pipeline.step import Step
from propylon.steps import ip_lists, size_limit, timeouts


def outcome(step: Step | None, **request: Any) -> tuple[int, str] | None:
    try:
        assert run(step, make_exchange(**request)) is None
    except Refusal as refused:
        return refused.status, refused.message
    return None


MISSING = (411, "Content length is required for this request")
NO_NUMBER = (400, "content length is not a valid Integer")
TOO_LARGE = (400, "Request is too large")


@pytest.mark.parametrize(
    ("method", "length", "expected"),
    [
        ("POST", "10", None),
        ("POST", "11", TOO_LARGE),
        ("PUT", None, MISSING),
        ("PATCH", "1x", NO_NUMBER),
        ("PATCH", "-1", NO_NUMBER),
        ("GET", "11", None),
        ("DELETE", None, None),
        ("HEAD", None, None),
        ("OPTIONS", None, None),
        ("TRACE", None, None),
    ],
)
def test_row_136_global_size(
    method: str, length: str | None, expected: tuple[int, str] | None
) -> None:
    step = size_limit.build(make_definition({"global_size_limit": 10}), make_config())
    headers = {"Content-Length": length} if length is not None else {}
    assert outcome(step, method=method, headers=headers) == expected


def test_row_136_endpoint_size() -> None:
    entries = [{"path": "/small", "method": "POST", "size_limit": 5}]
    version = {**make_paths(size_limits=entries), "global_size_limit": 10}
    step = size_limit.build(make_definition(version), make_config())
    six = {"Content-Length": "6"}
    assert outcome(step, method="POST", url="/app/small", headers=six) == TOO_LARGE
    assert outcome(step, method="PUT", url="/app/small", headers=six) is None
    assert outcome(step, method="POST", url="/app/large", headers=six) is None


def test_row_136_disabled() -> None:
    off = {"global_size_limit": 10, "global_size_limit_disabled": True}
    assert size_limit.build(make_definition(off), make_config()) is None


DISALLOWED = (403, "access from this IP has been disallowed")


@pytest.mark.parametrize(
    ("entries", "address", "is_listed"),
    [
        (["192.0.2.9"], "192.0.2.9", True),
        (["192.0.2.0/24"], "192.0.2.9", True),
        (["192.0.2.7/24"], "192.0.2.9", True),
        (["10.0.0.0/8"], "192.0.2.9", False),
        (["192.0.2.9"], "::ffff:192.0.2.9", True),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:DB8:0::1"], "2001:db8::1", True),
        (["10.0.0.0/8"], "2001:db8::1", False),
        ([], "192.0.2.9", False),
    ],
)
def test_row_099_lists(entries: list[str], address: str, is_listed: bool) -> None:
    allow = ip_lists.build_allow(
        make_definition(enable_ip_whitelisting=True, allowed_ips=entries), make_config()
    )
    block = ip_lists.build_block(
        make_definition(enable_ip_blacklisting=True, blacklisted_ips=entries), make_config()
    )
    assert outcome(allow, peer_host=address) == (None if is_listed else DISALLOWED)
    assert outcome(block, peer_host=address) == (DISALLOWED if is_listed else None)


def test_an_unknown_address_is_refused_by_both() -> None:
    config = make_config(http_server_options={"xff_depth": 2})
    headers = {"X-Forwarded-For": "192.0.2.9"}
    fields = {"enable_ip_whitelisting": True, "allowed_ips": ["0.0.0.0/0"]}
    allow = ip_lists.build_allow(make_definition(**fields), config)
    fields = {"enable_ip_blacklisting": True, "blacklisted_ips": ["10.0.0.1"]}
    block = ip_lists.build_block(make_definition(**fields), config)
    assert outcome(allow, headers=headers) == DISALLOWED
    assert outcome(block, headers=headers) == DISALLOWED


def test_row_099_switched_off() -> None:
    definition = make_definition(
        enable_ip_whitelisting=True,
        enable_ip_blacklisting=True,
        ip_access_control_disabled=True,
        blacklisted_ips=["192.0.2.9"],
    )
    assert ip_lists.build_allow(definition, make_config()) is None
    assert ip_lists.build_block(definition, make_config()) is None


def test_invalid_entries_never_open_an_api() -> None:
    allowed = make_definition(enable_ip_whitelisting=True, allowed_ips=["nonsense"])
    assert outcome(ip_lists.build_allow(allowed, make_config())) == DISALLOWED
    blocked = make_definition(enable_ip_blacklisting=True, blacklisted_ips=["nonsense"])
    with pytest.raises(DefinitionError, match='invalid IP/CIDR "nonsense"'):
        ip_lists.build_block(blocked, make_config())


@pytest.mark.parametrize(
    ("version", "url", "seconds"),
    [
        ({"global_enforce_timeout": 3.0}, "/app/x", 3.0),
        (make_paths(hard_timeouts=[{"path": "/slow", "timeout": 2}]), "/app/slow", 2.0),
        (make_paths(hard_timeouts=[{"path": "/slow", "timeout": 2}]), "/app/x", None),
        (
            make_paths(hard_timeouts=[{"path": "/slow", "timeout": 2, "duration": 0.25}])
            | {"global_enforce_timeout": 3.0},
            "/app/slow",
            0.25,
        ),
    ],
)
def test_row_062_timeouts(version: dict[str, Any], url: str, seconds: float | None) -> None:
    exchange = make_exchange(url=url)
    run(timeouts.build(make_definition(version), make_config()), exchange)
    assert exchange.upstream_timeout == seconds


def test_no_timeouts_no_step() -> None:
    off = {"global_enforce_timeout": 3.0, "global_enforce_timeout_disabled": True}
    assert timeouts.build(make_definition(off), make_config()) is None
