"""Whatever goes wrong in a hook refuses the request: the upstream never hears of it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from site_kit import Site, coprocess, inline, is_refused, javascript

site = Site()


@pytest.fixture(scope="module", autouse=True)
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site.running(tmp_path_factory.mktemp("failures")) as started:
        yield started


# -- JavaScript ------------------------------------------------------------------------------------

BOMB = "var all = []; for (;;) all.push(new Array(100000).join('x') + all.length);"
STATEMENTS = {
    "throws": "throw new Error('no');",
    "throws-null": "throw null;",
    "loops": "for (;;) {}",
    "catches": "for (;;) { try { for (;;) {} } catch (e) {} }",
    "bomb": BOMB,
    "regex": "/^(a+)+$/.test(new Array(60).join('a') + '!');",
    "recursion": "(function f() { return f() + 1; })();",
    "nothing": "return;",
    "bare": "return request;",
    "text": "return 'x';",
    "number": "return {Request: 5};",
    "types": "return {Request: {SetHeaders: [1]}};",
    "session-type": "return {Request: request, Session: 'x'};",
    "cycle": "request.self = request;",
    "undefined-helper": "nobodyDefinedThis(request);",
    "rejects": "return Promise.reject(new Error('no'));",
    "never-settles": "return new Promise(function () {});",
    "replaces-json": "JSON.stringify = function () { return 'x'; }; throw 1;",
}
for word, statements in STATEMENTS.items():
    site.scripts(f"js-{word}", pre=[statements])
    site.scripts(f"js-auth-{word}", auth=statements)

TOP = "throw 1;" + javascript("m", "")
SOURCES = {
    "missing-file": {"name": "m", "path": "scripts/nobody-wrote-this.js"},
    "syntax": {"name": "m", "path": site.file("scripts/syntax.js", "var m = ;")},
    "inline-syntax": {"name": "m", "code": inline("var m = ;")},
    "inline-base64": {"name": "m", "code": "%%%"},
    "no-object": {"name": "other", "path": site.file("scripts/m.js", javascript("m", ""))},
    "no-name": {"name": "", "path": "scripts/m.js"},
    "evil-name": {"name": "m;evil()", "path": "scripts/m.js"},
    "extension": {"name": "m", "path": site.file("scripts/m.txt", javascript("m", ""))},
    "no-source": {"name": "m"},
    "top-level": {
        "name": "m",
        "path": site.file("scripts/top.js", TOP),
    },
}
for word, entry in SOURCES.items():
    site.api(f"js-{word}", custom_middleware={"driver": "otto", "pre": [entry]})
    site.api(
        f"js-auth-{word}",
        use_keyless=False,
        custom_plugin_auth_enabled=True,
        custom_middleware={"driver": "otto", "auth_check": entry},
    )


@pytest.mark.parametrize("kind", ["", "auth-"])
@pytest.mark.parametrize("word", [*STATEMENTS, *SOURCES])
def test_failing_scripts_refuse(kind: str, word: str) -> None:
    api = f"js-{kind}{word}"
    assert is_refused(site.ask(f"/{api}/x"), 500, "Internal Server Error")
    assert site.arrived(api) == []


for word, statements in STATEMENTS.items():
    if word not in ("bare", "types", "cycle", "session-type", "replaces-json"):
        site.scripts(f"js-back-{word}", response=[statements])


@pytest.mark.parametrize("word", ["throws", "loops", "nothing", "number", "rejects", "bomb"])
def test_failing_response_scripts_hide_the_answer(word: str) -> None:
    answer = site.ask(f"/js-back-{word}/echo")
    assert is_refused(answer, 500, "Middleware error")
    assert answer.get("X-Generator") == "tyk.io"


LOOPING = 'log("looping from here"); '
site.scripts("js-slow", pre=[LOOPING, STATEMENTS["loops"]])
site.scripts("js-quick", pre=[""])
site.plugin("rich-quick", pre=[{"trail": 1}])


def test_a_looping_script_delays_nobody_else() -> None:
    assert site.gateway is not None
    finished: list[str] = []

    def loop() -> None:
        assert site.ask("/js-slow/x").status == 500
        finished.append("loop")

    looping = threading.Thread(target=loop)
    looping.start()
    site.gateway.wait_for_log("looping from here")
    for _ in range(5):
        assert site.ask("/js-quick/x").status == 200
        assert site.ask("/rich-quick/x").status == 200
    finished.append("others")
    looping.join(20)
    assert finished == ["others", "loop"]


def test_the_gateway_lives_on_after_a_memory_bomb() -> None:
    assert site.ask("/js-bomb/x").status == 500
    assert site.ask("/js-quick/x").status == 200


def test_many_loops_at_once_are_all_refused() -> None:
    """More than there are processes for scripts that run apart."""
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(site.ask("/js-loops/x").status))
        for _ in range(12)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert statuses == [500] * 12
    assert site.arrived("js-loops") == []


# -- rich plugins ----------------------------------------------------------------------------------

FAULTS = ("error", "text", "types", "never")
REPLIES: dict[str, Any] = {
    "no-request": {"reply": {}},
    "no-object": {"reply": None},
    "list": {"reply": []},
    "bad-code": {"reply": {"request": {"return_overrides": {"response_code": "x"}}}},
    "bad-body": {"reply": {"request": {"raw_body": "%%%"}}},
}
for fault in FAULTS:
    REPLIES[fault] = {"fault": fault}
for word, behaviour in REPLIES.items():
    site.plugin(f"rich-{word}", pre=[behaviour])
    site.plugin(f"rich-post-{word}", post=[behaviour])
    site.plugin(f"rich-auth-{word}", auth=behaviour)
    site.plugin(f"rich-back-{word}", response=[behaviour])


@pytest.mark.parametrize("word", REPLIES)
def test_failing_plugins_refuse(word: str) -> None:
    assert is_refused(site.ask(f"/rich-{word}/x"), 500, "Middleware error")
    assert is_refused(site.ask(f"/rich-auth-{word}/x"), 403, "Key not authorised")
    assert is_refused(site.ask(f"/rich-post-{word}/x"), 500, "Middleware error")
    for api in (f"rich-{word}", f"rich-auth-{word}", f"rich-post-{word}"):
        assert site.arrived(api) == []


@pytest.mark.parametrize("word", ["error", "text", "no-request", "never"])
def test_failing_response_plugins_hide_the_answer(word: str) -> None:
    answer = site.ask(f"/rich-back-{word}/echo")
    assert is_refused(answer, 500, "Middleware error")


def test_a_plugin_that_never_answers_meets_the_deadline() -> None:
    assert site.gateway is not None
    since = len(site.gateway.log)
    assert site.ask("/rich-never/x").status == 500
    line = site.gateway.wait_for_log("Dispatch error", since=since)
    assert "coprocess_timeout_ms" in line["error"]


READY = "the plugin is ready"


def test_deadly_faults_refuse_and_the_plugin_comes_back(tmp_path: Any) -> None:
    deadly = Site()
    for fault in ("garbage", "die"):
        deadly.plugin(f"{fault}-pre", pre=[{"fault": fault}])
        deadly.plugin(f"{fault}-auth", auth={"fault": fault})
        deadly.plugin(f"{fault}-response", response=[{"fault": fault}])
    deadly.plugin("quick", pre=[{"trail": 1}])
    with deadly.running(tmp_path):
        gateway = deadly.gateway
        assert gateway is not None
        gateway.wait_for_log(READY)
        for api in deadly.api_ids:
            since = len(gateway.log)
            answer = deadly.ask(f"/{api}/x")
            if api == "quick":
                assert answer.status == 200
                continue
            if api.endswith("auth"):
                assert is_refused(answer, 403, "Key not authorised")
            else:
                assert is_refused(answer, 500, "Middleware error")
            assert len(deadly.arrived(api)) == api.endswith("response")
            gateway.wait_for_log(READY, since=since)


def test_no_request_passes_unauthenticated_while_the_plugin_is_killed(tmp_path: Any) -> None:
    guarded = Site()
    guarded.plugin("guard", auth={"trail": 1})
    guarded.plugin("die", pre=[{"fault": "die"}])
    statuses: list[int] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            statuses.append(guarded.ask("/guard/x").status)

    with guarded.running(tmp_path):
        gateway = guarded.gateway
        assert gateway is not None
        ready = gateway.wait_for_log(READY)
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for each in threads:
            each.start()
        try:
            for number in range(4):
                since = len(gateway.log)
                if number == 0:
                    assert guarded.ask("/die/x").status == 500
                else:
                    os.kill(ready["pid"], signal.SIGKILL)
                ready = gateway.wait_for_log(READY, since=since)
        finally:
            enough.set()
            for each in threads:
                each.join(30)
        assert guarded.ask("/guard/x").status == 200
        assert set(statuses) == {200, 403}
        arrived = guarded.arrived("guard")
        assert len(arrived) == statuses.count(200) + 1
        assert {each.get("X-Trail") for each in arrived} == {"auth0"}


# -- drivers that are not there ------------------------------------------------------------------


def _absent(**config: Any) -> Site:
    absent = Site(**config)
    absent.plugin("pre", pre=[{"trail": 1}])
    absent.plugin("post", post=[{"trail": 1}])
    absent.plugin("response", response=[{"trail": 1}])
    absent.plugin("auth", auth={"trail": 1})
    absent.scripts("js", pre=[""])
    absent.scripts("js-auth", auth="")
    absent.scripts("js-response", response=[""])
    return absent


def test_drivers_that_are_switched_off(tmp_path: Any) -> None:
    off = _absent(coprocess_options={"enable_coprocess": False}, enable_jsvm=False)
    with off.running(tmp_path):
        # As in Tyk: request hooks of disabled rich plugins do not exist, and the log says so.
        assert off.ask("/pre/x").status == 200
        assert off.ask("/post/x").status == 200
        assert is_refused(off.ask("/response/x"), 500, "Middleware error")
        # An API that nobody could authenticate is not there at all.
        answer = off.ask("/auth/x")
        assert (answer.status, answer.body) == (404, b"Not Found")
        for api in ("js", "js-auth"):
            assert is_refused(off.ask(f"/{api}/x"), 500, "middleware error")
        for api in ("auth", "js", "js-auth"):
            assert off.arrived(api) == []


@pytest.mark.parametrize("command", ["", "/there/is/no/such/program"])
def test_a_plugin_that_does_not_run(tmp_path: Any, command: str) -> None:
    gone = _absent(coprocess_options=coprocess(coprocess_command=command))
    message = "Middleware error" if command else "Internal Server Error"
    with gone.running(tmp_path):
        assert is_refused(gone.ask("/pre/x"), 500, message)
        assert is_refused(gone.ask("/post/x"), 500, message)
        if command:
            assert is_refused(gone.ask("/auth/x"), 403, "Key not authorised")
        else:
            assert is_refused(gone.ask("/auth/x"), 500, message)
        assert is_refused(gone.ask("/response/x"), 500, "Middleware error")
        for api in ("pre", "post", "auth"):
            assert gone.arrived(api) == []


def test_a_full_queue_refuses(tmp_path: Any) -> None:
    options = coprocess(coprocess_max_in_flight=1, coprocess_max_queue=1, coprocess_timeout_ms=2000)
    full = Site(coprocess_options=options)
    full.plugin("stuck", pre=[{"fault": "never"}])
    with full.running(tmp_path):
        clients = [full.client() for _ in range(6)]
        for each in clients:
            each.send(b"GET /stuck/x HTTP/1.1\r\nHost: h\r\n\r\n")
        answers = [each.answer() for each in clients]
        for each in clients:
            each.close()
        assert all(is_refused(answer, 500, "Middleware error") for answer in answers)
        assert full.arrived("stuck") == []
        assert full.gateway is not None
        full.gateway.wait_for_log("Dispatch error")
        reasons = [str(line.get("error")) for line in full.gateway.log]
        assert any("coprocess_max_queue" in reason for reason in reasons)
