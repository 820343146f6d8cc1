"""The hook contract, row by row of the conformance checklist (javascript-plugins 9)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from propylon.config.model import Config
from propylon.errors import Refusal
from propylon.http.headers import Headers
from propylon.http.message import Response
from propylon.pipeline.session import Session
from propylon.plugins.discover import discover_hooks
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.javascript.mutation import checked_url
from propylon.plugins.javascript.query import edit_query
from propylon.plugins.javascript.text import from_bytes, to_bytes


async def header_set_by(call: Any, loaded: Any, exchange: Any = None) -> bytes | None:
    exchange, _ = await call(loaded.pre[0], exchange)
    return exchange.request.headers.get(b"X")


async def refused(call: Any, step: Any, exchange: Any = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call(step, exchange)
    return caught.value


# --- sources -----------------------------------------------------------------------------------


async def test_row_001_row_005_pre_hook_from_a_path_sets_a_header(scene: Any, call: Any) -> None:
    assert await header_set_by(call, scene.body("request.SetHeaders['x'] = 'y';")) == b"y"


async def test_row_004_folders_are_discovered(scene: Any, call: Any, script: Any) -> None:
    found = (("pre", "one.v2.js"), ("post", "two.js"), ("post_auth", "s_with_session.js"))
    for folder, name in found:
        stem = name.partition(".")[0]
        scene.file(script("request.SetHeaders.X = '1';", stem), f"middleware/api1/{folder}/{name}")
    config = msgspec.convert({"middleware_path": str(scene.folder / "middleware")}, Config)
    loaded = scene.load(*discover_hooks(scene.definition(), config))
    assert [step.name for step in loaded.pre] == ["javascript pre:one"]
    assert [step.name for step in loaded.post] == ["javascript post:two"]
    assert loaded.post_key_auth[0]._hook.require_session
    assert await header_set_by(call, loaded) == b"1"


async def test_row_007_missing_file_loads_and_refuses(scene: Any, call: Any) -> None:
    loaded = scene.load(Hook(HookType.PRE, "m", "/nowhere/x.js"))
    error = await refused(call, loaded.pre[0])
    assert (error.status, error.message) == (500, "Internal Server Error")
    assert "Failed to open JS middleware file" in loaded.warnings[0]


async def test_row_012_inline_code_with_a_syntax_error_refuses(
    scene: Any, call: Any, inline: Any
) -> None:
    loaded = scene.load(Hook(HookType.PRE, "m", code=inline("var a = 1;\nvar = 2;")))
    assert (await refused(call, loaded.pre[0])).status == 500
    assert ":2:" in loaded.warnings[0]


async def test_row_012_source_cannot_leave_its_scope(scene: Any, call: Any, inline: Any) -> None:
    loaded = scene.load(Hook(HookType.PRE, "m", code=inline("}); evil(); (function(){")))
    assert (await refused(call, loaded.pre[0])).status == 500


async def test_row_026_to_028_tyk_js_path(scene: Any, call: Any) -> None:
    shared = scene.file("var shared = b64enc('a'); log('core');", "core.js")
    scene.start(tyk_js_path=shared)
    loaded = scene.body("request.SetHeaders.X = shared;")
    assert await header_set_by(call, loaded) == b"YQ=="
    scene.start(tyk_js_path="/nowhere/tyk.js")
    assert scene.body("").warnings == ()


async def test_row_063_two_inline_hooks_with_one_name_both_run(
    scene: Any, call: Any, inline: Any, script: Any
) -> None:
    hooks = [
        Hook(HookType.PRE, "m", code=inline(script(f"request.SetHeaders.X{n} = '1';")))
        for n in (1, 2)
    ]
    loaded = scene.load(*hooks)
    exchange, _ = await call(loaded.pre[0])
    await call(loaded.pre[1], exchange)
    assert b"X1" in exchange.request.headers
    assert b"X2" in exchange.request.headers


async def test_helpers_of_another_file_and_hooks_by_global_name(
    scene: Any, call: Any, script: Any
) -> None:
    helper = scene.file(script("", "unused", "function helper() { return 'h' }"), "a.js")
    user = scene.file(script("request.SetHeaders.X = helper();"), "b.js")
    empty = scene.file("var nothing;", "c.js")
    loaded = scene.load(
        Hook(HookType.POST, "unused", helper),
        Hook(HookType.PRE, "m", user),
        Hook(HookType.POST, "m", empty),
    )
    assert await header_set_by(call, loaded) == b"h"
    await call(loaded.post[1])


async def test_row_067_a_new_load_serves_the_new_code(scene: Any, call: Any) -> None:
    old = scene.body("request.SetHeaders.X = 'old';")
    new = scene.body("request.SetHeaders.X = 'new';")
    assert [await header_set_by(call, each) for each in (old, new)] == [b"old", b"new"]


@pytest.mark.parametrize(
    ("row", "text", "expected"),
    [
        (57, "implicit = 'a'; request.SetHeaders.X = implicit;", b"a"),
        (58, "request.SetHeaders.X = later(); function later() { return 'b' }", b"b"),
        (64, "const f = (a) => `${a}`; request.SetHeaders.X = f(3);", b"3"),
        (65, "request.SetHeaders.X = _.map([1, 2], function (n) { return n * 2 }).join();", b"2,4"),
        (65, "request.SetHeaders.X = _.chain([3, 1]).sortBy().first().value() + '';", b"1"),
        (32, "request.SetHeaders.X = request.Headers['user-agent'][0];", b"ua"),
        (33, "request.SetHeaders.X = String(request.Headers['User-Agent'] == 'ua');", b"true"),
        (31, "request.SetHeaders.X = Object.keys(request.Headers).join();", b"User-Agent,Host"),
        (34, "request.SetHeaders.X = JSON.stringify(request.Params);", b'{"q":["1","2 3"]}'),
        (30, "request.SetHeaders.X = request.RequestURI;", b"/a?q=1&q=2%203"),
        (29, "request.SetHeaders.X = request.Scheme;", b"http"),
        (71, "request.SetHeaders.X = b64dec('YQ') + b64dec('YQ==');", b"aa"),
        (72, "request.SetHeaders.X = rawb64enc('a') + rawb64dec('YQ');", b"YQa"),
        (73, "request.SetHeaders.X = String(b64dec('!'));", b"undefined"),
        (73, "request.SetHeaders.X = String(rawb64dec('YQ=='));", b"undefined"),
        (74, "request.SetHeaders.X = b64dec('_-8=') === b64dec('/+8=') ? 'same' : 'no';", b"same"),
        (0, "request.SetHeaders.X = b64enc({});", b"W29iamVjdCBPYmplY3Rd"),
        (0, "request.SetHeaders.X = b64enc();", b"dW5kZWZpbmVk"),
        (0, "request.SetHeaders.X = b64enc('\\u00e9') + '\\u00e9'.length;", b"w6k=1"),
    ],
)  # fmt: skip
async def test_language_and_request_rows(
    scene: Any, call: Any, new_exchange: Any, row: int, text: str, expected: bytes
) -> None:
    exchange = new_exchange(url="/a?q=1&q=2%203", headers={"User-Agent": "ua"})
    assert await header_set_by(call, scene.body(text), exchange) == expected, f"row {row}"


async def test_row_059_row_060_row_061_top_level_runs_once_aloud(
    scene: Any, call: Any, script: Any
) -> None:
    text = script("request.SetHeaders.X = key;", before="var key = b64enc('x'); log('loaded');")
    loaded = scene.load(Hook(HookType.PRE, "m", scene.file(text)))
    for _ in range(3):
        assert await header_set_by(call, loaded) == b"eA=="
    assert scene.messages("info") == ["loaded"]


async def test_row_066_row_069_logs(scene: Any, call: Any) -> None:
    loaded = scene.body("log('a'); console.error('b', {c: 1}); rawlog('raw'); console.log();")
    await call(loaded.pre[0])
    line = next(each for each in scene.logs.entries if each["event"] == "a")
    assert (line["log_level"], line["type"], line["prefix"]) == ("info", "log-msg", "jsvm")
    assert scene.messages("error") == ['b {"c":1}']
    assert [each["event"] for each in scene.logs.entries if each.get("_raw")] == ["raw"]


# --- configuration -----------------------------------------------------------------------------


async def test_row_020_to_022_config(scene: Any, call: Any) -> None:
    text = "request.SetHeaders.X = config.APIID + config.OrgID + config.config_data.foo;"
    fields = {"org_id": "o", "config_data": {"foo": "bar"}}
    assert await header_set_by(call, scene.body(text, fields=fields)) == b"api1obar"
    fields["config_data_disabled"] = True  # type: ignore[assignment]
    loaded = scene.body("request.SetHeaders.X = String('config_data' in config);", fields=fields)
    assert await header_set_by(call, loaded) == b"false"


async def test_row_023_row_024_header_spelling(scene: Any, call: Any) -> None:
    exchange, _ = await call(scene.body("request.SetHeaders['x-low'] = '1';").pre[0])
    assert b"X-Low" in exchange.request.headers
    scene.start(ignore_canonical_mime_header_key=True)
    exchange, _ = await call(scene.body("request.SetHeaders['x-low'] = '1';").pre[0])
    assert b"x-low" in exchange.request.headers


async def test_row_123_switched_off(scene: Any, call: Any) -> None:
    scene.start(enable_jsvm=False)
    error = await refused(call, scene.body("").pre[0])
    assert (error.status, error.message) == (500, "middleware error")


async def test_cors_options_passthrough_skips_the_hook(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    loaded = scene.body("throw 1;", fields={"cors": {"options_passthrough": True}})
    assert await call(loaded.pre[0], new_exchange("OPTIONS"))


# --- mutations ---------------------------------------------------------------------------------


async def test_row_025_deletes_before_sets(scene: Any, call: Any, new_exchange: Any) -> None:
    loaded = scene.body("request.DeleteHeaders.push('x', 'GONE'); request.SetHeaders.X = 'new';")
    exchange = new_exchange(headers={"X": "old", "Gone": "1"})
    assert await header_set_by(call, loaded, exchange) == b"new"
    assert b"Gone" not in exchange.request.headers


async def test_framing_headers_are_not_for_hooks(scene: Any, call: Any, new_exchange: Any) -> None:
    loaded = scene.body(
        "request.SetHeaders = {'content-length': '9', 'Transfer-Encoding': 'chunked', Host: 'x'};"
    )
    exchange, _ = await call(loaded.pre[0], new_exchange("POST", body=b"abc"))
    assert exchange.request.headers.items == []


@pytest.mark.parametrize("value", ["a\\r\\nB: c", "\\u0000"])
async def test_header_values_cannot_split_the_request(scene: Any, call: Any, value: str) -> None:
    error = await refused(call, scene.body(f"request.SetHeaders.X = '{value}';").pre[0])
    assert error.status == 500


ALL_EDITS = """request.DeleteParams = ['a']; request.AddParams = {b: '3', c: 'x y'};
request.ExtendedParams = {b: ['4', '5']};"""


@pytest.mark.parametrize(
    ("row", "query", "edit", "expected"),
    [
        (35, "b=%7e&a=1+2&c", "", "b=%7e&a=1+2&c"),
        (36, "a=1&b=2", ALL_EDITS, "b=3&c=x+y&b=4&b=5"),
        (37, "z=1&y=2&x=3", "request.AddParams = {y: '9'};", "z=1&y=9&x=3"),
        (37, "z=%7e&y=2", "request.DeleteParams = ['y'];", "z=%7e"),
    ],
)  # fmt: skip
async def test_params(
    scene: Any, call: Any, new_exchange: Any, row: int, query: str, edit: str, expected: str
) -> None:
    exchange, _ = await call(scene.body(edit).pre[0], new_exchange(url=f"/p?{query}"))
    assert exchange.request.url == f"/p?{expected}", f"row {row}"


async def test_row_039_row_040_url(scene: Any, call: Any, new_exchange: Any) -> None:
    loaded = scene.body("request.URL = request.Params.to[0];")
    exchange, _ = await call(loaded.pre[0], new_exchange(url="/?to=http%3A%2F%2Fh%2Fp%3Fq%3D1"))
    assert exchange.request.url == "/p?q=1"
    exchange = new_exchange(url="/?to=%2Fa%25zz")
    assert (await refused(call, loaded.pre[0], exchange)).status == 500


def test_checked_url() -> None:
    assert checked_url("a b") == "/a%20b"
    assert checked_url("/é") == "/%C3%A9"
    assert checked_url("/p#x") == "/p"


def test_edit_query_keeps_broken_pairs() -> None:
    assert edit_query("a=%zz&b", delete=["b"], replace={}, append={}) == "a=%zz"


async def test_row_038_other_members_have_no_effect(scene: Any, call: Any) -> None:
    loaded = scene.body(
        "request.Method = 'DELETE'; request.Headers.X = ['1']; request.Params = {};"
    )
    exchange, _ = await call(loaded.pre[0])
    assert exchange.request.method == "GET"
    assert b"X" not in exchange.request.headers


async def test_row_013_row_014_body_keeps_its_bytes(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    loaded = scene.body("request.Body = request.Body + ' appended é';")
    raw = b"\xff\x00\xc3\xa9\xed\xa0\x80"
    exchange, _ = await call(loaded.pre[0], new_exchange("POST", body=raw))
    assert exchange.request.body == raw + " appended é".encode()
    length = str(len(exchange.request.body)).encode()
    assert exchange.request.headers.get(b"Content-Length") == length


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=300))
async def test_row_013_any_bytes_survive(
    scene: Any, call: Any, new_exchange: Any, body: bytes
) -> None:
    if not hasattr(scene, "appending"):
        scene.appending = scene.body("request.Body = '<' + request.Body + '>';")
    exchange, _ = await call(scene.appending.pre[0], new_exchange("POST", body=body))
    assert exchange.request.body == b"<" + body + b">"


def test_foreign_surrogates_become_the_replacement_character() -> None:
    assert to_bytes("\ud800x\udcff") == "\ufffdx".encode() + b"\xff"
    assert to_bytes(from_bytes(bytes(range(256)))) == bytes(range(256))


async def test_row_015_ignore_body(scene: Any, call: Any, new_exchange: Any) -> None:
    loaded = scene.body("request.Body = 'x'; request.IgnoreBody = true;")
    exchange, _ = await call(loaded.pre[0], new_exchange("POST", body=b"\xff1"))
    assert exchange.request.body == b"\xff1"


@pytest.mark.parametrize(
    ("value", "body"),
    [("undefined", b""), ("null", b""), ("5", b"5"), ("{}", b"[object Object]")],
)
async def test_row_056_bodies_that_are_no_strings(
    scene: Any, call: Any, new_exchange: Any, value: str, body: bytes
) -> None:
    loaded = scene.body(f"request.Body = {value};")
    exchange, _ = await call(loaded.pre[0], new_exchange("POST", body=b"abc"))
    assert exchange.request.body == body


async def test_a_large_body_runs_apart(scene: Any, call: Any, new_exchange: Any) -> None:
    loaded = scene.body("request.Body += '!';")
    exchange, _ = await call(loaded.pre[0], new_exchange("POST", body=b"\xffx" * 300_000))
    assert exchange.request.body == b"\xffx" * 300_000 + b"!"


# --- overrides ---------------------------------------------------------------------------------


async def answer(call: Any, scene: Any, text: str, kind: HookType = HookType.PRE) -> Response:
    loaded = scene.body(text, kind)
    step = loaded.pre[0] if kind is HookType.PRE else loaded.post[0]
    _, response = await call(step)
    assert response is not None
    return response


async def test_row_043_raw_override(scene: Any, call: Any) -> None:
    text = """request.ReturnOverrides.ResponseCode = 200;
        request.ReturnOverrides.ResponseBody = "hi";
        request.ReturnOverrides.ResponseHeaders["x-foo"] = "bar";"""
    response = await answer(call, scene, text)
    assert (response.status, response.body, response.runs_response_chain) == (200, b"hi", False)
    assert response.headers.get(b"X-Foo") == b"bar"
    assert response.headers.get(b"Server") == b"tyk"
    assert response.headers.get(b"X-Ratelimit-Limit") == b"0"
    assert response.headers.get(b"Content-Type") == b"text/plain; charset=utf-8"
    assert (await answer(call, scene, text, HookType.POST)).runs_response_chain


async def test_row_044_row_046_error_override(scene: Any, call: Any) -> None:
    loaded = scene.body(
        """request.ReturnOverrides = {ResponseCode: "401", ResponseError: "no",
        ResponseBody: "body", headers: {"X-Foo": "bar"}};"""
    )
    error = await refused(call, loaded.pre[0])
    assert (error.status, error.message) == (401, "no")
    assert list(error.headers) == [(b"X-Foo", b"bar")]


async def test_row_045_override_error(scene: Any, call: Any) -> None:
    text = """request.ReturnOverrides = {ResponseCode: 400, ResponseBody: "{}",
        OverrideError: true, ResponseHeaders: {"Set-Cookie": ["a", "b"]}};"""
    response = await answer(call, scene, text)
    assert (response.status, response.body) == (400, b"{}")
    assert response.headers.get_all(b"Set-Cookie") == [b"a", b"b"]


@pytest.mark.parametrize("code", [5, 1000, 99, -1])
async def test_row_053_status_outside_the_range(scene: Any, call: Any, code: int) -> None:
    loaded = scene.body(f"request.ReturnOverrides.ResponseCode = {code};")
    assert (await refused(call, loaded.pre[0])).status == 500


# --- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "text", "log"),
    [
        (8, "return {Request: request, Session: 'x'};", "Session must be an object"),
        (11, "\nnull.x;", "cannot read property"),
        (54, "return;", "Returned data: undefined"),
        (55, "return request;", "Failed to run JS middleware: TypeError"),
        (0, "return 'text';", "Failed to run JS middleware: TypeError"),
        (0, "request.SetHeaders = 5;", "SetHeaders must be an object of strings"),
        (0, "request.SetHeaders.X = 5;", "SetHeaders['X'] must be a string"),
        (0, "request.DeleteHeaders = 'x';", "DeleteHeaders must be an array"),
        (0, "request.URL = 5;", "URL must be a string"),
        (0, "request.URL = 'tyk://self/x';", "internal redirect"),
        (0, "TykMakeHttpRequest('{}');", "TykMakeHttpRequest is not available"),
        (0, "throw {};", "Failed to run JS middleware"),
    ],
)
async def test_failure_table(scene: Any, call: Any, row: int, text: str, log: str) -> None:
    error = await refused(call, scene.body(text).pre[0])
    assert (error.status, error.message) == (500, "Internal Server Error")
    assert any(log in message for message in scene.messages("error")), f"row {row}"


async def test_a_failure_names_the_author_s_line(scene: Any, call: Any) -> None:
    await refused(call, scene.body("\n\nnull.x;").pre[0])
    line = next(each for each in scene.logs.entries if each["log_level"] == "error")
    assert line["at"].startswith(str(scene.folder / "plugin.js") + ":6:")
    assert (line["api_id"], line["hook"]) == ("api1", "pre:m")


async def test_members_are_matched_in_any_case(scene: Any, call: Any) -> None:
    loaded = scene.body("return {Request: {setheaders: {X: '1'}, url: '/u', body: 'x'}};")
    assert await header_set_by(call, loaded) == b"1"


async def test_async_handlers_are_awaited(scene: Any, call: Any) -> None:
    path = scene.file(
        "const m = new TykJS.TykMiddleware.NewMiddleware({});"
        "m.NewProcessRequest(async (r) => { await null; r.SetHeaders.X = 'a';"
        " return m.ReturnData(r, {}) });"
    )
    assert await header_set_by(call, scene.load(Hook(HookType.PRE, "m", path))) == b"a"


async def test_a_replaced_entry_point_speaks_base64(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    path = scene.file(
        "var m = {DoProcessRequest: function (r) {"
        " r.Body = b64enc(b64dec(r.Body) + '!'); return JSON.stringify({Request: r}) }};"
    )
    loaded = scene.load(Hook(HookType.PRE, "m", path))
    exchange, _ = await call(loaded.pre[0], new_exchange("POST", body=b"hi"))
    assert exchange.request.body == b"hi!"


# --- sessions ----------------------------------------------------------------------------------


async def test_row_016_to_019_session_meta(scene: Any, call: Any, new_exchange: Any) -> None:
    path = scene.file(
        """var m = new TykJS.TykMiddleware.NewMiddleware({});
        m.NewProcessRequest(function (request, session) {
            request.SetHeaders.X = JSON.stringify(session.meta_data);
            return m.ReturnData(request, {a: {deep: 1}, n: 2});
        });"""
    )
    loaded = scene.load(Hook(HookType.POST, "m", path, require_session=True))
    exchange = new_exchange()
    exchange.session = Session(meta_data={"old": "x"}, key_id="k")
    for expected in ({"old": "x"}, {"a": {"deep": 1}, "n": 2}):
        await call(loaded.post[0], exchange)
        assert json.loads(exchange.request.headers.get(b"X")) == expected
    assert exchange.session.meta_data == {"a": {"deep": 1}, "n": 2}


async def test_row_098_row_099_sessions_that_are_not_there(scene: Any, call: Any) -> None:
    text = "request.SetHeaders.X = session === null ? 'null' : typeof session.rate;"
    loaded = scene.body(text, HookType.POST_KEY_AUTH, require_session=True)
    exchange, _ = await call(loaded.post_key_auth[0])
    assert exchange.request.headers.get(b"X") == b"null"
    assert await header_set_by(call, scene.body(text, require_session=True)) == b"number"


AUTH = """var m = new TykJS.TykMiddleware.NewMiddleware({});
m.NewProcessRequest(function (request) {
    if (request.Headers.Authorization != "good") {
        request.ReturnOverrides.ResponseCode = 401;
        request.ReturnOverrides.ResponseError = "denied";
        return m.ReturnData(request, {});
    }
    return RESULT;
});"""


async def test_row_091_row_093_authentication(scene: Any, call: Any, new_exchange: Any) -> None:
    result = "{Request: request, Session: {Rate: 5, per: 1, alias: 'a'}, AuthValue: 'token'}"
    path = scene.file(AUTH.replace("RESULT", result))
    step = scene.load(Hook(HookType.AUTH_CHECK, "m", path)).auth_check
    error = await refused(call, step, new_exchange())
    assert (error.status, error.message) == (401, "denied")
    exchange, _ = await call(step, new_exchange(headers={"Authorization": "good"}))
    assert (exchange.session.rate, exchange.session.key_id) == (5, "token")


async def test_row_094_another_identity_provider(scene: Any, call: Any, new_exchange: Any) -> None:
    path = scene.file(AUTH.replace("RESULT", "m.ReturnAuthData(request, {rate: 1})"))
    hook = Hook(HookType.AUTH_CHECK, "m", path)
    step = scene.load(hook, base_identity_provided_by="auth_token").auth_check
    exchange, _ = await call(step, new_exchange(headers={"Authorization": "good"}))
    assert exchange.session is None


async def test_row_095_callers_without_auth_value_stay_apart(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    result = "m.ReturnAuthData(request, {rate: 1, alias: request.Params.who[0]})"
    path = scene.file(AUTH.replace("RESULT", result))
    step = scene.load(Hook(HookType.AUTH_CHECK, "m", path)).auth_check
    ids = []
    for who in ("ann", "bob", "ann"):
        exchange = new_exchange(url=f"/?who={who}", headers={"Authorization": "good"})
        await call(step, exchange)
        ids.append(exchange.session.key_id)
    assert ids[0] == ids[2] != ids[1]


async def test_row_096_ignored_endpoints_skip_authentication(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    step = scene.load(Hook(HookType.AUTH_CHECK, "m", scene.file(AUTH))).auth_check
    exchange = new_exchange()
    exchange.is_ignored = True
    await call(step, exchange)
    assert exchange.session is None


async def test_a_session_of_the_wrong_type_refuses(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    path = scene.file(AUTH.replace("RESULT", "m.ReturnAuthData(request, {rate: 'x'})"))
    step = scene.load(Hook(HookType.AUTH_CHECK, "m", path)).auth_check
    exchange = new_exchange(headers={"Authorization": "good"})
    assert (await refused(call, step, exchange)).status == 500
    assert exchange.session is None


# --- response hooks ----------------------------------------------------------------------------


def response_plugin(scene: Any, statements: str) -> Any:
    path = scene.file(
        "var m = new TykJS.TykMiddleware.NewMiddleware({});"
        "m.NewProcessResponse(function (response, request, session, config) {"
        f"{statements}; return m.ReturnResponseData(response, {{}}) }});"
    )
    return scene.load(Hook(HookType.RESPONSE, "m", path)).response[0]


def answered(new_exchange: Any, body: bytes = b"abc") -> Any:
    exchange = new_exchange()
    headers = Headers([(b"X-Old", b"1"), (b"Content-Length", b"%d" % len(body))])
    exchange.response = Response(200, headers, body)
    return exchange


async def test_row_100_response_hook_edits(scene: Any, call: Any, new_exchange: Any) -> None:
    step = response_plugin(
        scene,
        "response.StatusCode = 201; response.Body += '!' + request.Body + request.Method;"
        "response.SetHeaders['x-new'] = response.Headers['x-old'][0];"
        "response.DeleteHeaders.push('x-old')",
    )
    exchange, _ = await call(step, answered(new_exchange))
    assert exchange.response.status == 201
    assert exchange.response.body == b"abc!nullGET"
    assert exchange.response.headers.items == [(b"X-New", b"1")]


async def test_row_101_response_failure(scene: Any, call: Any, new_exchange: Any) -> None:
    error = await refused(call, response_plugin(scene, "null.x"), answered(new_exchange))
    assert (error.status, error.message) == (500, "Middleware error")


async def test_row_102_binary_responses_survive(scene: Any, call: Any, new_exchange: Any) -> None:
    raw = bytes(range(256))
    exchange, _ = await call(response_plugin(scene, ""), answered(new_exchange, raw))
    assert exchange.response.body == raw


def test_the_docs_name_every_setting() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/javascript.md").read_text("utf-8")
    for name in ("loop_budget_ms", "memory_mb", "stack_kb", "max_processes", "isolation"):
        assert f"javascript.{name}" in text
