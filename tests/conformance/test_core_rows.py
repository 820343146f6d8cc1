"""Rows of the gateway's core that show on the wire: versions, targets, errors, options, reload.

Proxying itself is proved in `tests/e2e`; here is what the configuration decides.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from site_kit import (
    ACCEPT,
    TRAIL,
    Site,
    always,
    error_page,
    extended_paths,
    is_refused,
    javascript,
)

from support.raw_client import RawClient
from support.upstream import Received, Upstream, Wire

site = Site(access_logs={"enabled": True})


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = unused.getsockname()[1]
    site.api("refused", proxy={"target_url": f"http://127.0.0.1:{closed}"})
    with site.running(tmp_path_factory.mktemp("core")) as started:
        yield started


# -- routing ---------------------------------------------------------------------------------------

site.api("app", proxy={"listen_path": "/app"})
site.api("application", proxy={"listen_path": "/application/"})
site.api("hidden", internal=True)


def test_row_022_024_026_028_routes() -> None:
    assert site.ask("/apple").status == 200
    assert site.last("app").target == "/app/le"
    site.ask("/application/x")
    assert site.last("application").target == "/application/x"
    unknown = site.ask("/nothing/here")
    assert (unknown.status, unknown.body) == (404, b"Not Found")
    assert site.ask("/hidden/x").status == 404


def test_row_029_unclean_paths_are_redirected() -> None:
    answer = site.ask("/app//a/../b?c=1")
    assert (answer.status, answer.get("Location")) == (301, "/app/b?c=1")


site.api("token", use_keyless=False)


def test_row_079_082_an_api_without_any_authentication_asks_for_a_key() -> None:
    assert is_refused(site.ask("/token/x"), 401, "Authorization field missing")
    known = site.ask("/token/x", "Authorization: abcdef")
    assert is_refused(known, 403, "Access to this API has been disallowed")
    assert site.arrived("token") == []


# -- versions --------------------------------------------------------------------------------------

VERSIONS: dict[str, Any] = {
    "not_versioned": False,
    "versions": {
        "v1": {"name": "v1", "expires": "2100-01-02 15:04"},
        "v2": {"name": "v2", "expires": "2001-01-02 15:04"},
        "v3": {"name": "v3", "use_extended_paths": True, "extended_paths": {}},
    },
}
site.scripts(
    "versions",
    pre=[TRAIL],
    version_data=VERSIONS,
    definition={"location": "header", "key": "X-Version", "strip_versioning_data": True},
)


EXPIRED = "Api Version has expired, please check documentation or contact administrator"
UNKNOWN = "This API version does not seem to exist"


def test_row_021_047_to_049_versions_come_before_pre_hooks() -> None:
    answer = site.ask("/versions/x", "X-Version: v1")
    assert answer.status == 200
    assert answer.get("X-Tyk-Api-Expires")
    expired = site.ask("/versions/x", "X-Version: v2")
    assert is_refused(expired, 403, EXPIRED)
    assert is_refused(site.ask("/versions/x"), 403, "Version information not found")
    unknown = site.ask("/versions/x", "X-Version: v9")
    assert is_refused(unknown, 403, UNKNOWN)
    assert len(site.arrived("versions")) == 1


# -- targets ---------------------------------------------------------------------------------------


def test_row_039_round_robin_with_hooks(tmp_path: Path) -> None:
    balanced = Site()
    balanced.scripts(
        "round",
        pre=[TRAIL],
        proxy={"enable_load_balancing": True, "target_list": ["{upstream}/a", "{upstream}/b"]},
    )
    with balanced.running(tmp_path):
        targets = [json.loads(balanced.ask("/round/x").body)["target"] for _ in range(4)]
    assert sorted(targets) == ["/a/x", "/a/x", "/b/x", "/b/x"]
    assert targets[0] != targets[1]


def test_row_063_refused_upstream() -> None:
    answer = site.ask("/refused/x")
    assert is_refused(answer, 500, "There was a problem proxying the request")


def test_row_040_override_target_of_a_version(tmp_path: Path) -> None:
    moved = Site()
    with Upstream() as other:
        version = {"name": "Default", "override_target": f"{other.url}/moved"}
        versions = {"not_versioned": True, "versions": {"Default": version}}
        moved.scripts("target", pre=[TRAIL], version_data=versions)
        with moved.running(tmp_path):
            assert moved.ask("/target/x").status == 200
            assert moved.arrived("target") == []
        assert [each.target for each in other.heads] == ["/moved/x"]


SLOW = extended_paths(hard_timeouts=[{"path": "/stall", "method": "GET", "timeout": 1}])
site.scripts("slow", pre=[TRAIL], version_data=SLOW)


def test_row_062_endpoint_timeout() -> None:
    answer = site.ask("/slow/stall")
    assert is_refused(answer, 504, "Upstream service reached hard timeout.")


site.scripts("left", pre=[TRAIL])


def test_row_065_a_client_that_leaves_is_recorded_as_499() -> None:
    assert site.gateway is not None
    assert site.upstream is not None
    count = len(site.upstream.heads)
    with site.client() as client:
        client.send(b"GET /left/stall HTTP/1.1\r\nHost: h\r\n\r\n")
        site.upstream.wait_for_requests(count + 1)
    site.upstream.wait_for_disconnect()
    line = site.gateway.wait_for_log("access", api_id="left")
    assert (line["status"], line["response_flag"]) == (499, "CDC")


# -- bodies and hooks ------------------------------------------------------------------------------

site.scripts("sized", pre=['request.Body = "0123456789";'], global_size_limit=5)
SIZED = {
    "not_versioned": True,
    "versions": {"Default": {"name": "Default", "global_size_limit": 5}},
}
site.scripts("limited", pre=[TRAIL], version_data=SIZED)


def test_row_136_size_limit_of_an_api_with_hooks() -> None:
    assert site.ask("/limited/x", method="POST", body=b"12345").status == 200
    answer = site.ask("/limited/x", method="POST", body=b"123456")
    assert is_refused(answer, 400, "Request is too large")
    assert len(site.arrived("limited")) == 1


IPS = {"enable_ip_whitelisting": True, "allowed_ips": ["10.0.0.0/8"]}
site.scripts("ips", pre=[TRAIL], auth=ACCEPT, **IPS)


def test_row_044_099_addresses_are_judged_between_pre_hooks_and_authentication() -> None:
    answer = site.ask("/ips/x")
    assert is_refused(answer, 403, "access from this IP has been disallowed")
    assert site.ask("/ips/x", "X-Real-IP: 10.1.2.3").status == 200


site.scripts(
    "strip",
    auth=ACCEPT,
    post=[TRAIL],
    strip_auth_data=True,
    auth_configs={"authToken": {"auth_header_name": "X-Key", "use_param": True, "param_name": "k"}},
)


def test_row_100_credentials_are_stripped_for_plugins_too() -> None:
    site.ask("/strip/x?k=1&a=2", "X-Key: secret")
    received = site.last("strip")
    assert received.get("X-Key") is None
    assert received.target == "/strip/x?a=2"


GLOBAL = {
    "not_versioned": True,
    "versions": {
        "Default": {
            "name": "Default",
            "global_headers": {"X-Set": "by the gateway"},
            "global_headers_remove": ["X-Gone"],
            "global_response_headers": {"X-Back": "by the gateway"},
        }
    },
}
site.scripts(
    "transforms",
    pre=['request.SetHeaders = {"X-Set": "by a hook", "X-Gone": "by a hook"};'],
    post=['request.SetHeaders["X-Seen"] = request.Headers["X-Set"][0];'],
    response=['response.SetHeaders["X-Seen"] = response.Headers["X-Back"][0];'],
    version_data=GLOBAL,
)


def test_row_143_transforms_stand_between_pre_and_post_hooks() -> None:
    answer = site.ask("/transforms/x")
    received = site.last("transforms")
    assert received.all("X-Set") == ["by the gateway"]
    assert received.get("X-Gone") is None
    assert received.get("X-Seen") == "by the gateway"
    assert answer.get("X-Seen") == "by the gateway"


site.scripts("bundled", pre=[TRAIL], custom_middleware_bundle="plugins.zip")
site.scripts(
    "unbundled",
    pre=[TRAIL],
    custom_middleware_bundle="plugins.zip",
    custom_middleware_bundle_disabled=True,
)
site.api("go", custom_middleware={"driver": "goplugin", "pre": [{"name": "a", "path": "b.so"}]})
site.api("unknown-driver", custom_middleware={"driver": "foo", "pre": [{"name": "a"}]})


@pytest.mark.parametrize("api", ["bundled", "go", "unknown-driver"])
def test_row_020_073_what_cannot_be_loaded_is_not_served(api: str) -> None:
    answer = site.ask(f"/{api}/x")
    assert (answer.status, answer.body) == (404, b"Not Found")
    assert site.arrived(api) == []


def test_a_disabled_bundle_leaves_the_definitions_own_hooks() -> None:
    assert site.ask("/unbundled/x").status == 200
    assert site.last("unbundled").get("X-Trail") == "pre0"


MOCK = extended_paths(
    white_list=[always("/data", action="reply", code=200, data="{}", headers={"X-A": "1"})]
)
site.api("keyed-mock", use_keyless=False, version_data=MOCK)


def test_row_055_classic_mock_answers_before_authentication() -> None:
    assert (site.ask("/keyed-mock/data").status, site.ask("/keyed-mock/x").status) == (200, 403)


CORS = {"enable": True, "allowed_origins": ["https://a.test"], "exposed_headers": ["X-One"]}
site.scripts("cors", pre=[TRAIL], CORS=CORS)


def _upstream_cors(wire: Wire, _: Received) -> bool:
    wire.answer(
        200,
        b"{}",
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "X-Two"),
        ("Vary", "Accept"),
    )
    return True


def test_row_150_cors_headers_of_the_upstream_are_not_doubled() -> None:
    assert site.upstream is not None
    site.upstream.route("/cors/shared", _upstream_cors)
    answer = site.ask("/cors/shared", "Origin: https://a.test")
    fields = [(name.lower(), value) for name, value in answer.fields]
    origins = [value for name, value in fields if name == "access-control-allow-origin"]
    assert origins == ["https://a.test"]
    assert len([name for name, _ in fields if name == "access-control-expose-headers"]) == 1
    assert "Accept" in ", ".join(value for name, value in fields if name == "vary")


# -- reload ----------------------------------------------------------------------------------------

site.scripts("changing", pre=['request.SetHeaders["X-Code"] = "old";'])
STATEFUL = 'var count = 0; log("loaded once");\n' + javascript(
    "stateful", 'request.SetHeaders["X-Count"] = String(++count);'
)
site.api(
    "stateful",
    custom_middleware={
        "driver": "otto",
        "pre": [{"name": "stateful", "path": site.file("scripts/stateful.js", STATEFUL)}],
    },
)


def _reload() -> None:
    assert site.gateway is not None
    since = len(site.gateway.log)
    site.gateway.reload()
    site.gateway.wait_for_log("API reload complete", since=since)


def test_javascript_row_067_a_reload_serves_the_new_file() -> None:
    site.ask("/changing/x")
    assert site.last("changing").get("X-Code") == "old"
    script = site.folder / "scripts/changing/pre0.js"
    script.write_text(script.read_text().replace("old", "new"))
    site.ask("/changing/x")
    assert site.last("changing").get("X-Code") == "old"
    _reload()
    site.ask("/changing/x")
    assert site.last("changing").get("X-Code") == "new"


def test_javascript_row_067_a_file_that_broke_leaves_the_hook_that_worked() -> None:
    script = site.folder / "scripts/changing/pre0.js"
    good = script.read_text()
    script.write_text("var = ;")
    _reload()
    assert site.ask("/changing/x").status == 200
    assert site.last("changing").get("X-Code") == "new"
    script.write_text(good.replace('"new"', '"newer"'))
    _reload()
    assert site.ask("/changing/x").status == 200
    assert site.last("changing").get("X-Code") == "newer"


def test_javascript_row_061_062_nothing_of_a_request_is_left_for_the_next() -> None:
    with site.client() as client:
        for _ in range(3):
            client.get("/stateful/x")
            assert site.last("stateful").get("X-Count") == "1"
    assert site.gateway is not None
    line = site.gateway.wait_for_log("loaded once")
    assert (line["prefix"], line["type"], line["level"]) == ("jsvm", "log-msg", "info")


def test_row_134_a_request_in_flight_survives_a_reload() -> None:
    assert site.upstream is not None
    count = len(site.upstream.heads)
    with site.client() as client:
        client.send(b"GET /changing/slow HTTP/1.1\r\nHost: h\r\n\r\n")
        site.upstream.wait_for_requests(count + 1)
        _reload()
        site.upstream.release.set()
        assert client.answer().status == 200


# -- options of the gateway ------------------------------------------------------------------------


def test_options_of_the_gateway(tmp_path: Path) -> None:
    """JavaScript row 24; rich plugins rows 42 and 80; core rows 23, 38, 43, 59 and 60."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/error_418.json").write_text('{"teapot": "{{.Message}}"}')
    (tmp_path / "templates/error.json").write_text('{"other": "{{.Message}}"}')
    options = Site(
        ignore_canonical_mime_header_key=True,
        hide_generator_header=True,
        close_connections=True,
        template_path="templates",
        http_server_options={"enable_strict_routes": True, "max_request_body_size": 8},
    )
    options.scripts("js", pre=['request.SetHeaders["x-lOWer"] = "1";'])
    options.plugin("rich", pre=[{"edit": {"request": {"set_headers": {"x-lOWer": "1"}}}}])
    options.scripts(
        "teapot", pre=['request.ReturnOverrides = {ResponseCode: 418, ResponseBody: "t"};']
    )
    options.scripts("failing", pre=["throw 1;"])
    with options.running(tmp_path):
        for api in ("js", "rich"):
            assert options.ask(f"/{api}/x").get("Connection") == "close"
            assert ("x-lOWer", "1") in options.last(api).fields
        teapot = options.ask("/teapot/x")
        assert (teapot.status, teapot.body) == (418, b'{"teapot": "t"}')
        assert teapot.get("X-Generator") is None
        assert options.ask("/failing/x").body == b'{"other": "Internal Server Error"}'
        large = options.ask("/js/x", method="POST", body=b"123456789")
        assert (large.status, large.body) == (413, b"Request Entity Too Large\n")
        assert options.ask("/jsx").status == 404


def test_hooks_see_the_scheme_of_a_tls_listener(tmp_path: Path) -> None:
    """JavaScript row 29 and rich plugins row 22."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    pair = {"cert_file": str(tmp_path / "pair.pem"), "key_file": str(tmp_path / "pair.pem")}
    secure = Site(http_server_options={"use_ssl": True, "certificates": [pair]})
    secure.scripts("js", pre=['request.SetHeaders["X-Scheme"] = request.Scheme;'])
    secure.plugin("rich", pre=[{"mirror": 1}])
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with secure.running(tmp_path):
        assert secure.gateway is not None
        with RawClient(secure.gateway.port, tls=context) as client:
            client.get("/js/x", "X-Forwarded-Proto: http")
            answer = client.get("/rich/x", "X-Forwarded-Proto: http")
        assert secure.last("js").get("X-Scheme") == "https"
        assert json.loads(answer.body)["request"]["scheme"] == "https"


def test_pages_are_byte_exact() -> None:
    answer = site.ask("/token/x")
    assert answer.body == error_page("Authorization field missing")
    assert answer.get("Content-Type") == "application/json"
