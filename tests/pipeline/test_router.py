"""The router against the rules of gateway-core 3.2 and 3.3, and against a naive matcher."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.pipeline.router import Router, clean_redirect, host_name
from propylon.pipeline.router_build import Route, build_router


def config(**values: object) -> Config:
    return msgspec.convert(values, Config)


def strict_config(**values: object) -> Config:
    return config(http_server_options={"enable_strict_routes": True}, **values)


def api(api_id: str, listen_path: str, **values: object) -> Route[str]:
    fields = {"api_id": api_id, "proxy": {"listen_path": listen_path}, **values}
    return Route(msgspec.convert(fields, ApiDefinition), api_id)


def found(router: Router[str], path: str, host: str = "gw.test") -> tuple[str, str] | None:
    match = router.find(host, path)
    return None if match is None else (match.target, match.prefix)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/app", ("a", "/app")),
        ("/app/x", ("a", "/app")),
        ("/apple", ("a", "/app")),
        ("/ap", None),
        ("/", None),
    ],
)
def test_row_022_plain_prefix_serves_longer_words(
    path: str, expected: tuple[str, str] | None
) -> None:
    assert found(build_router([api("a", "/app")], config()), path) == expected


@pytest.mark.parametrize(
    ("listen_path", "path", "is_found"),
    [
        ("/app", "/app", True),
        ("/app", "/app/", True),
        ("/app", "/app/x", True),
        ("/app", "/apple", False),
        ("/app/", "/app", False),
        ("/app/", "/app/x", True),
        ("/{kind}", "/app/x", True),
        ("/", "/anything", True),
    ],
)
def test_row_023_strict_routes(listen_path: str, path: str, is_found: bool) -> None:
    router = build_router([api("a", listen_path)], strict_config())
    assert (found(router, path) is not None) is is_found


def test_prefix_with_final_slash_does_not_serve_the_bare_path() -> None:
    router = build_router([api("a", "/app/")], config())
    assert found(router, "/app") is None
    assert found(router, "/app/") == ("a", "/app/")


def test_row_024_longer_listen_path_wins() -> None:
    router = build_router([api("long", "/app/deep/"), api("short", "/app/")], config())
    assert found(router, "/app/deep/x") == ("long", "/app/deep/")
    assert found(router, "/app/deeper") == ("short", "/app/")


def test_registration_order_beats_length() -> None:
    router = build_router([api("first", "/app/"), api("second", "/app/deep/")], config())
    assert found(router, "/app/deep/x") == ("first", "/app/")


def test_templates_and_literals_keep_their_order() -> None:
    router = build_router(
        [api("one", "/v1/users/"), api("any", "/{version}/users/"), api("two", "/v2/users/")],
        config(),
    )
    assert found(router, "/v1/users/7") == ("one", "/v1/users/")
    assert found(router, "/v2/users/7") == ("any", "/v2/users/")
    assert found(router, "/a/b/users/") is None


def test_template_with_expression() -> None:
    router = build_router([api("n", "/{id:[0-9]{2,3}}/x")], config())
    assert found(router, "/12/x") == ("n", "/12/x")
    assert found(router, "/1/x") is None


def test_row_026_api_id_is_a_route_too() -> None:
    router = build_router([api("a1b2", "/app/")], config())
    assert found(router, "/a1b2/get") == ("a1b2", "/a1b2/")
    assert found(router, "/a1b2") is None


def test_row_018_internal_apis_are_not_routed() -> None:
    router = build_router([api("hidden", "/app/", internal=True)], config())
    assert found(router, "/app/x") is None
    assert found(router, "/hidden/x") is None


def test_row_027_listen_path_may_start_with_tyk() -> None:
    router = build_router([api("a", "/tyk-app/")], config())
    assert found(router, "/tyk-app/x") == ("a", "/tyk-app/")


def test_row_025_custom_domains() -> None:
    routes = [
        api("exact", "/", domain="shop.test"),
        api("pattern", "/p/", domain="{name:[a-z]+}.shop.test"),
        api("anywhere", "/app/"),
    ]
    router = build_router(routes, config(enable_custom_domains=True))
    assert found(router, "/app/x", "shop.test") == ("exact", "/")
    assert found(router, "/app/x", "SHOP.test:8080") == ("exact", "/")
    assert found(router, "/p/x", "eu.shop.test") == ("pattern", "/p/")
    assert found(router, "/p/x", "e1.shop.test") is None
    assert found(router, "/app/x", "eu.shop.test") == ("anywhere", "/app/")
    assert found(router, "/app/x", "other.test") == ("anywhere", "/app/")
    assert found(router, "/exact/x", "other.test") is None
    assert found(router, "/exact/x", "shop.test") == ("exact", "/exact/")


def test_row_025_domains_count_only_when_enabled() -> None:
    routes = [
        api("a", "/a/", domain="shop.test"),
        api("b", "/b/", domain="x", domain_disabled=True),
    ]
    off = build_router(routes, config())
    assert found(off, "/a/", "other.test") == ("a", "/a/")
    on = build_router(routes, config(enable_custom_domains=True))
    assert found(on, "/a/", "other.test") is None
    assert found(on, "/b/", "other.test") == ("b", "/b/")


def test_hostname_restricts_apis_without_domain() -> None:
    router = build_router([api("a", "/a/")], config(hostname="gw.test"))
    assert found(router, "/a/x", "gw.test:80") == ("a", "/a/")
    assert found(router, "/a/x", "other.test") is None


def test_many_hosts_do_not_grow_the_router() -> None:
    routes = [api("a", "/a/", domain="{x}.test")]
    router = build_router(routes, config(enable_custom_domains=True))
    for number in range(10_000):
        assert found(router, "/a/", f"h{number}.test") == ("a", "/a/")
    assert len(router._known_hosts) <= 4096


@pytest.mark.parametrize("listen_path", ["/{", "/}x{", "/{}", "/{a:}", "/{a:[}/"])
def test_impossible_templates_are_refused(listen_path: str) -> None:
    with pytest.raises(DefinitionError):
        build_router([api("a", listen_path)], config())


@pytest.mark.parametrize(
    ("host", "name"),
    [("A.b:80", "a.b"), ("[::1]:80", "[::1]"), ("a.b.", "a.b"), ("", "")],
)
def test_host_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/a/b", None),
        ("/", None),
        ("/a/", None),
        ("/.well-known/x", None),
        ("/a..b/...", None),
        ("/caf%C3%A9/%20x", None),
        ("//a", "/a"),
        ("/a//b/", "/a/b/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/a/%2e%2e/b", "/b"),
        ("/a%2F%2Fb", "/a/b"),
        ("//evil.test/%0d%0aSet-Cookie:x", "/evil.test/%0D%0ASet-Cookie:x"),
        ("/a/..", "/"),
        ("//", "/"),
    ],
)
def test_row_029_unclean_paths_are_redirected(path: str, location: str | None) -> None:
    assert clean_redirect(path) == location
    if location is not None:
        assert clean_redirect(location) is None


# --- property: the tables find what trying every route in order finds ----------------------------

SEGMENT = st.sampled_from(["a", "b", "ab", "abc", "{x}", "{x:a+}"])
LISTEN_PATH = st.builds(
    lambda segments, slash: "/" + "/".join(segments) + ("/" if slash and segments else ""),
    st.lists(SEGMENT, max_size=3),
    st.booleans(),
)
PATH = st.builds(
    lambda segments, slash: "/" + "/".join(segments) + ("/" if slash and segments else ""),
    st.lists(st.sampled_from(["a", "b", "ab", "abc", "aab", "id0", "id1"]), max_size=4),
    st.booleans(),
)


def naive(listen_paths: list[str], path: str, *, is_strict: bool) -> tuple[str, str] | None:
    for number, listen_path in enumerate(listen_paths):
        for text in (f"/id{number}/", listen_path):
            expression = re.sub(r"\{x(?::([^}]+))?\}", lambda m: m[1] or "[^/]+", text)
            if is_strict and "{" not in text and not text.endswith("/"):
                expression += "(?=/|$)"
            match = re.match(expression, path)
            if match is not None:
                return f"id{number}", match.group()
    return None


@given(listen_paths=st.lists(LISTEN_PATH, max_size=6), path=PATH, is_strict=st.booleans())
def test_look_up_equals_trying_every_route(
    listen_paths: list[str], path: str, is_strict: bool
) -> None:
    routes = [api(f"id{n}", listen_path) for n, listen_path in enumerate(listen_paths)]
    router = build_router(routes, strict_config() if is_strict else config())
    assert found(router, path) == naive(listen_paths, path, is_strict=is_strict)
