"""Answers that a hook gives instead of the upstream, in every style, for both drivers.

One table of overrides is written twice: as a script and as the reply of the stdio plugin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from site_kit import ACCEPT, RESPONSE_TRAIL, Site, error_page, is_refused

from support.raw_client import Answer

site = Site()


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site.running(tmp_path_factory.mktemp("overrides")) as started:
        yield started


def both(name: str, **overrides: Any) -> None:
    """Add `js-<name>` and `rich-<name>`, whose pre hook answers so."""
    javascript = {
        "ResponseCode": overrides.get("code", 0),
        "ResponseError": overrides.get("error", ""),
        "ResponseBody": overrides.get("body", ""),
        "ResponseHeaders": overrides.get("headers", {}),
        "OverrideError": overrides.get("raw", False),
    }
    rich = {
        "response_code": overrides.get("code", 0),
        "response_error": overrides.get("error", ""),
        "response_body": overrides.get("body", ""),
        "headers": overrides.get("headers", {}),
        "override_error": overrides.get("raw", False),
    }
    site.scripts(f"js-{name}", pre=[f"request.ReturnOverrides = {json.dumps(javascript)};"])
    site.plugin(f"rich-{name}", pre=[{"reply": {"request": {"return_overrides": rich}}}])


DRIVERS = pytest.mark.parametrize("driver", ["js", "rich"])


def answered(driver: str, name: str, *lines: str) -> Answer:
    """Ask this API and make sure that the upstream was not."""
    api = f"{driver}-{name}"
    answer = site.ask(f"/{api}/x", *lines)
    assert site.arrived(api) == []
    return answer


FOO = {"X-Foo": "Bar"}
both("ok-error", code=200, error='{"foo": "bar"}', headers=FOO)
both("ok-body", code=200, body="foobar", headers=FOO)
both("ok-both", code=200, body="no", error="yes", headers=FOO)
both("raw-400", code=400, body="foobar", raw=True, headers=FOO)
both("raw-401", code=401, error="foobar", raw=True, headers=FOO)
RAW = {
    "ok-error": (200, b'{"foo": "bar"}'),
    "ok-body": (200, b"foobar"),
    "ok-both": (200, b"yes"),
    "raw-400": (400, b"foobar"),
    "raw-401": (401, b"foobar"),
}


@DRIVERS
@pytest.mark.parametrize("name", RAW)
def test_raw_answers(driver: str, name: str) -> None:
    answer = answered(driver, name)
    assert (answer.status, answer.body) == RAW[name]
    assert answer.get("X-Foo") == "Bar"
    assert answer.get("Content-Type") == "text/plain; charset=utf-8"


def test_raw_answers_of_scripts_carry_tyks_headers() -> None:
    answer = answered("js", "ok-body")
    assert answer.get("Server") == "tyk"
    assert answer.get("Date")
    for part in ("Limit", "Remaining", "Reset"):
        assert answer.get(f"X-RateLimit-{part}") == "0"


both("error-400", code=400, body="foobar", headers=FOO)
both("error-403", code=403, error='say "no" </error>', headers=FOO)
both("error-both", code=418, body="no", error="yes", headers=FOO)
ERRORS = {
    "error-400": (400, b"foobar"),
    "error-403": (403, b'say \\"no\\"'),
    "error-both": (418, b"yes"),
}


@DRIVERS
@pytest.mark.parametrize("name", ERRORS)
def test_error_answers_are_json_pages(driver: str, name: str) -> None:
    answer = answered(driver, name)
    status, text = ERRORS[name]
    assert answer.status == status
    assert answer.body.startswith(b'{\n    "error": "' + text)
    assert json.loads(answer.body)
    assert answer.get("Content-Type") == "application/json"
    assert answer.get("X-Generator") == "tyk.io"
    assert answer.get("X-Foo") == "Bar"


@DRIVERS
@pytest.mark.parametrize("media", ["application/xml", "text/xml", "application/soap+xml"])
def test_error_answers_follow_the_requests_content_type(driver: str, media: str) -> None:
    answer = answered(driver, "error-403", f"Content-Type: {media}; charset=utf-8")
    assert answer.status == 403
    assert answer.get("Content-Type") == media
    assert answer.body.startswith(b'<?xml version = "1.0" encoding = "UTF-8"?>\n<error>')
    # The text cannot break out of its element.
    assert answer.body.count(b"</error>") == 1


both("redirect", code=301, headers={"Location": "https://elsewhere.test/a?b=c"})


@DRIVERS
def test_redirects(driver: str) -> None:
    answer = answered(driver, "redirect")
    assert (answer.status, answer.body) == (301, b"")
    assert answer.get("Location") == "https://elsewhere.test/a?b=c"


both("typed", code=400, body="<p>", headers={"Content-Type": "text/html"})


def test_only_rich_plugins_choose_the_content_type_of_error_pages() -> None:
    assert answered("rich", "typed").get("Content-Type") == "text/html"
    assert answered("js", "typed").get("Content-Type") == "application/json"


both("none", code=0, body="dropped", headers=FOO)


@DRIVERS
def test_code_zero_goes_on(driver: str) -> None:
    answer = site.ask(f"/{driver}-none/x")
    assert answer.status == 200
    assert answer.get("X-Foo") is None
    assert len(site.arrived(f"{driver}-none")) == 1


for code in (1, 99, 1000, 70000):
    both(f"code-{code}", code=code, body="x")
both("split", code=200, body="x", headers={"X-A": "1\r\nX-Injected: 1"})
both("split-error", code=400, body="x", headers={"X-A": "1\r\nX-Injected: 1"})
both(
    "framing",
    code=200,
    body="four",
    headers={"Content-Length": "1", "Transfer-Encoding": "chunked"},
)


@DRIVERS
@pytest.mark.parametrize(
    "name", ["code-1", "code-99", "code-1000", "code-70000", "split", "split-error"]
)
def test_answers_that_cannot_be_sent_are_refused(driver: str, name: str) -> None:
    answer = answered(driver, name)
    message = "Internal Server Error" if driver == "js" else "Middleware error"
    assert is_refused(answer, 500, message)
    assert answer.get("X-Injected") is None


@DRIVERS
def test_framing_is_the_gateways(driver: str) -> None:
    with site.client() as client:
        for _ in range(2):
            answer = client.get(f"/{driver}-framing/x")
            assert (answer.status, answer.body, answer.get("Content-Length")) == (200, b"four", "4")


site.plugin(
    "rich-quiet", pre=[{"reply": {"request": {"return_overrides": {"response_code": 403}}}}]
)
site.plugin(
    "rich-auth-code", auth={"reply": {"request": {"return_overrides": {"response_code": 302}}}}
)


def test_rich_refusal_without_a_text() -> None:
    assert is_refused(answered("rich", "quiet"), 403, "Key not authorised")


def test_override_below_400_in_an_auth_hook_answers_the_client() -> None:
    assert answered("rich", "auth-code").status == 302


site.scripts(
    "js-cookies",
    pre=[
        """
        request.ReturnOverrides.ResponseCode = "200";
        request.ReturnOverrides.ResponseHeaders["Set-Cookie"] = ["a=1", "b=2"];
        """
    ],
)
site.scripts(
    "js-alias", pre=['request.ReturnOverrides = {ResponseCode: 204, headers: {"X-A": "1"}};']
)


def test_scripts_set_headers_without_creating_the_object_and_several_times() -> None:
    answer = answered("js", "cookies")
    assert answer.status == 200
    assert [value for name, value in answer.fields if name == "Set-Cookie"] == ["a=1", "b=2"]


def test_scripts_may_use_the_documented_alias() -> None:
    answer = answered("js", "alias")
    assert (answer.status, answer.get("X-A")) == (204, "1")


ANSWER = 'request.ReturnOverrides = {ResponseCode: 200, ResponseBody: "from the hook"};'
site.scripts("js-late", post=[ANSWER], response=[RESPONSE_TRAIL])
site.scripts("js-early", pre=[ANSWER], response=[RESPONSE_TRAIL])
site.scripts("js-auth", auth=ANSWER + ACCEPT, response=[RESPONSE_TRAIL])
RICH_ANSWER = {
    "reply": {"request": {"return_overrides": {"response_code": 200, "response_body": "hook"}}}
}
site.plugin("rich-late", post=[RICH_ANSWER], response=[{"trail": 1}])


def test_response_hooks_run_on_answers_of_late_scripts_only() -> None:
    assert answered("js", "late").get("X-Trail") == "response0"
    assert answered("js", "early").get("X-Trail") is None
    assert answered("js", "auth").get("X-Trail") is None


def test_response_hooks_do_not_run_on_answers_of_rich_plugins() -> None:
    answer = answered("rich", "late")
    assert (answer.body, answer.get("X-Trail")) == (b"hook", None)


def test_refused_keys_get_the_page_byte_for_byte() -> None:
    assert answered("js", "error-400").body == error_page("foobar")
