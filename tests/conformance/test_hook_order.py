"""Hooks run in the order of the chain, per API, in list order, whatever the driver.

Every hook appends its name to one header, so what the upstream and the client get is the proof.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from site_kit import (
    ACCEPT,
    RESPONSE_TRAIL,
    TRAIL,
    Site,
    always,
    error_page,
    extended_paths,
    inline,
    is_refused,
    javascript,
)

site = Site()


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site.running(tmp_path_factory.mktemp("order")) as started:
        yield started


ALL = {kind: [TRAIL, TRAIL] for kind in ("pre", "post_key_auth", "post")}
PLUGIN_ALL = {kind: [{"trail": 1}] * 2 for kind in ("pre", "post_key_auth", "post", "response")}

site.scripts("js-keyed", auth=TRAIL + ACCEPT, response=[RESPONSE_TRAIL] * 2, **ALL)
site.plugin("rich-keyed", auth={"trail": 1}, **PLUGIN_ALL)


@pytest.mark.parametrize("api", ["js-keyed", "rich-keyed"])
def test_all_hooks_of_a_keyed_api_in_order(api: str) -> None:
    answer = site.ask(f"/{api}/x")
    assert answer.status == 200
    assert site.last(api).get("X-Trail") == (
        "pre0 pre1 auth0 post_key_auth0 post_key_auth1 post0 post1"
    )
    assert answer.get("X-Trail") == "response0 response1"


site.scripts("js-keyless", auth=TRAIL + ACCEPT, response=[RESPONSE_TRAIL], **ALL, use_keyless=True)
site.plugin("rich-keyless", auth={"trail": 1}, **PLUGIN_ALL, use_keyless=True)


@pytest.mark.parametrize("api", ["js-keyless", "rich-keyless"])
def test_keyless_apis_have_neither_auth_nor_post_key_auth_hooks(api: str) -> None:
    assert site.ask(f"/{api}/x").status == 200
    assert site.last(api).get("X-Trail") == "pre0 pre1 post0 post1"


site.scripts(
    "js-denied",
    auth='request.ReturnOverrides = {ResponseCode: 401, ResponseError: "no"};',
    **ALL,
)
site.plugin(
    "rich-denied",
    auth={
        "reply": {"request": {"return_overrides": {"response_code": 401, "response_error": "no"}}}
    },
    **PLUGIN_ALL,
)
site.plugin("report", pre=[{"report": "rich-denied"}])


@pytest.mark.parametrize("api", ["js-denied", "rich-denied"])
def test_refused_credentials_end_the_chain(api: str) -> None:
    assert is_refused(site.ask(f"/{api}/x"), 401, "no")
    assert site.arrived(api) == []


def test_post_key_auth_hooks_are_not_called_after_a_refusal() -> None:
    site.ask("/rich-denied/x")
    called = site.ask("/report/").body
    assert b"auth0" in called
    assert b"post" not in called


IGNORED = extended_paths(ignored=[always("/open"), {"path": "/closed-for-post", "method": "GET"}])
site.scripts("js-ignored", auth="throw new Error('never');", version_data=IGNORED, **ALL)
site.plugin("rich-ignored", auth={"fault": "error"}, version_data=IGNORED, **PLUGIN_ALL)


@pytest.mark.parametrize("api", ["js-ignored", "rich-ignored"])
def test_ignored_paths_skip_authentication_only(api: str) -> None:
    assert site.ask(f"/{api}/open").status == 200
    assert site.last(api).get("X-Trail") == "pre0 pre1 post_key_auth0 post_key_auth1 post0 post1"
    assert site.ask(f"/{api}/other").status in (403, 500)
    assert len(site.arrived(api)) == 1


REQUIRING = TRAIL + 'request.SetHeaders["X-Session"] = String(session);'


def test_post_key_auth_with_a_session_copes_with_none_on_ignored_paths() -> None:
    assert site.ask("/js-no-session/open").status == 200
    assert site.last("js-no-session").get("X-Session") == "null"


site.file("scripts/no-session.js", javascript("look", REQUIRING))
site.api(
    "js-no-session",
    use_keyless=False,
    custom_plugin_auth_enabled=True,
    version_data=IGNORED,
    custom_middleware={
        "driver": "otto",
        "auth_check": {"name": "look", "path": "scripts/no-session.js"},
        "post_key_auth": [
            {"name": "look", "path": "scripts/no-session.js", "require_session": True}
        ],
    },
)


MOCKED = extended_paths(
    white_list=[
        always("/mock", action="reply", code=202, data="mocked", headers={"X-Mock": "1"}),
        always("/real"),
    ],
    black_list=[always("/forbidden")],
)
site.scripts("js-lists", pre=["throw new Error('never');"], version_data=MOCKED)
site.plugin("rich-lists", pre=[{"fault": "error"}], version_data=MOCKED)


@pytest.mark.parametrize("api", ["js-lists", "rich-lists"])
def test_lists_and_mocks_come_before_pre_hooks(api: str) -> None:
    mocked = site.ask(f"/{api}/mock")
    assert (mocked.status, mocked.body, mocked.get("X-Mock")) == (202, b"mocked", "1")
    forbidden = site.ask(f"/{api}/forbidden")
    assert is_refused(forbidden, 403, "Requested endpoint is forbidden")
    assert site.ask(f"/{api}/real").status == 500
    assert site.arrived(api) == []


CORS = {
    "enable": True,
    "allowed_origins": ["https://a.test"],
    "allowed_methods": ["GET", "PUT"],
    "allowed_headers": ["X-One"],
}
PREFLIGHT = (
    "Origin: https://a.test",
    "Access-Control-Request-Method: PUT",
    "Access-Control-Request-Headers: X-One",
)
site.scripts("js-cors", pre=["throw new Error('never');"], CORS=CORS)
site.plugin("rich-cors", pre=[{"fault": "error"}], CORS=CORS)


@pytest.mark.parametrize("api", ["js-cors", "rich-cors"])
def test_preflight_is_answered_before_pre_hooks(api: str) -> None:
    answer = site.ask(f"/{api}/x", *PREFLIGHT, method="OPTIONS")
    assert answer.status == 204
    assert answer.get("Access-Control-Allow-Origin") == "https://a.test"
    assert answer.get("Access-Control-Allow-Methods") == "PUT"
    # The same API refuses what its failing hook sees.
    failed = site.ask(f"/{api}/x", "Origin: https://a.test")
    assert failed.status == 500
    assert failed.get("Access-Control-Allow-Origin") == "https://a.test"
    assert site.arrived(api) == []


PASSING = {**CORS, "options_passthrough": True}
site.scripts("js-through", auth="throw new Error('never');", CORS=PASSING, **ALL)
site.plugin("rich-through", auth={"fault": "error"}, CORS=PASSING, **PLUGIN_ALL)


@pytest.mark.parametrize("api", ["js-through", "rich-through"])
def test_options_passthrough_skips_every_hook(api: str) -> None:
    assert site.ask(f"/{api}/x", *PREFLIGHT, method="OPTIONS").status == 200
    received = site.last(api)
    assert received.method == "OPTIONS"
    assert received.get("X-Trail") is None
    assert site.ask(f"/{api}/x").status in (403, 500)
    assert len(site.arrived(api)) == 1


STOP = (
    'request.ReturnOverrides.ResponseCode = 203; request.ReturnOverrides.ResponseBody = "{name}";'
)
site.scripts("js-first-wins", pre=[TRAIL, STOP, "throw new Error('never');"])
site.plugin(
    "rich-first-wins",
    pre=[
        {"trail": 1},
        {
            "reply": {
                "request": {"return_overrides": {"response_code": 203, "response_body": "pre1"}}
            }
        },
        {"fault": "error"},
    ],
)


@pytest.mark.parametrize("api", ["js-first-wins", "rich-first-wins"])
def test_an_answer_ends_the_list(api: str) -> None:
    answer = site.ask(f"/{api}/x")
    assert (answer.status, answer.body) == (203, b"pre1")
    assert site.arrived(api) == []


def _disabled(hooks: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**each, "disabled": number == 1} for number, each in enumerate(hooks)]


site.api(
    "js-disabled",
    custom_middleware={
        "driver": "otto",
        "pre": _disabled(
            [
                {"name": "one", "path": site.file("scripts/one.js", javascript("one", TRAIL))},
                {"name": "gone", "path": "scripts/there-is-no-such-file.js"},
            ]
        ),
    },
)
site.api(
    "rich-disabled",
    config_data={"one": {"trail": 1}},
    custom_middleware={"driver": "jsonrpc", "pre": _disabled([{"name": "one"}, {"name": "gone"}])},
)


@pytest.mark.parametrize("api", ["js-disabled", "rich-disabled"])
def test_disabled_hooks_do_not_run(api: str) -> None:
    assert site.ask(f"/{api}/x").status == 200
    assert site.last(api).get("X-Trail") is not None


# -- where JavaScript comes from -----------------------------------------------------------------

DOOR = javascript("door", TRAIL.replace("{name}", "auth/door") + ACCEPT)
for folder, name in (
    ("pre", "b"),
    ("pre", "a"),
    ("post_auth", "f_with_session"),
    ("post", "p"),
):
    trail = TRAIL.replace("{name}", f"{folder}/{name}")
    site.file(f"middleware/js-folder/{folder}/{name}.more.js", javascript(name, trail))
site.file("middleware/js-folder/auth/door.js", DOOR)
site.scripts("js-folder", auth="throw new Error('replaced by the folder');", **ALL)


def test_folder_files_run_beside_the_definition() -> None:
    assert site.ask("/js-folder/x").status == 200
    assert site.last("js-folder").get("X-Trail") == (
        "pre0 pre1 pre/a pre/b auth/door post_auth/f_with_session"
        " post_key_auth0 post_key_auth1 post0 post1 post/p"
    )


site.api(
    "js-inline",
    custom_middleware={
        "driver": "javascript",
        "pre": [
            {"name": "same", "code": inline(javascript("same", TRAIL.replace("{name}", "first")))},
            {
                "name": "same",
                "code": inline(javascript("same", TRAIL.replace("{name}", "second"))),
                "path": "scripts/there-is-no-such-file.js",
            },
        ],
    },
)
site.api(
    "js-empty-driver",
    custom_middleware={
        "pre": [{"name": "two", "path": site.file("scripts/two.js", javascript("two", TRAIL))}]
    },
)


def test_inline_hooks_of_one_name_both_run_and_code_wins_over_path() -> None:
    assert site.ask("/js-inline/x").status == 200
    assert site.last("js-inline").get("X-Trail") == "first second"


def test_empty_driver_with_a_js_path_is_otto() -> None:
    assert site.ask("/js-empty-driver/x").status == 200
    assert site.last("js-empty-driver").get("X-Trail") is not None


# -- the aliases of plugin authentication --------------------------------------------------------

CHECK = (
    'if (request.Headers["Authorization"] == "right") { ' + ACCEPT + " }"
    ' request.ReturnOverrides = {ResponseCode: 401, ResponseError: "who are you?"};'
)
ALIASES = ("custom_plugin_auth_enabled", "enable_coprocess_auth", "use_go_plugin_auth")
for alias in ALIASES:
    flags = {each: each == alias for each in ALIASES}
    site.scripts(f"js-{alias}", auth=CHECK, **flags)
    site.plugin(f"rich-{alias}", auth={"trail": 1}, **flags)


@pytest.mark.parametrize("alias", ALIASES)
def test_every_spelling_turns_plugin_authentication_on(alias: str) -> None:
    api = f"js-{alias}"
    assert is_refused(site.ask(f"/{api}/"), 401, "who are you?")
    assert is_refused(site.ask(f"/{api}/", "Authorization: wrong"), 401, "who are you?")
    assert site.arrived(api) == []
    assert site.ask(f"/{api}/", "Authorization: right").status == 200
    assert site.ask(f"/rich-{alias}/").status == 200
    assert site.last(f"rich-{alias}").get("X-Trail") == "auth0"


SESSIONS = {
    "expired": ({"expires": 1000}, 401, "Key has expired, please renew"),
    "inactive": ({"is_inactive": True}, 403, "Key is inactive, please renew"),
    "elsewhere": (
        {"access_rights": {"another": {"api_id": "another", "versions": ["Default"]}}},
        403,
        "Access to this API has been disallowed",
    ),
}
for word, (fields, _, _) in SESSIONS.items():
    text = str(fields).replace("True", "true")
    accept = f'return {{Request: request, Session: {text}, AuthValue: "k"}};'
    site.scripts(f"js-{word}", auth=accept, post_key_auth=[TRAIL])
    session = {"metadata": {"token": "k"}, **fields}
    site.plugin(
        f"rich-{word}",
        auth={"edit": {"session": session}},
        post_key_auth=[{"trail": 1}],
    )


@pytest.mark.parametrize("driver", ["js", "rich"])
@pytest.mark.parametrize("word", SESSIONS)
def test_the_session_of_a_plugin_is_checked(driver: str, word: str) -> None:
    _, status, message = SESSIONS[word]
    api = f"{driver}-{word}"
    answer = site.ask(f"/{api}/")
    assert (answer.status, answer.body) == (status, error_page(message))
    assert site.arrived(api) == []


for number, fields in enumerate(({"apply_policies": ["gold"]}, {"apply_policy_id": "gold"})):
    accept = f'return {{Request: request, Session: {fields}, AuthValue: "k"}};'
    site.scripts(f"js-policy-{number}", auth=accept)
    site.plugin(
        f"rich-policy-{number}", auth={"edit": {"session": {"metadata": {"token": "k"}, **fields}}}
    )


@pytest.mark.parametrize("number", [0, 1])
def test_a_session_with_an_unknown_policy_is_refused(number: int) -> None:
    """No policy is known yet, and a session without its policy would be allowed everything."""
    answer = site.ask(f"/js-policy-{number}/")
    assert is_refused(answer, 403, "Access to this API has been disallowed")
    assert is_refused(site.ask(f"/rich-policy-{number}/"), 403, "Forbidden")
    for driver in ("js", "rich"):
        assert site.arrived(f"{driver}-policy-{number}") == []


site.scripts("js-no-id", auth="return {Request: request, Session: {}};")


def test_a_warning_about_a_script_is_said_once() -> None:
    assert site.gateway is not None
    for _ in range(3):
        assert site.ask("/js-no-id/").status == 200
    message = "the hook returned no AuthValue: an id is derived from the session"
    site.gateway.wait_for_log(message, api_id="js-no-id")
    since = len(site.gateway.log)
    site.ask("/js-no-id/")
    site.ask("/js-throws-once/")
    # A later line of the same log: whatever came before it has been read.
    site.gateway.wait_for_log("Failed to run JS middleware: Error: once", since=since)
    lines = [line for line in site.gateway.log if line.get("message") == message]
    assert len(lines) == 1


site.scripts("js-throws-once", pre=["throw new Error('once');"])
