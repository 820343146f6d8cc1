// The engine looks at the clock between operations, never inside a native one. On the event loop
// the natives whose time grows with their data are therefore charged by size: past one unit of work
// the clock is read, and what would be too much in one go is stopped before it begins and the call
// repeated in a process. Evaluated after the kernel, before any plugin.
globalThis.$guard = function (tick, escape) {
  "use strict";
  const { apply, defineProperty, getOwnPropertyDescriptor } = Reflect;
  const G = globalThis;
  const isArray = Array.isArray;

  const UNIT = 200000; // about 0.2 ms of the slowest charged operations
  const MOST = 10000000; // about 10 ms in one operation
  let left = UNIT;

  function charge(amount, name) {
    if (amount > MOST) escape("apart", name);
    left -= amount;
    if (left < 0) {
      left = UNIT;
      tick();
    }
  }

  function wrap(home, name, cost) {
    const native = home[name];
    if (typeof native !== "function") return;
    const guarded = {
      [name](...values) {
        charge(cost(this, values), name);
        return apply(native, this, values);
      },
    }[name];
    defineProperty(guarded, "length", { value: native.length, configurable: true });
    const found = getOwnPropertyDescriptor(home, name);
    defineProperty(home, name, { ...found, value: guarded });
  }

  // Natives whose size shows only in their result.
  function wrapAfter(home, name, size) {
    const native = home[name];
    if (typeof native !== "function") return;
    const guarded = {
      [name](...values) {
        const result = apply(native, this, values);
        charge(size(result), name);
        return result;
      },
    }[name];
    defineProperty(guarded, "length", { value: native.length, configurable: true });
    const found = getOwnPropertyDescriptor(home, name);
    defineProperty(home, name, { ...found, value: guarded });
  }

  const textLength = (value) => (typeof value === "string" ? value.length : 64);
  // A length that a getter makes up could differ on the second look: such calls run apart.
  const listLength = (value) => {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return 64;
    if (isArray(value)) return value.length;
    const found = getOwnPropertyDescriptor(value, "length");
    if (found === undefined) return "length" in value ? MOST + 1 : 1;
    const length = "value" in found ? found.value : undefined;
    return typeof length === "number" ? length : MOST + 1;
  };
  const whole = (value) => (typeof value === "number" && value > 0 ? value : 0);

  const text = String.prototype;
  for (const name of ["indexOf", "lastIndexOf", "includes", "split", "replaceAll"]) {
    wrap(text, name, (self, values) => textLength(self) * (1 + textLength(values[0]) / 8));
  }
  wrap(text, "replace", (self, values) =>
    typeof values[0] === "string" ? textLength(self) * (1 + values[0].length / 8) : 1);
  wrap(text, "normalize", (self) => textLength(self) * 30);
  wrap(text, "localeCompare", (self, values) => textLength(self) + textLength(values[0]) * 30);
  for (const name of ["toUpperCase", "toLowerCase", "toLocaleUpperCase", "toLocaleLowerCase",
    "isWellFormed", "toWellFormed", "trim", "concat"]) {
    wrap(text, name, (self) => textLength(self) * 4);
  }
  wrap(text, "repeat", (self, values) => textLength(self) * whole(values[0]));
  wrap(text, "padStart", (self, values) => whole(values[0]));
  wrap(text, "padEnd", (self, values) => whole(values[0]));
  wrap(String, "raw", (self, values) => listLength(values[0] && values[0].raw));

  const list = Array.prototype;
  for (const name of ["indexOf", "lastIndexOf", "includes", "reverse", "fill", "copyWithin",
    "shift", "slice", "flat", "toReversed", "with", "unshift", "splice", "toSpliced", "concat"]) {
    wrap(list, name, (self) => listLength(self) * 4);
  }
  for (const name of ["join", "sort", "toSorted", "toString", "toLocaleString"]) {
    wrap(list, name, (self) => listLength(self) * 20);
  }
  for (const name of ["forEach", "map", "filter", "some", "every", "find", "findIndex", "findLast",
    "findLastIndex", "reduce", "reduceRight", "flatMap", "at", "push", "pop"]) {
    // Callbacks are watched by the engine, holes are not.
    wrap(list, name, (self) => (isArray(self) ? self.length / 8 : listLength(self)));
  }
  // Spread, destructuring and `new Set(list)` start here; the native fast path would not be charged.
  wrap(list, "values", (self) => listLength(self) * 4);
  defineProperty(list, Symbol.iterator, {
    value: list.values, writable: true, enumerable: false, configurable: true,
  });
  wrapAfter(Array, "from", (made) => made.length * 10);

  const typed = Object.getPrototypeOf(Uint8Array.prototype);
  for (const name of ["set", "fill", "sort", "slice", "indexOf", "lastIndexOf", "includes", "join",
    "reverse", "copyWithin", "toReversed", "toSorted", "with"]) {
    wrap(typed, name, (self) => (self && typeof self === "object" ? whole(self.length) * 2 : 1));
  }

  for (const name of ["encodeURIComponent", "encodeURI", "decodeURIComponent", "decodeURI",
    "escape", "unescape", "btoa", "atob"]) {
    wrap(G, name, (self, values) => textLength(values[0]) * 4);
  }
  wrap(JSON, "parse", (self, values) => textLength(values[0]));
  wrapAfter(JSON, "stringify", (made) => textLength(made) * 2);
  for (const name of ["keys", "values", "entries", "getOwnPropertyNames"]) {
    wrapAfter(Object, name, (made) => made.length * 4);
  }
  wrapAfter(Reflect, "ownKeys", (made) => made.length * 4);

  // A proxy can lie about every length above.
  const fall = function () { return escape("apart", "Proxy"); };
  defineProperty(G, "Proxy", { get: fall, set: fall, enumerable: false, configurable: false });
};
0;
