"""No mutation that one request makes may be seen by the next (javascript-plugins 2.5)."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from propylon.errors import Refusal
from propylon.plugins.hook import Hook, HookType

# Each attack runs in a first request; the probe runs in the next one and must report "clean".
ATTACKS = [
    ("implicit global", "leak = 1", "typeof leak"),
    ("module variable", "count++; top.push(1)", "count === 0 && top.length === 0"),
    ("global property", "globalThis.leak = 1", "typeof globalThis.leak"),
    ("symbol property", "globalThis[Symbol.for('x')] = 1", "typeof globalThis[Symbol.for('x')]"),
    (
        "defined property",
        "Object.defineProperty(globalThis, 'leak', {value: 1})",
        "typeof globalThis.leak",
    ),
    ("object prototype", "({}).constructor.prototype.leak = 1", "typeof ({}).leak"),
    ("hidden prototype", "Object.getPrototypeOf({}).leak = 1", "typeof ({}).leak"),
    ("proto getter", "({})['__pro' + 'to__'].leak = 1", "typeof ({}).leak"),
    ("array method", "[]['constructor'].prototype.push = null", "typeof [].push === 'function'"),
    (
        "array iterator",
        "Object.getPrototypeOf([][Symbol.iterator]()).next = null",
        "[...[1]].length === 1",
    ),
    (
        "generator prototype",
        "Object.getPrototypeOf(function* () {}).leak = 1",
        "typeof Object.getPrototypeOf(function* () {}).leak",
    ),
    (
        "generator object prototype",
        "Object.getPrototypeOf(Object.getPrototypeOf((function* () {})())).leak = 1",
        "typeof (function* () {})().leak",
    ),
    (
        "typed array prototype",
        "Object.getPrototypeOf(Uint8Array).leak = 1",
        "typeof Object.getPrototypeOf(Uint8Array).leak",
    ),
    ("function prototype", "log.constructor.prototype.leak = 1", "typeof log.leak"),
    ("host function member", "log.leak = 1; b64enc.leak = 1", "typeof log.leak"),
    ("host function replaced", "globalThis['log'] = function () {}; log.x = 1", "typeof log.x"),
    (
        "host function accessor",
        "Object.defineProperty(globalThis, 'log', {get: function () { return 1 }})",
        "typeof log === 'function'",
    ),
    (
        "host function sealed",
        "Object['define' + 'Property'](globalThis, 'b64enc', {value: 5, writable: false})",
        "typeof b64enc === 'function'",
    ),
    ("JSON replaced", "var j = JSON; j.parse = function () { return 7 }", "JSON.parse('1') === 1"),
    ("JSON binding", "globalThis['JSON'] = {}", "JSON.parse('1') === 1"),
    (
        "TykJS member",
        "TykJS.TykMiddleware.NewMiddleware.prototype.leak = 1",
        "typeof m.leak",
    ),
    ("TykJS by alias", "var t = globalThis['Tyk' + 'JS']; t.leak = 1", "typeof TykJS.leak"),
    (
        "instance prototype",
        "Object.getPrototypeOf(m).ReturnData = null",
        "typeof Object.getPrototypeOf(m).ReturnData === 'function'",
    ),
    ("global prototype", "Object.setPrototypeOf(globalThis, {leak: 1})", "typeof leak"),
    (
        "global prototype by reflection",
        "Reflect['setPrototype' + 'Of'](globalThis, {leak: 1})",
        "typeof leak",
    ),
    (
        "global frozen",
        "Object.preventExtensions(globalThis)",
        "(function () { fresh = 1; return typeof fresh === 'number' })()",
    ),
    ("lexical by eval", "(0, globalThis['ev' + 'al'])('let leak = 1')", "typeof leak"),
    ("Function", "log['const' + 'ructor']('leak = 1')()", "typeof leak"),
    (
        "callee",
        "factory.leak = 1",
        "typeof factory.leak",
    ),
    ("callee prototype", "factory.prototype.leak = 1", "typeof factory.prototype.leak"),
    (
        "stack hook",
        "Error.prepareStackTrace = function () { return 7 }",
        "typeof new Error().stack",
    ),
    ("stack limit", "Error['stackTrace' + 'Limit'] = 0", "Error.stackTraceLimit === 10"),
    (
        "promise job",
        "globalThis['Pro' + 'mise'].resolve().then(function () { leak = 1 })",
        "typeof leak",
    ),
    (
        "microtask",
        "globalThis['queueMicro' + 'task'](function () { leak = 1 })",
        "typeof leak",
    ),
    ("headers prototype", "Object.getPrototypeOf(request.Headers).leak = 1", "typeof ({}).leak"),
    ("console member", "console['log'] = null; console.leak = 1", "typeof console.leak"),
    ("underscore member", "_.leak = 1; _['map'] = null", "typeof _.leak"),
    ("regular expression", "word.lastIndex = 5", "word.lastIndex === 0"),
    ("species", "[]['constructor'][Symbol.species] = null", "[1].map(String)[0] === '1'"),
    (
        "template object",
        "try { tag``.leak = 1 } catch (e) {}",
        "typeof tag``.leak",
    ),
    (
        "entry point",
        "try { $propylon('load') } catch (e) {} try { $propylon.leak = 1 } catch (e) {}",
        "typeof globalThis['$propylon'].leak",
    ),
    ("math", "Math['max'] = function () { return 7 }", "Math.max(1, 2) === 2"),
    ("date", "var d = Date; d.now = function () { return 7 }", "Date.now() > 7"),
    (
        "getter of a frozen property",
        "Object.getOwnPropertyDescriptor(Object.prototype, 'toString').get.leak = 1",
        "typeof Object.getOwnPropertyDescriptor(Object.prototype, 'toString').get.leak",
    ),
    (
        "setter of a frozen property",
        "Object.getOwnPropertyDescriptor(Object.prototype, 'toString').set.leak = 1",
        "typeof Object.getOwnPropertyDescriptor(Object.prototype, 'toString').set.leak",
    ),
    ("error message", "Error.prototype.message = 'x'", "new Error().message === ''"),
]

BEFORE = """
var count = 0, top = [], word = /a/g, factory = arguments.callee;
function tag(strings) { return strings; }
"""


@pytest.mark.parametrize(("attack", "probe"), [each[1:] for each in ATTACKS],
                         ids=[each[0] for each in ATTACKS])  # fmt: skip
async def test_row_062_mutations_of_one_request_are_gone_in_the_next(
    scene: Any, call: Any, new_exchange: Any, script: Any, attack: str, probe: str
) -> None:
    statements = f"""
    if (request.Params.attack) {{ try {{ {attack} }} catch (e) {{}} }}
    else {{
        var found = {probe};
        var clean = found === true || found === "undefined" || found === "string";
        request.SetHeaders["X-Found"] = clean ? "clean" : String(found);
    }}"""
    loaded = scene.load(_hook(scene, script(statements, before=BEFORE)))
    for _ in range(2):
        with contextlib.suppress(Refusal):  # an attack may break its own request
            await call(loaded.pre[0], new_exchange(url="/?attack=1"))
        exchange, _ = await call(loaded.pre[0], new_exchange(url="/"))
        assert exchange.request.headers.get(b"X-Found") == b"clean"


def _hook(scene: Any, text: str) -> Any:
    return Hook(HookType.PRE, "m", scene.file(text))


async def test_an_ordinary_hook_is_served_by_one_hardened_runtime(scene: Any, call: Any) -> None:
    loaded = scene.body("request.SetHeaders.A = 'b';")
    step = loaded.pre[0]
    await call(step)
    runner = step._scripts._runner
    first = runner._shared
    await call(step)
    assert not runner.is_fresh
    assert runner._shared is first is not None


async def test_own_names_may_shadow_what_frozen_prototypes_hold(scene: Any, call: Any) -> None:
    loaded = scene.body(
        """
        var o = {}; o.toString = function () { return "mine" }; o.constructor = 5;
        function Child() {} Child.prototype.toString = function () { return "child" };
        Child.prototype.constructor = Child; function Base() {} Base.prototype = new Child();
        Base.prototype.constructor = Base;
        var e = new Error("x"); e.message = "y"; e.name = "Z";
        m.ProcessRequest = m.ProcessRequest;
        request.SetHeaders.A = o + o.constructor + new Child() + new Base() + e;
        """
    )
    exchange, _ = await call(loaded.pre[0])
    assert exchange.request.headers.get(b"A") == b"mine5childchildZ: y"


async def test_apis_do_not_see_each_other(scene: Any, call: Any) -> None:
    scene.start()
    steps = []
    for number in (1, 2):
        path = scene.file(
            f"var own{number} = 1; var m = new TykJS.TykMiddleware.NewMiddleware({{}});"
            "m.NewProcessRequest(function (r) {"
            " r.SetHeaders.Seen = typeof own1 + typeof own2; return m.ReturnData(r, {}) });",
            f"api{number}.js",
        )
        loaded = scene.load(Hook(HookType.PRE, "m", path), api_id=f"api{number}")
        steps.append(loaded.pre[0])
    seen = [(await call(step))[0].request.headers.get(b"Seen") for step in steps]
    assert seen == [b"numberundefined", b"undefinednumber"]


# Everything that two requests could both reach. What belongs to one call is made in the call.
REACH = """
var own = new Set([globalThis, request, session, config, m, arguments]);
var known = new Set(), open = [];
function walk(start, path) {
    var queue = [[start, path]];
    for (var next; (next = queue.pop()); ) {
        var home = next[0], where = next[1];
        if (home === null || (typeof home !== "object" && typeof home !== "function")) continue;
        if (own.has(home) || known.has(home)) continue;
        known.add(home);
        if (Object.isExtensible(home)) open.push(where);
        for (var key of Reflect.ownKeys(home)) {
            var found = Object.getOwnPropertyDescriptor(home, key);
            var name = where + "." + String(key);
            if (found.get || found.set) {
                queue.push([found.get || null, name + "<get>"]);
                queue.push([found.set || null, name + "<set>"]);
            } else {
                if (found.writable && found.configurable) open.push(name + "<writable>");
                queue.push([found.value, name]);
            }
        }
        queue.push([Object.getPrototypeOf(home), where + ".prototype"]);
    }
}
walk(Object.getPrototypeOf(globalThis), "global");
for (var name of Reflect.ownKeys(globalThis)) {
    var found = Object.getOwnPropertyDescriptor(globalThis, name);
    if (!found.configurable) walk(found.value, String(name));
}
var instances = [
    [], {}, "", 1, true, Symbol(), /x/, new Date(0), new Error(), new Map(), new Set(),
    new WeakMap(), new WeakSet(), new ArrayBuffer(8), new DataView(new ArrayBuffer(8)),
    new Float64Array(1), [].values(), new Map().entries(), new Set().values(),
    ""[Symbol.iterator](), "".matchAll(/a/g), Iterator.from({next() {}}), [].values().map(String),
    function () {}, function* () {},
    Object.getPrototypeOf((function* () {})()), request.Headers, request, config, m,
];
for (var each of instances) walk(Object.getPrototypeOf(Object(each)), "instance " + typeof each);
for (var each of [console, log, rawlog, b64enc, b64dec, TykJsResponse, TykStorageGet, _]) {
    walk(each, "gateway");
}
walk(Object.getPrototypeOf(_([])), "_");
walk(arguments.callee.caller || null, "caller");
walk(factory, "factory");
"""


@pytest.mark.parametrize("place", ["loop", "process"])
async def test_nothing_that_requests_share_can_be_extended(
    scene: Any, call: Any, script: Any, place: str
) -> None:
    scene.start(jsvm_timeout=10, javascript={"loop_budget_ms": 2000 if place == "loop" else 1})
    apart = "" if place == "loop" else "for (var t = Date.now(); Date.now() - t < 5; );"
    text = f'{apart}{REACH} request.SetHeaders["X-Found"] = known.size + "/" + open.join(" ");'
    loaded = scene.load(_hook(scene, script(text, before=BEFORE)))
    exchange, _ = await call(loaded.pre[0])
    size, _, found = exchange.request.headers.get(b"X-Found").decode().partition("/")
    assert int(size) > 1000
    assert found == ""
    assert not loaded.pre[0]._scripts._runner.is_fresh


async def test_functions_handed_to_a_thenable_carry_nothing(
    scene: Any, call: Any, script: Any
) -> None:
    """The kernel's own functions reached plugins as arguments of `then`."""
    text = """
    var found = [];
    return {then: function (done, failed) {
        for (var each of [done, failed]) if (each) { found.push(typeof each.leak); each.leak = 1; }
        return {then: function (a, b) {
            for (var each of [a, b]) if (each) { found.push(typeof each.leak); each.leak = 1; }
            request.SetHeaders.Found = found.join(); return done({Request: request});
        }, nothing: done({Request: request, n: request.SetHeaders.Found = found.join()})};
    }};"""
    loaded = scene.load(_hook(scene, script(text)))
    for _ in range(3):
        exchange, _ = await call(loaded.pre[0])
        assert set(exchange.request.headers.get(b"Found").split(b",")) == {b"undefined"}


async def test_a_thenable_that_gives_no_promise_is_awaited(scene: Any, call: Any) -> None:
    loaded = scene.body(
        "request.SetHeaders.A = 'b';"
        "return {then: function (done) { done({Request: request}); return 5 }};"
    )
    for _ in range(2):
        exchange, _ = await call(loaded.pre[0])
        assert exchange.request.headers.get(b"A") == b"b"
