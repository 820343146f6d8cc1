"""The conformance checklist of rich plugins (10.2 to 10.7, 10.11), over the stdio driver.

Each test runs a real plugin whose hook is the code in the test.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from stdio_kit import ALL_HOOKS, make_config, make_definition, make_exchange, refusal_of

from propylon.errors import DefinitionError, Refusal
from propylon.http.headers import Headers
from propylon.http.message import Response
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.session import Session
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.stdio.host import StdioHost
from propylon.plugins.stdio.owner import StdioOwner

# Shows the author's view: the whole call comes back as an answer.
MIRROR = """
answer = {"response_code": 200, "response_body": json.dumps(call)}
return {"request": {"return_overrides": answer}}
"""


async def seen(start: Any, exchange: Exchange, step: str = "pre", **arguments: Any) -> Any:
    """Return the object that a plugin sees."""
    gateway = await start.hook(MIRROR, **arguments)
    if step == "pre":
        answer = await gateway.pre(exchange)
    elif step == "auth":
        answer = await gateway.auth(exchange)
    else:
        answer = await getattr(gateway.loaded, step)[0](exchange)
    assert answer is not None
    assert answer.runs_response_chain is False
    return json.loads(answer.body)


async def changed(
    start: Any, request: dict[str, Any], exchange: Exchange | None = None, **arguments: Any
) -> Exchange:
    """Apply this reply in a Pre hook; return the exchange."""
    exchange = exchange or make_exchange()
    gateway = await start.hook(f"return {{'request': {request!r}}}", **arguments)
    assert await gateway.pre(exchange) is None
    return exchange


async def answered(start: Any, overrides: dict[str, Any]) -> Response:
    request = {"return_overrides": overrides}
    gateway = await start.hook(f"return {{'request': {request!r}}}")
    answer = await gateway.pre(make_exchange())
    assert answer is not None
    return answer


# --- 10.1, 10.11: loading ---------------------------------------------------------------------


async def load(hooks: tuple[Hook, ...] = ALL_HOOKS, **options: Any) -> Any:
    config = make_config([], **options)
    owner = StdioOwner(config.coprocess_options, "0.0")
    await owner.start()
    host = StdioHost(config, owner)
    await host.start()
    try:
        return host.load(make_definition(), hooks)
    finally:
        await host.stop()
        await owner.stop()


async def test_row_001_disabled_request_hooks_are_not_registered() -> None:
    loaded = await load((Hook(HookType.PRE, "Pre"),), enable_coprocess=False)
    assert loaded.pre == ()
    assert "enable_coprocess" in loaded.warnings[0]


async def test_row_002_disabled_with_custom_auth_refuses_the_api() -> None:
    with pytest.raises(DefinitionError, match="enable_coprocess"):
        await load(enable_coprocess=False)


async def test_row_005_no_command_refuses_every_request() -> None:
    loaded = await load()
    ignored = make_exchange(is_ignored=True)
    for step in (*loaded.pre, loaded.auth_check, *loaded.post_key_auth, *loaded.post):
        with pytest.raises(Refusal, match="Internal Server Error") as refused:
            step(ignored)
        assert refused.value.status == 500
    with pytest.raises(Refusal, match="Middleware error"):
        loaded.response[0](make_exchange())


async def test_row_109_unnamed_auth_hook_refuses_without_a_call(start: Any) -> None:
    gateway = await start.hook(MIRROR, hooks=(Hook(HookType.AUTH_CHECK, ""),))
    assert await refusal_of(gateway.auth(make_exchange())) == (403, "Key not authorised")


# --- 10.2: the object sent --------------------------------------------------------------------


async def test_row_018_to_020_headers(start: Any) -> None:
    exchange = make_exchange(headers=[(b"X-A", b"1"), (b"X-A", b"2"), (b"Traceparent", b"00-t")])
    call = await seen(start, exchange)
    assert call["request"]["headers"]["X-A"] == "1"
    assert call["request"]["headers_all"]["X-A"] == ["1", "2"]
    assert call["request"]["headers"]["Host"] == "api.test"
    assert call["context"]["traceparent"] == "00-t"
    assert call["context"]["request_id"] == "request-1"
    assert call["context"]["deadline_ms"] == 5000


async def test_row_021_url_and_params(start: Any) -> None:
    request = (await seen(start, make_exchange(url="/listen/p?a=1&a=2&b=%20")))["request"]
    assert request["url"] == request["request_uri"] == "/listen/p?a=1&a=2&b=%20"
    assert request["params"] == {"a": "1", "b": " "}
    assert request["params_all"] == {"a": ["1", "2"], "b": [" "]}


async def test_row_022_method_and_scheme(start: Any) -> None:
    request = (await seen(start, make_exchange("PATCH")))["request"]
    assert (request["method"], request["scheme"]) == ("PATCH", "http")


async def test_row_023_text_body_crosses_once(start: Any) -> None:
    request = (await seen(start, make_exchange("POST", body=b"{}")))["request"]
    assert (request["body"], request["raw_body"]) == ("{}", None)


async def test_row_024_binary_body(start: Any) -> None:
    request = (await seen(start, make_exchange("POST", body=b"\xff\x00")))["request"]
    assert request["body"] == ""
    assert base64.b64decode(request["raw_body"]) == b"\xff\x00"


async def test_row_025_raw_body_only(start: Any) -> None:
    hooks = (Hook(HookType.PRE, "Pre", raw_body_only=True),)
    request = (await seen(start, make_exchange("POST", body=b"{}"), hooks=hooks))["request"]
    assert (request["body"], request["raw_body"]) == ("", "e30=")


async def test_row_026_to_028_stable_shape(start: Any) -> None:
    call = await seen(start, make_exchange(session=Session(key_id="k")))
    assert call["request"]["return_overrides"]["response_code"] == -1
    assert call["request"]["extended_params"] == {}
    assert call["session"] is None
    assert call["response"] is None
    assert call["metadata"] == {}
    assert (call["hook_type"], call["hook_name"]) == ("Pre", "Pre")


async def test_row_029_session_metadata_is_text(start: Any) -> None:
    session = Session(meta_data={"testkey": {"nestedkey": "nestedvalue"}, "testkey2": "testvalue"})
    call = await seen(start, make_exchange(session=session), "post")
    assert json.loads(call["metadata"]["testkey"]) == {"nestedkey": "nestedvalue"}
    assert call["metadata"]["testkey"] == '{"nestedkey":"nestedvalue"}'
    assert call["metadata"]["testkey2"] == "testvalue"
    assert call["session"]["metadata"] == call["metadata"]


async def test_row_030_no_session_on_a_keyless_api(start: Any) -> None:
    assert (await seen(start, make_exchange(), "post"))["session"] is None


async def test_row_031_to_033_spec(start: Any) -> None:
    spec = (await seen(start, make_exchange()))["spec"]
    assert spec == {
        "OrgID": "org-1",
        "APIID": "api-1",
        "bundle_hash": "d41d8cd98f00b204e9800998ecf8427e",
    }
    definition = make_definition(config_data={"key": "<v>", "a": 1.0})
    spec = (await seen(start, make_exchange(), definition=definition))["spec"]
    assert spec["config_data"] == '{"a":1,"key":"\\u003cv\\u003e"}'
    definition = make_definition(config_data={"key": "v"}, config_data_disabled=True)
    assert "config_data" not in (await seen(start, make_exchange(), definition=definition))["spec"]


async def test_row_034_session_fields_and_their_spelling(start: Any) -> None:
    session = Session(certificate="c", max_query_depth=3, hmac_string="h", key_id="k")
    sent = (await seen(start, make_exchange(session=session), "post_key_auth"))["session"]
    assert (sent["certificate"], sent["max_query_depth"]) == ("c", 3)
    assert (sent["hmac_secret"], sent["key_id"]) == ("h", "k")
    assert sent["basic_auth_data"] == {"password": "", "hash": ""}


async def test_row_036_rewritten_url_is_seen(start: Any) -> None:
    exchange = make_exchange(rewritten_url="http://other.test/new?x=1")
    request = (await seen(start, exchange, "post"))["request"]
    assert request["url"] == "http://other.test/new?x=1"
    assert request["request_uri"] == "/new?x=1"


async def test_row_038_bytes_that_are_no_utf8_are_delivered(start: Any) -> None:
    request = (await seen(start, make_exchange(headers=[(b"X-L", b"caf\xe9")])))["request"]
    assert request["headers"]["X-L"] == "café"


# --- 10.3: applying replies -------------------------------------------------------------------


async def test_row_039_set_headers_replace_every_value(start: Any) -> None:
    exchange = make_exchange(headers=[(b"X", b"1"), (b"X", b"2")])
    await changed(start, {"set_headers": {"X": "v"}}, exchange)
    assert exchange.request.headers.get_all(b"X") == [b"v"]


async def test_row_040_041_delete_headers(start: Any) -> None:
    exchange = make_exchange(headers=[(b"X-A", b"1"), (b"X-B", b"1")])
    request = {"delete_headers": ["x-a", "X-B"], "set_headers": {"x-b": "2"}}
    await changed(start, request, exchange)
    assert exchange.request.headers.items == [(b"X-B", b"2")]


async def test_row_042_header_names(start: Any) -> None:
    edits = {"set_headers": {"x-lower": "1"}}
    assert (await changed(start, edits)).request.headers.items == [(b"X-Lower", b"1")]


async def test_row_043_049_062_what_a_plugin_cannot_change(start: Any) -> None:
    body = """
call["request"]["headers"]["X-New"] = "1"
call["request"]["params"]["new"] = "1"
call["metadata"]["m"] = "1"
return call
"""
    gateway = await start.hook(body)
    exchange = make_exchange("POST", url="/l?z=1&b=2", headers=[(b"X-A", b"1")], body=b"text")
    assert await gateway.pre(exchange) is None
    assert exchange.request.headers.items == [(b"X-A", b"1")]
    assert exchange.request.url == "/l?z=1&b=2"
    assert exchange.request.body == b"text"
    assert exchange.session is None


async def test_row_044_host_stays(start: Any) -> None:
    exchange = await changed(start, {"set_headers": {"Host": "other"}})
    assert exchange.request.host == "api.test"
    assert b"Host" not in exchange.request.headers


@pytest.mark.parametrize(
    ("url", "edits", "expected"),
    [
        ("/l?a=2&a=3", {"add_params": {"a": "1"}}, "/l?a=1"),  # row 45
        ("/l?a=1&b=2", {"delete_params": ["a"]}, "/l?b=2"),  # row 46
        ("/l?z=1&b=%41", {"add_params": {"n": "a b&"}}, "/l?z=1&b=%41&n=a+b%26"),  # row 47, REC
        ("/l?z=1&b=2", {}, "/l?z=1&b=2"),  # row 48
        ("/l?q=1", {"url": "/new"}, "/new?q=1"),  # row 50
        ("/l", {"url": "/new?q=1"}, "/new?q=1"),  # row 51, REC
        ("/l?q=1", {"url": "", "method": ""}, "/l?q=1"),  # row 52, REC: empty is unchanged
        ("/l", {"url": "http://elsewhere.test/p?x=1"}, "/p?x=1"),
        ("/l", {"url": "/a b/é"}, "/a%20b/%C3%A9"),
    ],
)
async def test_row_045_to_052_urls(
    start: Any, url: str, edits: dict[str, Any], expected: str
) -> None:
    exchange = await changed(start, edits, make_exchange(url=url))
    assert exchange.request.url == expected
    assert exchange.request.method == "GET"


@pytest.mark.parametrize(
    "edits",
    [
        {"url": "foo"},
        {"url": "/a\r\nX: 1"},
        {"method": "G T"},
        {"set_headers": {"X": "a\r\nB: c"}},
        {"set_headers": {"a b": "c"}},
        {"set_headers": {"X": 5}},
        {"set_headers": ["X"]},
        {"raw_body": "not base64!"},
        {"return_overrides": {"response_code": 99}},
        {"return_overrides": {"response_code": 1000}},
    ],
)
async def test_row_052_nonsense_is_refused(start: Any, edits: dict[str, Any]) -> None:
    gateway = await start.hook(f"return {{'request': {edits!r}}}")
    assert await refusal_of(gateway.pre(make_exchange())) == (500, "Middleware error")


async def test_tyk_urls_are_refused_while_there_are_no_loops(start: Any) -> None:
    gateway = await start.hook("return {'request': {'url': 'tyk://other-api/path'}}")
    exchange = make_exchange()
    assert await refusal_of(gateway.pre(exchange)) == (500, "Middleware error")
    assert exchange.rewritten_url is None


async def test_row_055_method(start: Any) -> None:
    assert (await changed(start, {"method": "POST"})).request.method == "POST"


async def test_row_056_057_rewritten_target(start: Any) -> None:
    exchange = make_exchange(rewritten_url="/target?a=1")
    await changed(start, {"url": "/other?b=1", "add_params": {"c": "1"}}, exchange)
    assert exchange.rewritten_url == "/other?b=1&c=1"
    assert exchange.request.url == "/l/x"


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"body": "new"}, b"new"),  # row 59, REC
        ({"raw_body": "bmV3"}, b"new"),  # row 60
        ({"raw_body": "bmV3", "body": "loses"}, b"new"),
        ({"raw_body": ""}, b""),  # row 61
        ({"body": ""}, b""),
        ({"body": None, "raw_body": None}, b"old"),
        ({}, b"old"),
    ],
)
async def test_row_059_to_061_bodies(start: Any, edits: dict[str, Any], expected: bytes) -> None:
    headers = [(b"Content-Length", b"3")]
    exchange = await changed(start, edits, make_exchange("POST", headers=headers, body=b"old"))
    assert exchange.request.body == expected
    assert exchange.request.headers.get_all(b"Content-Length") == [b"%d" % len(expected)]


async def test_chunked_request_gets_a_length(start: Any) -> None:
    exchange = make_exchange("POST", headers=[(b"Transfer-Encoding", b"chunked")], body=b"abc")
    await changed(start, {}, exchange)
    assert exchange.request.headers.items == [(b"Content-Length", b"3")]


@pytest.mark.parametrize("reply", ["{}", "{'request': None}", "[]", "'text'", "5"])
async def test_row_063_reply_without_request_is_refused(start: Any, reply: str) -> None:
    gateway = await start.hook(f"return {reply}")
    assert await refusal_of(gateway.pre(make_exchange())) == (500, "Middleware error")
    assert await refusal_of(gateway.auth(make_exchange())) == (403, "Key not authorised")


async def test_camel_case_strings_and_unknown_members_are_accepted(start: Any) -> None:
    request = {
        "setHeaders": {"xCamel": "1"},
        "returnOverrides": {"responseCode": "-1"},
        "deleteHeaders": None,
        "somethingNew": {"a": 1},
    }
    gateway = await start.hook(f"return {{'hookType': 1, 'request': {request!r}}}")
    exchange = make_exchange()
    assert await gateway.pre(exchange) is None
    assert exchange.request.headers.items == [(b"Xcamel", b"1")]


# --- 10.4: overrides --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [-1, 0])
async def test_row_068_085_no_override(start: Any, code: int) -> None:
    overrides = {"response_code": code, "headers": {"X": "1"}, "response_body": "dropped"}
    exchange = await changed(start, {"return_overrides": overrides})
    assert exchange.client_headers is None


@pytest.mark.parametrize(
    ("overrides", "status", "body"),
    [
        ({"response_code": 200, "response_error": '{"foo": "bar"}'}, 200, b'{"foo": "bar"}'),
        ({"response_code": 200, "response_body": "foobar"}, 200, b"foobar"),
        ({"response_code": 200, "response_body": "b", "response_error": "e"}, 200, b"e"),
        ({"response_code": 401, "response_body": "t", "override_error": True}, 401, b"t"),
    ],
)
async def test_row_069_to_071_074_verbatim(
    start: Any, overrides: dict[str, Any], status: int, body: bytes
) -> None:
    answer = await answered(start, {**overrides, "headers": {"x-foo": "Bar"}})
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers.get(b"X-Foo") == b"Bar"
    assert (answer.headers.get(b"Content-Type") or b"").startswith(b"text/plain")  # row 78


@pytest.mark.parametrize(
    ("overrides", "message", "keeps"),
    [
        ({"response_code": 400, "response_body": "foobar"}, "foobar", False),  # row 72
        ({"response_code": 401, "response_error": 'a "b"'}, 'a "b"', False),  # row 73
        ({"response_code": 403}, "Key not authorised", False),  # row 75, 63a
        ({"response_code": 403, "headers": {"content-type": "a/b"}}, "Key not authorised", True),
    ],
)
async def test_row_063a_072_to_077_errors(
    start: Any, overrides: dict[str, Any], message: str, keeps: bool
) -> None:
    request = {"return_overrides": overrides, "url": ""}
    gateway = await start.hook(f"return {{'request': {request!r}}}")
    exchange = make_exchange()
    with pytest.raises(Refusal) as refused:
        await gateway.pre(exchange)
    assert refused.value.status == overrides["response_code"]
    assert refused.value.message == message
    assert refused.value.keep_content_type is keeps
    assert [each.outcome for each in exchange.hook_timings or ()] == ["answered"]


async def test_row_082_redirect(start: Any) -> None:
    answer = await answered(start, {"response_code": 302, "headers": {"Location": "/elsewhere"}})
    assert (answer.status, answer.headers.items) == (302, [(b"Location", b"/elsewhere")])


# --- 10.5: authentication ---------------------------------------------------------------------


async def authenticate(start: Any, reply: dict[str, Any], **arguments: Any) -> Exchange:
    gateway = await start.hook(f"return {reply!r}", **arguments)
    exchange = make_exchange()
    assert await gateway.auth(exchange) is None
    return exchange


async def test_row_087_100_session_with_token(start: Any) -> None:
    session = {"metadata": {"token": "abc", "n": "1"}, "org_id": "plugin", "quota_max": "5"}
    exchange = await authenticate(start, {"request": {}, "session": session})
    assert exchange.session is not None
    assert exchange.session.key_id == "abc"
    assert exchange.session.org_id == "org-1"
    assert exchange.session.quota_max == 5
    assert exchange.session.meta_data == {"token": "abc", "n": "1"}


async def test_row_088_token_in_object_metadata(start: Any) -> None:
    reply = {"request": {}, "session": {"rate": 1}, "metadata": {"token": "abc"}}
    exchange = await authenticate(start, reply)
    assert exchange.session is not None
    assert (exchange.session.key_id, exchange.session.rate) == ("abc", 1)


@pytest.mark.parametrize(
    "reply",
    [
        {"request": {}, "metadata": {"token": "abc"}},  # row 89
        {"request": {}, "session": {"metadata": {}}},  # row 90
        {"request": {}, "session": {"metadata": {"token": ""}}},
    ],
)
async def test_row_089_090_no_session_or_no_token(start: Any, reply: dict[str, Any]) -> None:
    gateway = await start.hook(f"return {reply!r}")
    assert await refusal_of(gateway.auth(make_exchange())) == (403, "Forbidden")


async def test_row_091_failing_plugin(start: Any) -> None:
    gateway = await start.hook("send(id=message['id'], error={'code': 1, 'message': 'secret'})")
    assert await refusal_of(gateway.auth(make_exchange())) == (403, "Key not authorised")
    assert await refusal_of(gateway.pre(make_exchange())) == (500, "Middleware error")


async def test_row_092_override_in_auth(start: Any) -> None:
    overrides = {"response_code": 401, "response_error": "text"}
    gateway = await start.hook(f"return {{'request': {{'return_overrides': {overrides!r}}}}}")
    assert await refusal_of(gateway.auth(make_exchange())) == (401, "text")


async def test_row_103_ignored_path_does_not_call(start: Any) -> None:
    gateway = await start.hook("return None")
    assert await gateway.auth(make_exchange(is_ignored=True)) is None


async def test_row_106_session_of_another_base_identity_is_discarded(start: Any) -> None:
    reply = {"request": {}, "session": {"metadata": {"token": "abc"}}}
    definition = make_definition(base_identity_provided_by="auth_token")
    assert (await authenticate(start, reply, definition=definition)).session is None


# --- 10.7: response hooks ---------------------------------------------------------------------

COOKIES = [(b"Content-Type", b"a/b"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=\xe9")]


async def responded(start: Any, body: str, method: str = "GET") -> Response:
    gateway = await start.hook("r = call['response']\n" + body)
    exchange = make_exchange(method)
    exchange.response = Response(200, Headers(COOKIES), b"old")
    await gateway.response(exchange)
    assert exchange.response is not None
    return exchange.response


def without_length(response: Response) -> list[tuple[bytes, bytes]]:
    return [item for item in response.headers.items if item[0] != b"Content-Length"]


async def test_row_127_raw_body(start: Any) -> None:
    response = await responded(start, "return {'response': {'raw_body': 'bmV3Ym9keQ=='}}")
    assert response.body == b"newbody"
    assert response.headers.get(b"Content-Length") == b"7"


async def test_row_128_body_text_counts(start: Any) -> None:
    assert (await responded(start, "r['body'] = 'new'; return call")).body == b"new"


async def test_row_129_status(start: Any) -> None:
    assert (await responded(start, "return {'response': {'status_code': 201}}")).status == 201
    assert (await responded(start, "return {'response': {'status_code': 0}}")).status == 200


async def test_row_130_131_headers_gain_and_lose(start: Any) -> None:
    edit = "r['headers']['X-New'] = '1'; del r['headers']['Content-Type']; return call"
    response = await responded(start, edit)
    assert response.headers.get(b"X-New") == b"1"
    assert b"Content-Type" not in response.headers


async def test_row_132_first_cookie_is_replaced(start: Any) -> None:
    response = await responded(start, "r['headers']['Set-Cookie'] = 'c=3'; return call")
    assert response.headers.get_all(b"Set-Cookie") == [b"c=3", b"b=\xe9"]


async def test_row_133_untouched_headers_stay(start: Any) -> None:
    assert without_length(await responded(start, "return call")) == COOKIES


async def test_row_134_only_multivalue_edited(start: Any) -> None:
    edit = "r['multivalue_headers'] = [{'key': 'X', 'values': ['1', '2']}]; return call"
    response = await responded(start, edit)
    assert without_length(response) == [(b"X", b"1"), (b"X", b"2")]


async def test_row_135_lost_multivalue_keeps_the_originals(start: Any) -> None:
    response = await responded(start, "del r['multivalue_headers']; return call")
    assert without_length(response) == COOKIES


@pytest.mark.parametrize("reply", ["{}", "{'response': {'status_code': 5}}", "None and 0 or []"])
async def test_row_136_137_no_response(start: Any, reply: str) -> None:
    gateway = await start.hook(f"return {reply}")
    exchange = make_exchange(response=Response(200, Headers(), b"secret"))
    assert await refusal_of(gateway.response(exchange)) == (500, "Middleware error")


async def test_row_140_override_in_a_response_hook_is_ignored(start: Any) -> None:
    edit = "call['request']['return_overrides']['response_code'] = 403; return call"
    assert (await responded(start, edit)).status == 200


async def test_head_keeps_its_length(start: Any) -> None:
    gateway = await start.hook("return {'response': {}}")
    exchange = make_exchange("HEAD")
    exchange.response = Response(200, Headers([(b"Content-Length", b"42")]), b"")
    await gateway.response(exchange)
    assert exchange.response.headers.get(b"Content-Length") == b"42"


async def test_response_hook_sees_the_request_without_its_listen_path(start: Any) -> None:
    definition = make_definition(proxy={"listen_path": "/l/", "strip_listen_path": True})
    body = "return {'response': {'body': json.dumps([call['request'], call['session']])}}"
    gateway = await start.hook(body, definition=definition)
    exchange = make_exchange("POST", "/l/x?a=1", body=b"sent", matched_prefix="/l/")
    exchange.response = Response(200, Headers(), b"")
    await gateway.response(exchange)
    request, session = json.loads(exchange.response.body)
    assert (request["url"], request["body"]) == ("/x?a=1", "sent")
    assert session["metadata"] == {}
