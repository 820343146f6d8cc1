"""What hooks see of a request and what their edits become on the wire, for both drivers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from site_kit import Site, is_refused, javascript

site = Site()


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site.running(tmp_path_factory.mktemp("edits")) as started:
        yield started


# -- what a hook sees ----------------------------------------------------------------------------

SHOW = "request.ReturnOverrides = {ResponseCode: 200, ResponseBody: JSON.stringify(%s)};"
site.scripts("js-see", pre=[SHOW % "{request: request, session: session, config: config}"])
site.plugin("rich-see", pre=[{"mirror": 1}])


def seen(driver: str, path: str, *lines: str, **options: Any) -> Any:
    return json.loads(site.ask(f"/{driver}-see{path}", *lines, **options).body)


def test_scripts_see_the_request() -> None:
    lines = ("x-a: 1", "X-A: 2", "Content-Type: application/x-www-form-urlencoded")
    path = "/p%2Fq?b=2&a=1&a=%20&c"
    request = seen("js", path, *lines, method="POST", body=b"form=1")["request"]
    assert request["Method"] == "POST"
    assert request["URL"] == request["RequestURI"] == f"/js-see{path}"
    assert request["Headers"]["X-A"] == ["1", "2"]
    assert request["Headers"]["Host"] == ["gateway"]
    assert request["Params"] == {"b": ["2"], "a": ["1", " "], "c": [""]}
    assert (request["Body"], request["Scheme"]) == ("form=1", "http")


def test_scripts_see_their_config() -> None:
    config = seen("js", "/")["config"]
    assert config == {"OrgID": "default", "APIID": "js-see", "config_data": None}


def test_rich_plugins_see_the_request() -> None:
    lines = ("x-a: 1", "X-A: 2")
    path = "/p%2Fq?b=2&a=1&a=%20&c"
    call = seen("rich", path, *lines, method="POST", body=b"text")
    request = call["request"]
    assert (call["hook_type"], call["hook_name"]) == ("Pre", "pre0")
    assert (request["method"], request["scheme"]) == ("POST", "http")
    assert request["url"] == request["request_uri"] == f"/rich-see{path}"
    assert request["headers"]["X-A"] == "1"
    assert request["headers_all"]["X-A"] == ["1", "2"]
    assert request["headers"]["Host"] == "gateway"
    assert request["params"] == {"b": "2", "a": "1", "c": ""}
    assert request["params_all"]["a"] == ["1", " "]
    assert request["body"] == "text"
    assert request["return_overrides"]["response_code"] == -1
    assert request["extended_params"] == {}
    assert call["session"] is None
    assert call["spec"]["OrgID"] == "default"
    assert call["spec"]["bundle_hash"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_bytes_that_are_no_text_reach_rich_plugins() -> None:
    call = seen("rich", "/", "X-A: \xff", method="POST", body=b"\xff")
    assert call["request"]["headers"]["X-A"] == "\xff"
    assert (call["request"]["body"], call["request"]["raw_body"]) == ("", "/w==")


# -- edits, written for both drivers ---------------------------------------------------------------


def edit(name: str, statements: str, request: dict[str, Any]) -> None:
    site.scripts(f"js-{name}", pre=[statements])
    site.plugin(f"rich-{name}", pre=[{"edit": {"request": request}}])


DRIVERS = pytest.mark.parametrize("driver", ["js", "rich"])

edit(
    "headers",
    """
    request.SetHeaders = {"x-new": "1", "X-Old": "replaced", "X-Both": "set"};
    request.DeleteHeaders = ["x-gone", "X-BOTH"];
    request.Headers["X-Direct"] = ["no"];
    """,
    {
        "set_headers": {"x-new": "1", "X-Old": "replaced", "X-Both": "set"},
        "delete_headers": ["x-gone", "X-BOTH"],
        "headers": {"X-Direct": "no"},
    },
)


@DRIVERS
def test_headers_are_deleted_then_set(driver: str) -> None:
    api = f"{driver}-headers"
    site.ask(f"/{api}/", "X-Old: a", "X-Old: b", "X-Gone: a", "x-gone: b", "X-Both: a")
    received = site.last(api)
    assert ("X-New", "1") in received.fields
    assert received.all("X-Old") == ["replaced"]
    assert received.all("X-Gone") == []
    assert received.all("X-Both") == ["set"]
    assert received.get("X-Direct") is None


edit("untouched", "", {})


@DRIVERS
def test_untouched_requests_arrive_as_sent(driver: str) -> None:
    api = f"{driver}-untouched"
    query = "z=1&b=%41&b=50%&b=%zz&a=+&;x&=&%C3%A9"
    site.ask(f"/{api}/p%2F%41?{query}", "X-A: 1", "X-A: 2", "X-A: 1", "Cookie: a=1; b=\xff")
    received = site.last(api)
    assert received.target == f"/{api}/p%2F%41?{query}"
    assert received.all("X-A") == ["1", "2", "1"]
    assert received.all("Cookie") == ["a=1; b=\xff"]


edit(
    "host",
    'request.SetHeaders.Host = "elsewhere"; request.SetHeaders["Content-Length"] = "1";'
    'request.SetHeaders["Transfer-Encoding"] = "chunked"; request.DeleteHeaders = ["Host"];',
    {
        "set_headers": {"Host": "elsewhere", "Content-Length": "1", "Transfer-Encoding": "chunked"},
        "delete_headers": ["Host", "Content-Length"],
    },
)


@DRIVERS
def test_host_and_framing_stay_the_gateways(driver: str) -> None:
    api = f"{driver}-host"
    assert site.ask(f"/{api}/", method="POST", body=b"body").status == 200
    received = site.last(api)
    assert site.upstream is not None
    assert received.all("Host") == [site.upstream.host]
    assert received.all("Content-Length") == ["4"]
    assert received.all("Transfer-Encoding") == []


SPLIT = "1\r\nX-B: 2"
edit("split", 'request.SetHeaders["X-A"] = "1\\r\\nX-B: 2";', {"set_headers": {"X-A": SPLIT}})
edit("name", 'request.SetHeaders["X A:"] = "1";', {"set_headers": {"X A:": "1"}})
edit("request-line", 'request.URL = "/x HTTP/1.1\\r\\nX-B: 2";', {"url": "/x HTTP/1.1\r\nX-B: 2"})


@DRIVERS
@pytest.mark.parametrize("name", ["split", "name", "request-line"])
def test_edits_that_cannot_be_sent_are_refused(driver: str, name: str) -> None:
    answer = site.ask(f"/{driver}-{name}/")
    message = "Internal Server Error" if driver == "js" else "Middleware error"
    assert is_refused(answer, 500, message)
    assert site.arrived(f"{driver}-{name}") == []


edit(
    "params",
    'request.DeleteParams = ["gone"]; request.AddParams = {"b": "new", "c&": "ü="};',
    {"delete_params": ["gone"], "add_params": {"b": "new", "c&": "ü="}},
)


@DRIVERS
def test_edited_parameters_leave_the_others_in_place(driver: str) -> None:
    api = f"{driver}-params"
    site.ask(f"/{api}/?z=%41&gone=1&b=1&a=&b=2&gone=2")
    assert site.last(api).target.partition("?")[2] == "z=%41&b=new&a=&c%26=%C3%BC%3D"


site.scripts(
    "js-extend",
    pre=[
        """
        request.DeleteParams = ["a"];
        request.AddParams = {"a": "1"};
        request.ExtendedParams = {"a": ["2", "3"]};
        """
    ],
)


def test_scripts_delete_then_set_then_append_parameters() -> None:
    site.ask("/js-extend/?a=0&b=1")
    assert site.last("js-extend").query == {"a": ["1", "2", "3"], "b": ["1"]}


edit("url", 'request.URL = "/js-url/new?q=1";', {"url": "/rich-url/new?q=1"})
edit(
    "url-out", 'request.URL = "http://evil.test:1/out?q=1";', {"url": "http://evil.test:1/out?q=1"}
)


@DRIVERS
def test_a_new_url_changes_path_and_query_and_never_the_host(driver: str) -> None:
    site.ask(f"/{driver}-url/old?a=1")
    assert site.last(f"{driver}-url").target == f"/{driver}-url/new?q=1"
    # Routing is not repeated: a URL outside the listen path stays with this API's target.
    assert site.ask(f"/{driver}-url-out/old").status == 200
    assert site.last(f"{driver}-url-out").target == f"/{driver}-url-out/out?q=1"


edit("bad-url", 'request.URL = "/a%zz";', {"url": "relative"})
edit("loop", 'request.URL = "tyk://self/x";', {"url": "tyk://self/x"})


@DRIVERS
def test_urls_without_a_meaning_are_refused(driver: str) -> None:
    message = "Internal Server Error" if driver == "js" else "Middleware error"
    assert is_refused(site.ask(f"/{driver}-bad-url/"), 500, message)
    assert site.arrived(f"{driver}-bad-url") == []


@DRIVERS
def test_loops_are_refused_while_there_are_none(driver: str) -> None:
    assert site.ask(f"/{driver}-loop/").status == 500
    assert site.arrived(f"{driver}-loop") == []


edit("method", 'request.Method = "PUT";', {"method": "PUT"})


def test_only_rich_plugins_change_the_method() -> None:
    site.ask("/js-method/", method="POST", body=b"b")
    site.ask("/rich-method/", method="POST", body=b"b")
    assert site.last("js-method").method == "POST"
    assert (site.last("rich-method").method, site.last("rich-method").body) == ("PUT", b"b")


# -- response hooks --------------------------------------------------------------------------------


def edit_response(name: str, statements: str, response: dict[str, Any]) -> None:
    site.scripts(f"js-back-{name}", response=[statements])
    site.plugin(f"rich-back-{name}", response=[{"edit": {"response": response}}])


edit_response(
    "all",
    """
    response.StatusCode = 201;
    response.Body = "new body";
    response.SetHeaders = {"x-new": "1"};
    response.DeleteHeaders = ["content-type"];
    """,
    {"status_code": 201, "raw_body": "bmV3IGJvZHk=", "headers": {"X-New": "1"}},
)


@DRIVERS
def test_response_hooks_change_everything(driver: str) -> None:
    answer = site.ask(f"/{driver}-back-all/chunked")
    assert (answer.status, answer.body) == (201, b"new body")
    assert answer.get("X-New") == "1"
    assert answer.get("Content-Length") == "8"
    assert answer.get("Transfer-Encoding") is None
    assert answer.is_complete


def test_scripts_delete_response_headers() -> None:
    assert site.ask("/js-back-all/echo").get("Content-Type") is None


edit_response("none", "", {})


@DRIVERS
@pytest.mark.parametrize(
    "path", ["/status?code=204", "/status?code=304", "/chunked", "/until-close"]
)
def test_untouched_answers_stay(driver: str, path: str) -> None:
    answer = site.ask(f"/{driver}-back-none{path}")
    plain = {"/chunked": (200, b"hello world"), "/until-close": (200, b"until the end")}
    status = int(path[-3:]) if "code" in path else 200
    assert (answer.status, answer.body) == plain.get(path, (status, b""))


@DRIVERS
def test_head_answers_keep_their_length(driver: str) -> None:
    with site.client() as client:
        answer = client.get(f"/{driver}-back-none/echo", method="HEAD")
        assert answer.status == 200
        assert int(answer.get("Content-Length") or 0) > 0
        assert client.get(f"/{driver}-back-none/echo").status == 200


edit_response("split", 'response.SetHeaders["X-A"] = "1\\r\\nX-B: 2";', {"headers": {"X-A": SPLIT}})
edit_response("status", "response.StatusCode = 99;", {"status_code": 99})


@DRIVERS
@pytest.mark.parametrize("name", ["split", "status"])
def test_answers_that_cannot_be_sent_are_replaced(driver: str, name: str) -> None:
    answer = site.ask(f"/{driver}-back-{name}/echo")
    assert is_refused(answer, 500, "Middleware error")
    assert answer.get("X-B") is None


# -- the session between hooks ---------------------------------------------------------------------

META = 'request.SetHeaders["X-Meta"] = JSON.stringify(session.meta_data);'
SESSION = '{Request: request, Session: {meta_data: {a: "1", b: {c: 2}}}, AuthValue: "k"}'


def _session_hooks() -> None:
    replace = javascript("first", META).replace(
        "first.ReturnData(request, {})", 'first.ReturnData(request, {a: "2"})'
    )
    wipe = javascript("wipe", META.replace("X-Meta", "X-Meta2"))
    look = javascript("look", META.replace("X-Meta", "X-Meta3"))
    files = {"auth": javascript("auth", f"return {SESSION};"), "first": replace, "wipe": wipe}
    paths = {
        name: site.file(f"scripts/js-meta/{name}.js", text)
        for name, text in {**files, "look": look}.items()
    }

    def entry(name: str) -> dict[str, Any]:
        return {"name": name, "path": paths[name], "require_session": True}

    site.api(
        "js-meta",
        use_keyless=False,
        custom_plugin_auth_enabled=True,
        custom_middleware={
            "driver": "otto",
            "auth_check": entry("auth"),
            "post_key_auth": [entry("first")],
            "post": [entry("wipe"), entry("look")],
        },
    )


_session_hooks()


def test_session_meta_of_a_script_replaces_what_the_next_one_sees() -> None:
    assert site.ask("/js-meta/").status == 200
    received = site.last("js-meta")
    assert json.loads(received.get("X-Meta") or "") == {"a": "1", "b": {"c": 2}}
    assert received.get("X-Meta2") == '{"a":"2"}'
    assert received.get("X-Meta3") == "null"


site.plugin(
    "rich-meta",
    auth={
        "edit": {
            "metadata": {"token": "t"},
            "session": {"metadata": {"nested": '{"a":1}'}, "rate": 5, "org_id": "evil"},
        }
    },
    post_key_auth=[{"edit": {"session": {"metadata": {"token": "x"}}, "metadata": {"a": "b"}}}],
    post=[{"mirror": 1}],
)


def test_rich_sessions_come_from_the_auth_hook_and_stay() -> None:
    call = json.loads(site.ask("/rich-meta/").body)
    assert call["session"]["metadata"] == {"nested": '{"a":1}', "token": "t"}
    assert call["metadata"] == call["session"]["metadata"]
    assert call["session"]["org_id"] == "default"
    assert call["session"]["key_id"] == "t"


site.api(
    "rich-require",
    use_keyless=False,
    custom_plugin_auth_enabled=True,
    config_data={"door": {"edit": {"session": {"metadata": {"token": "t"}}}}, "see": {"mirror": 1}},
    custom_middleware={
        "driver": "jsonrpc",
        "auth_check": {"name": "door"},
        "post_key_auth": [{"name": "see", "require_session": False}],
    },
)


def test_rich_plugins_see_the_session_without_asking_for_it() -> None:
    call = json.loads(site.ask("/rich-require/").body)
    assert call["session"]["metadata"] == {"token": "t"}


site.plugin("rich-no-token", auth={"edit": {"session": {"metadata": {"a": "b"}}}})
site.plugin("rich-no-session", auth={"edit": {"metadata": {"token": "t"}}})


@pytest.mark.parametrize("api", ["rich-no-token", "rich-no-session"])
def test_rich_sessions_without_token_are_refused(api: str) -> None:
    assert is_refused(site.ask(f"/{api}/"), 403, "Forbidden")
    assert site.arrived(api) == []
