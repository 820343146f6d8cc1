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

  // Natives whose size shows neither before nor after: the clock is read after each call. One call
  // is as long as what the small heap holds.
  function wrapTimed(home, name) {
    wrapAfter(home, name, () => UNIT);
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
  // An array of 200,000 members does not fit into the heap of the loop unless it is full of holes,
  // and a hole is looked up along all prototypes: each index is charged at that price.
  const INDEX = 50;
  const spreads = Symbol.isConcatSpreadable;
  const lists = (values) => {
    let length = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (isArray(value)) length += value.length;
      else if (typeof value === "object" && value !== null && spreads in value) return MOST + 1;
    }
    return length;
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
    "shift", "slice", "toReversed", "with", "unshift", "splice", "toSpliced", "join", "sort",
    "toSorted", "toString", "toLocaleString", "forEach", "map", "filter", "some", "every", "find",
    "findIndex", "findLast", "findLastIndex", "reduce", "reduceRight", "flatMap"]) {
    wrap(list, name, (self, values) => (listLength(self) + values.length) * INDEX);
  }
  for (const name of ["at", "push", "pop"]) {
    wrap(list, name, (self, values) => (isArray(self) ? 1 + values.length : listLength(self)));
  }
  wrap(list, "concat", (self, values) => (listLength(self) + lists(values)) * INDEX);
  // Deeper nesting can repeat one list for ever; what it comes to is not known before.
  wrap(list, "flat", (self, values) =>
    values[0] === undefined || values[0] === 1
      ? (listLength(self) + (listLength(self) < 200000 ? lists(self) : 0)) * INDEX
      : MOST + 1);
  // Spread, destructuring and `new Set(list)` start here; the native fast path would not be charged.
  wrap(list, "values", (self) => listLength(self) * INDEX);
  defineProperty(list, Symbol.iterator, {
    value: list.values, writable: true, enumerable: false, configurable: true,
  });
  wrap(Array, "from", (_, values) => (isArray(values[0]) ? values[0].length * INDEX : 1));
  wrapTimed(Array, "from");
  for (const home of [Map.prototype, Set.prototype]) {
    const size = getOwnPropertyDescriptor(home, "size").get;
    for (const name of ["keys", "values", "entries", "forEach", "union", "intersection",
      "difference", "symmetricDifference", "isSubsetOf", "isSupersetOf", "isDisjointFrom"]) {
      wrap(home, name, (self) => apply(size, self, []) * INDEX);
    }
    // `new Set(other)` starts here.
    defineProperty(home, Symbol.iterator, {
      value: home === Map.prototype ? home.entries : home.values,
      writable: true, enumerable: false, configurable: true,
    });
  }

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
  for (const name of ["assign", "keys", "values", "entries", "fromEntries", "groupBy", "freeze",
    "seal", "isFrozen", "isSealed", "preventExtensions", "create", "defineProperties",
    "getOwnPropertyNames", "getOwnPropertySymbols", "getOwnPropertyDescriptors"]) {
    wrapTimed(Object, name);
  }
  wrapTimed(Map, "groupBy");
  wrapTimed(Reflect, "ownKeys");
  // Functions with thousands of arguments.
  const functionPrototype = Object.getPrototypeOf(wrap);
  wrap(functionPrototype, "apply", (_, values) => listLength(values[1]) * INDEX);
  wrap(Reflect, "apply", (_, values) => listLength(values[2]) * INDEX);
  wrap(Reflect, "construct", (_, values) => listLength(values[1]) * INDEX);
  for (const name of ["parseInt", "parseFloat"]) {
    wrap(G, name, (_, values) => textLength(values[0]) * 4);
  }
  defineProperty(Number, "parseInt", { value: G.parseInt });
  defineProperty(Number, "parseFloat", { value: G.parseFloat });

  // A proxy can lie about every length above.
  const fall = function () { return escape("apart", "Proxy"); };
  defineProperty(G, "Proxy", { get: fall, set: fall, enumerable: false, configurable: false });
};
0;
