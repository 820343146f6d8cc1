"""What a script gives back or says is bounded: the event loop has to carry all of it out."""

from __future__ import annotations

from typing import Any

import pytest

from propylon.errors import PluginError, Refusal
from propylon.http.headers import Headers
from propylon.http.message import Response
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.javascript.contract import Returned
from propylon.plugins.javascript.mutation import checked_url, edit_headers
from propylon.plugins.javascript.query import edit_query


async def refused_message(scene: Any, call: Any, statements: str, **config: Any) -> str:
    scene.start(**config)
    with pytest.raises(Refusal) as caught:
        await call(scene.body(statements).pre[0])
    assert caught.value.status == 500
    return scene.messages("error")[-1]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            "for (var i = 0; i < 1001; i++) request.SetHeaders['X-' + i] = '1';",
            "edits 1001 headers, more than 1000",
        ),
        (
            "for (var i = 0; i < 60000; i++) request.SetHeaders['X-' + i] = '1';",
            "edits 60000 headers, more than 1000",
        ),
        (
            "for (var i = 0; i < 1001; i++) request.DeleteHeaders.push('X-' + i);",
            "edits 1001 headers, more than 1000",
        ),
        (
            "request.Extra = 1; for (var i = 0; i < 2000; i++) request.SetHeaders['X-' + i] = '1';",
            "SetHeaders has 2000 entries, more than 1000",
        ),
        (
            "for (var i = 0; i < 20000; i++) request.AddParams['p' + i] = '1';",
            "edits 20000 parameters, more than 1000",
        ),
        (
            (
                "request.ExtendedParams.p = []; for (var i = 0; i < 1001; i++)"
                " request.ExtendedParams.p.push('1');"
            ),
            "edits 1001 parameters, more than 1000",
        ),
        (
            "for (var i = 0; i < 300; i++) request.SetHeaders['X-' + i] = 'y'.repeat(1000);",
            "more than 262144",
        ),
        (
            (
                "var a = []; for (var i = 0; i < 1001; i++) a.push('x');"
                "request.ReturnOverrides.ResponseCode = 200;"
                "request.ReturnOverrides.ResponseHeaders = {A: a};"
            ),
            "ResponseHeaders['A'] has 1001 entries, more than 1000",
        ),
        (
            (
                "request.ReturnOverrides.ResponseCode = 200;"
                "request.ReturnOverrides.ResponseHeaders = {A: 'y'.repeat(300000)};"
            ),
            "more than 262144",
        ),
    ],
)
async def test_answers_with_too_many_edits_are_refused(
    scene: Any, call: Any, statements: str, message: str
) -> None:
    assert message in await refused_message(scene, call, statements, jsvm_timeout=5)


async def test_a_thousand_edits_are_carried_out(scene: Any, call: Any) -> None:
    loaded = scene.body(
        "for (var i = 0; i < 1000; i++) {"
        " request.SetHeaders['X-' + i] = '1'; request.AddParams['p' + i] = '1'; }"
    )
    exchange, _ = await call(loaded.pre[0])
    assert len(exchange.request.headers) == 1000
    assert exchange.request.url.count("&") == 999


@pytest.mark.parametrize("keeps_spelling", [False, True])
def test_headers_are_edited_in_the_order_of_the_contract(keeps_spelling: bool) -> None:
    headers = Headers([(b"A", b"1"), (b"B", b"2"), (b"A", b"3"), (b"Content-Length", b"5")])
    returned = Returned(
        delete_headers=["b", "content-length"],
        set_headers={"a": "4", "b": "5", "A": "6", "host": "x", "content-length": "9", "c": "7"},
    )
    edit_headers(headers, returned, keeps_spelling=keeps_spelling)
    if keeps_spelling:
        assert headers.items == [
            (b"Content-Length", b"5"), (b"b", b"5"), (b"A", b"6"), (b"c", b"7")
        ]  # fmt: skip
    else:
        assert headers.items == [
            (b"A", b"6"), (b"Content-Length", b"5"), (b"B", b"5"), (b"C", b"7")
        ]  # fmt: skip


def test_a_refused_edit_changes_nothing() -> None:
    headers = Headers([(b"A", b"1")])
    with pytest.raises(PluginError):
        edit_headers(
            headers,
            Returned(delete_headers=["A"], set_headers={"B": "x" * 300_000}),
            keeps_spelling=False,
        )
    assert headers.items == [(b"A", b"1")]


def test_a_query_keeps_its_order_where_parameters_are_replaced() -> None:
    query = "a=1&b=2&a=3&%zz&c=4&d=%20"
    edited = edit_query(
        query, delete=["c", "e"], replace={"a": "9", "d": " ", "e": "5"}, append={"a": ["8"]}
    )
    assert edited == "a=9&b=2&%zz&d=%20&e=5&a=8"


@pytest.mark.parametrize("url", ["tyk://self/x", "TYK://self/x", "Tyk://x"])
def test_internal_redirects_are_refused_in_any_case(url: str) -> None:
    with pytest.raises(PluginError, match="internal redirect"):
        checked_url(url)


def logged(scene: Any, level: str) -> list[str]:
    return [each["event"] for each in scene.logs.entries if each["log_level"] == level]


@pytest.mark.parametrize(
    ("speaker", "level"), [("log", "info"), ("rawlog", "critical"), ("console.error", "error")]
)
async def test_what_a_call_logs_is_bounded_in_bytes(
    scene: Any, call: Any, speaker: str, level: str
) -> None:
    scene.start(jsvm_timeout=10)
    loaded = scene.body(f"var s = 'x'.repeat(1000000); for (var i = 0; i < 100; i++) {speaker}(s);")
    await call(loaded.pre[0])
    lines = logged(scene, level)
    assert 0 < max(map(len, lines)) < 8 * 1024 + 100
    assert sum(map(len, lines)) <= 256 * 1024
    assert lines[0].startswith("xxx")
    assert "characters left out" in lines[0]
    dropped = 100 - len(lines)
    assert [f"{dropped} log lines of this call were dropped"] == [
        each for each in logged(scene, "warning") if "dropped" in each
    ]


async def test_short_lines_are_bounded_in_number(scene: Any, call: Any) -> None:
    loaded = scene.body("for (var i = 0; i < 1500; i++) log('x');")
    await call(loaded.pre[0])
    assert logged(scene, "info") == ["x"] * 1000
    assert "500 log lines of this call were dropped" in logged(scene, "warning")


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("piece", "size"),
    [(b"y", 15 * MIB), (b"\xc3\xa9", 15 * MIB), (b"\xff", 3 * MIB), (b"\0", 4 * MIB)],
)
async def test_the_documented_bodies_fit_into_the_default_memory(
    scene: Any, call: Any, new_exchange: Any, piece: bytes, size: int
) -> None:
    scene.start(jsvm_timeout=30)
    loaded = scene.body("request.Body = request.Body + '!';")
    body = piece * (size // len(piece))
    exchange, _ = await call(loaded.pre[0], new_exchange(method="POST", body=body))
    assert exchange.request.body == body + b"!"


@pytest.mark.parametrize(("memory", "size"), [(8, 6 * MIB), (2, 6 * MIB)])
async def test_a_body_that_is_too_big_fails_its_call_only(
    scene: Any, call: Any, new_exchange: Any, memory: int, size: int
) -> None:
    scene.start(jsvm_timeout=30, javascript={"memory_mb": memory})
    loaded = scene.body("request.Body = request.Body + '!';")
    step = loaded.pre[0]
    await call(step, new_exchange(method="POST", body=b"y" * 200_000))
    process = scene.host._pool._idle[0]._process.pid
    with pytest.raises(Refusal):
        await call(step, new_exchange(method="POST", body=b"y" * size))
    expected = f"JS middleware used more than {memory} MiB (the body has {size} bytes)"
    assert expected in scene.messages("error")
    await call(step, new_exchange(method="POST", body=b"y" * 200_000))
    assert scene.host._pool._idle[0]._process.pid == process


async def test_an_answer_that_the_binding_refuses_does_not_end_the_process(
    scene: Any, call: Any, new_exchange: Any
) -> None:
    scene.start(jsvm_timeout=30, javascript={"memory_mb": 16})
    loaded = scene.body(
        "if (request.Params.big) { request.Body = 'y'.repeat(9e6); request.ReturnOverrides ="
        " {ResponseCode: 200, ResponseBody: request.Body}; }"
    )
    step = loaded.pre[0]
    body = b"y" * 200_000
    await call(step, new_exchange(method="POST", body=body))
    process = scene.host._pool._idle[0]._process.pid
    with pytest.raises(Refusal):
        await call(step, new_exchange(method="POST", url="/?big=1", body=body))
    await call(step, new_exchange(method="POST", body=body))
    assert scene.host._pool._idle[0]._process.pid == process


@pytest.mark.parametrize("member", ["SessionMeta", "Other"])
@pytest.mark.parametrize("odd", ["", "request.Odd = '\\ud800';"])
async def test_deep_nesting_is_refused_as_the_hooks_fault(
    scene: Any, call: Any, member: str, odd: str
) -> None:
    scene.start(jsvm_timeout=5)
    loaded = scene.body(
        f"var o = {{}}; for (var i = 0; i < 1200; i++) o = {{o: o}}; {odd}"
        f"return {{Request: request, {member}: o}};"
    )
    with pytest.raises(Refusal) as caught:
        await call(loaded.pre[0])
    assert caught.value.status == 500
    line = scene.logs.entries[-1]
    assert "nested too deeply" in line["event"]
    assert line["hook"] == "pre:m"
    assert line["at"].endswith("plugin.js")


async def test_a_name_that_is_no_text_is_refused_as_the_hooks_fault(scene: Any, call: Any) -> None:
    with pytest.raises(Refusal) as caught:
        await call(scene.body("request.SetHeaders['X-\\ud800'] = '1';").pre[0])
    assert caught.value.status == 500
    assert "is not allowed" in scene.messages("error")[-1]


@pytest.mark.parametrize(
    ("edit", "end", "piece", "size"),
    [
        ("response.Body += '!';", b"!", b"y", 15 * MIB),
        ("response.Body += '!';", b"!", b"\xff", 3 * MIB),
        ("", b"", b"y", 30 * MIB),
        ("", b"", b"\xff", 7 * MIB),
    ],
)
async def test_the_documented_bodies_fit_through_response_hooks(
    scene: Any, call: Any, new_exchange: Any, edit: str, end: bytes, piece: bytes, size: int
) -> None:
    scene.start(jsvm_timeout=30)
    text = (
        "var m = new TykJS.TykMiddleware.NewMiddleware({});"
        "m.NewProcessResponse(function (response, request) {"
        f" {edit} return m.ReturnResponseData(response, {{}}); }});"
    )
    loaded = scene.load(Hook(HookType.RESPONSE, "m", scene.file(text)))
    exchange = new_exchange()
    exchange.response = Response(200, Headers([]), piece * size)
    await call(loaded.response[0], exchange)
    assert exchange.response.body == piece * size + end
