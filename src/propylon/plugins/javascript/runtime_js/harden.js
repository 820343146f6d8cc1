// Makes one runtime safe to be used by request after request: every object that the language brings
// is frozen, and the few ways to state that cannot be frozen are trapdoors. A plugin that opens
// one is stopped and its call is repeated in a runtime of its own, where everything is allowed.
globalThis.$harden = function (env) {
  "use strict";
  const { G, escape, gatewayGlobals, anyCase } = env;
  const {
    ownKeys, getPrototypeOf, setPrototypeOf, getOwnPropertyDescriptor, defineProperty,
    deleteProperty,
  } = Reflect;
  const { create, freeze } = Object;
  const objectPrototype = Object.prototype;

  // All that is to be frozen.
  const seen = new Set();
  const queue = [];
  function visit(value) {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return;
    if (value === G || seen.has(value)) return;
    seen.add(value);
    queue.push(value);
  }

  function trapdoor(holder, name, what) {
    const trap = {
      get() { return escape("fresh", what); },
      set() { return escape("fresh", what); },
      enumerable: false,
      configurable: holder === G,
    };
    visit(trap.get);
    visit(trap.set);
    defineProperty(holder, name, trap);
  }

  const hidden = [
    (function* () {})(), (async function* () {})(), async function () {}, async () => {},
    [][Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](),
    ""[Symbol.iterator](), "".matchAll(/x/g), new Uint8Array(0), Symbol.prototype,
    (function () { "use strict"; return arguments; })(),
    getOwnPropertyDescriptor((function () { "use strict"; return arguments; })(), "callee").get,
  ];
  if (typeof Iterator !== "undefined") {
    hidden.push([].values().map((x) => x), Iterator.from({ next() {} }));
  }

  // State that outlives a request in places that freezing does not reach: job queues, finalizers,
  // shared memory, global lexical bindings (`eval`), native work without an end (BigInt).
  const functionPrototype = getPrototypeOf(function () {});
  const GeneratorFunction = getPrototypeOf(function* () {});
  const AsyncFunction = getPrototypeOf(async function () {});
  const AsyncGeneratorFunction = getPrototypeOf(async function* () {});
  const trapped = [
    "Promise", "queueMicrotask", "FinalizationRegistry", "WeakRef", "SharedArrayBuffer", "Atomics",
    "BigInt", "BigInt64Array", "BigUint64Array", "eval", "Function", "AsyncDisposableStack",
  ];
  const seeds = [];
  for (const name of trapped) {
    if (!(name in G)) continue;
    seeds.push(G[name]);
    trapdoor(G, name, name);
  }
  trapdoor(functionPrototype, "constructor", "Function");
  for (const proto of [GeneratorFunction, AsyncFunction, AsyncGeneratorFunction]) {
    trapdoor(proto, "constructor", "Function");
  }
  trapdoor(Array, "fromAsync", "Array.fromAsync");
  for (const name of ["getBigInt64", "getBigUint64", "setBigInt64", "setBigUint64"]) {
    trapdoor(DataView.prototype, name, name);
  }
  // These are accessors over state of the engine: as data they can be frozen.
  for (const [name, value] of [["prepareStackTrace", undefined], ["stackTraceLimit", 10]]) {
    deleteProperty(Error, name);
    defineProperty(Error, name, {
      value, writable: false, enumerable: false, configurable: false,
    });
  }

  // `child.name = x` fails when a frozen prototype holds `name`. Where plugins do that, the
  // prototype gets an accessor that writes to the child instead.
  const overridable = new Set([
    "constructor", "toString", "valueOf", "toLocaleString", "toJSON", "name", "message", "length",
    "ProcessRequest", "ProcessResponse", "DoProcessRequest", "DoProcessResponse", "Handle",
    "DoProcessEvent", "NewProcessRequest", "NewProcessResponse", "ReturnData", "ReturnAuthData",
    "ReturnResponseData", "NewHandler", "next", "return", "throw", "get", "set", "has", "keys",
    "values", "entries", "add", "delete", "clear", "size", "forEach", "push", "concat", "indexOf",
    "map", "filter", "find", "test", "exec", "bind", "call", "apply",
  ]);
  // The hot methods of these are left as data: nobody shadows `push` on an array.
  const hot = new Set([Array.prototype, String.prototype, functionPrototype, RegExp.prototype]);
  const rarely = new Set(["constructor", "toString", "valueOf", "name", "toLocaleString"]);

  function softFreeze(home, key, found) {
    const value = found.value;
    const accessor = {
      get() { return value; },
      set(replacement) {
        if (this === home || this === undefined || this === null) {
          return escape("fresh", "a built-in is changed: " + String(key));
        }
        defineProperty(this, key, {
          value: replacement, writable: true, enumerable: true, configurable: true,
        });
      },
      enumerable: found.enumerable,
      configurable: false,
    };
    // A plugin reaches them through the property's descriptor: left open, they would carry what
    // one request writes on them to the next.
    visit(accessor.get);
    visit(accessor.set);
    defineProperty(home, key, accessor);
  }

  function visitMembers(home) {
    const maker = getOwnPropertyDescriptor(home, "constructor");
    const isPrototype = maker !== undefined && typeof maker.value === "function" &&
      getOwnPropertyDescriptor(maker.value, "prototype")?.value === home;
    const soft = isPrototype ? (hot.has(home) ? rarely : overridable) : null;
    for (const key of ownKeys(home)) {
      const found = getOwnPropertyDescriptor(home, key);
      if (found.get !== undefined || found.set !== undefined) {
        visit(found.get);
        visit(found.set);
        continue;
      }
      const value = found.value;
      if ((typeof value === "object" && value !== null) || typeof value === "function") visit(value);
      if (soft !== null && found.configurable && (home === objectPrototype || soft.has(key))) {
        softFreeze(home, key, found);
      }
    }
  }

  for (const value of seeds) visit(value);
  for (const value of hidden) visit(value);
  for (const name of ownKeys(G)) {
    const found = getOwnPropertyDescriptor(G, name);
    visit(found.value);
    visit(found.get);
    visit(found.set);
  }
  for (const name in gatewayGlobals) visit(gatewayGlobals[name]);
  visit(anyCase);
  while (queue.length) {
    const home = queue.pop();
    visit(getPrototypeOf(home));
    if (home !== anyCase) visitMembers(home);
  }
  for (const home of seen) freeze(home);

  // The globals move to the prototype of the global object and are frozen there. What a request
  // adds or overwrites is then its own property of the global object, and can be taken off again.
  const globals = create(getPrototypeOf(G));
  for (const name of ownKeys(G)) {
    const found = getOwnPropertyDescriptor(G, name);
    if (!found.configurable || name === "globalThis") {
      if ("value" in found) defineProperty(G, name, { writable: false, configurable: false });
      continue;
    }
    if (name in gatewayGlobals) {
      defineProperty(globals, name, overwritable(name));
    } else {
      if ("value" in found) found.writable = false;
      defineProperty(globals, name, found);
    }
    deleteProperty(G, name);
  }
  setPrototypeOf(G, freeze(globals));

  function overwritable(name) {
    const accessor = {
      get() { return gatewayGlobals[name]; },
      set(value) {
        if (this !== G && this !== undefined) return escape("fresh", "a global: " + name);
        defineProperty(G, name, { value, writable: true, enumerable: true, configurable: true });
      },
      enumerable: false,
      configurable: false,
    };
    freeze(accessor.get);
    freeze(accessor.set);
    return accessor;
  }
};
0;
