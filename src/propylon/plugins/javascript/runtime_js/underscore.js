// `_` for plugins of the otto dialect: the functions of Underscore 1.13 that plugins use, written
// for this gateway. docs/reference/javascript.md lists what is covered. The wrapper form
// (`_(list).map(f)`, `_.chain(list)`) works for all of them.
(function () {
  "use strict";
  function _(value) {
    if (value instanceof _) return value;
    if (!(this instanceof _)) return new _(value);
    this._wrapped = value;
  }
  _.VERSION = "1.13.7";

  const has = (object, key) => object != null && Object.prototype.hasOwnProperty.call(object, key);
  const isListLike = (value) =>
    value != null && typeof value !== "function" && typeof value.length === "number" &&
    value.length >= 0;
  const tag = (value) => Object.prototype.toString.call(value).slice(8, -1);

  // --- kinds of values
  _.isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";
  _.isArray = Array.isArray;
  _.isFunction = (value) => typeof value === "function";
  for (const kind of ["Arguments", "String", "Number", "Date", "RegExp", "Error", "Symbol", "Map",
    "Set", "WeakMap", "WeakSet", "ArrayBuffer"]) _["is" + kind] = (value) => tag(value) === kind;
  _.isBoolean = (value) => value === true || value === false || tag(value) === "Boolean";
  _.isNull = (value) => value === null;
  _.isUndefined = (value) => value === undefined;
  _.isNaN = (value) => _.isNumber(value) && isNaN(value);
  _.isFinite = (value) => !_.isSymbol(value) && isFinite(value) && !isNaN(parseFloat(value));
  _.isElement = () => false;
  _.isTypedArray = (value) => ArrayBuffer.isView(value) && !(value instanceof DataView);
  _.isEmpty = (value) => {
    if (value == null) return true;
    if (isListLike(value) && (_.isArray(value) || _.isString(value) || _.isArguments(value))) {
      return value.length === 0;
    }
    return Object.keys(Object(value)).length === 0;
  };
  _.isMatch = (object, wanted) => {
    const keys = _.keys(wanted);
    if (object == null) return keys.length === 0;
    const found = Object(object);
    return keys.every((key) => wanted[key] === found[key] && key in found);
  };
  _.isEqual = (left, right) => equal(left, right, []);

  function equal(left, right, open) {
    if (left === right) return left !== 0 || 1 / left === 1 / right;
    if (left == null || right == null) return false;
    if (left !== left) return right !== right;
    if (typeof left !== "object" && typeof right !== "object") return false;
    const kind = tag(left);
    if (kind !== tag(right)) return false;
    if (kind === "String" || kind === "RegExp") return String(left) === String(right);
    if (kind === "Number") return Object.is(Number(left), Number(right));
    if (kind === "Date" || kind === "Boolean") return Number(left) === Number(right);
    if (typeof left !== "object" || typeof right !== "object") return false;
    for (const [one, other] of open) if (one === left) return other === right;
    const within = open.concat([[left, right]]);
    if (kind === "Array") {
      return left.length === right.length &&
        left.every((value, index) => equal(value, right[index], within));
    }
    if (kind === "Map" || kind === "Set") {
      return left.size === right.size && equal([...left], [...right], within);
    }
    if (left.constructor !== right.constructor && "constructor" in left && "constructor" in right &&
      !(left.constructor instanceof left.constructor &&
        right.constructor instanceof right.constructor)) return false;
    const keys = Object.keys(left);
    return keys.length === Object.keys(right).length &&
      keys.every((key) => has(right, key) && equal(left[key], right[key], within));
  }

  // --- functions from anything
  _.identity = (value) => value;
  _.constant = (value) => () => value;
  _.noop = () => undefined;
  const path = (key) => (_.isArray(key) ? key : [key]);
  const deep = (object, keys) => {
    let value = object;
    for (const key of keys) {
      if (value == null) return undefined;
      value = value[key];
    }
    return keys.length ? value : undefined;
  };
  _.property = (key) => (object) => deep(object, path(key));
  _.propertyOf = (object) => (key) => deep(object, path(key));
  _.matcher = _.matches = (wanted) => {
    const kept = Object.assign({}, wanted);
    return (object) => _.isMatch(object, kept);
  };
  _.iteratee = (value, context) => iteratee(value, context);
  function iteratee(value, context) {
    if (value == null) return _.identity;
    if (typeof value === "function") return context === undefined ? value : value.bind(context);
    if (_.isObject(value) && !_.isArray(value)) return _.matcher(value);
    return _.property(value);
  }

  // --- objects
  _.keys = (object) => (_.isObject(object) ? Object.keys(object) : []);
  _.allKeys = (object) => {
    const keys = [];
    if (_.isObject(object)) for (const key in object) keys.push(key);
    return keys;
  };
  _.values = (object) => _.keys(object).map((key) => object[key]);
  _.pairs = (object) => _.keys(object).map((key) => [key, object[key]]);
  _.invert = (object) => {
    const result = {};
    for (const key of _.keys(object)) result[object[key]] = key;
    return result;
  };
  _.functions = _.methods = (object) =>
    _.allKeys(object).filter((key) => typeof object[key] === "function").sort();
  const assigner = (keysOf, isDefault) => (object, ...sources) => {
    const target = isDefault ? Object(object) : object;
    if (object == null) return object;
    for (const source of sources) {
      for (const key of keysOf(source)) {
        if (!isDefault || target[key] === undefined) target[key] = source[key];
      }
    }
    return target;
  };
  _.extend = assigner(_.allKeys, false);
  _.extendOwn = _.assign = assigner(_.keys, false);
  _.defaults = assigner(_.allKeys, true);
  _.clone = (value) =>
    !_.isObject(value) ? value : _.isArray(value) ? value.slice() : _.extend({}, value);
  _.create = (prototype, properties) => _.extendOwn(Object.create(prototype), properties || {});
  _.tap = (value, visit) => { visit(value); return value; };
  _.has = (object, key) => {
    const keys = path(key);
    let value = object;
    for (const each of keys) {
      if (!has(value, each)) return false;
      value = value[each];
    }
    return keys.length > 0;
  };
  _.get = (object, key, fallback) => {
    const value = deep(object, path(key));
    return value === undefined ? fallback : value;
  };
  _.mapObject = (object, callback, context) => {
    const visit = iteratee(callback, context);
    const result = {};
    for (const key of _.keys(object)) result[key] = visit(object[key], key, object);
    return result;
  };
  _.pick = (object, ...wanted) => {
    const result = {};
    if (object == null) return result;
    if (typeof wanted[0] === "function") {
      const accept = iteratee(wanted[0], wanted[1]);
      for (const key of _.allKeys(object)) {
        if (accept(object[key], key, object)) result[key] = object[key];
      }
      return result;
    }
    for (const key of flatten(wanted, Infinity)) {
      if (key in Object(object)) result[key] = object[key];
    }
    return result;
  };
  _.omit = (object, ...unwanted) => {
    if (typeof unwanted[0] === "function") {
      return _.pick(object, _.negate(iteratee(unwanted[0], unwanted[1])));
    }
    const names = flatten(unwanted, Infinity).map(String);
    return _.pick(object, (value, key) => !names.includes(key));
  };
  // Not the native `flat`: it cannot be stopped half-way, so the event loop sends it to a process.
  function flatten(list, depth, result = []) {
    for (let index = 0; index < list.length; index++) {
      const value = list[index];
      if (depth > 0 && _.isArray(value)) flatten(value, depth - 1, result);
      else result.push(value);
    }
    return result;
  }
  _.findKey = (object, callback, context) => {
    const accept = iteratee(callback, context);
    return _.keys(object).find((key) => accept(object[key], key, object));
  };

  // --- collections
  const entries = (list) =>
    isListLike(list) ? Array.from(list, (value, index) => [value, index])
      : _.keys(list).map((key) => [list[key], key]);
  const values = (list) => (isListLike(list) ? Array.from(list) : _.values(list));

  _.each = _.forEach = (list, callback, context) => {
    const visit = iteratee(callback, context);
    for (const [value, key] of entries(list)) visit(value, key, list);
    return list;
  };
  _.map = _.collect = (list, callback, context) => {
    const visit = iteratee(callback, context);
    return entries(list).map(([value, key]) => visit(value, key, list));
  };
  const folder = (isFromRight) => (list, callback, start, context) => {
    const visit = context === undefined ? callback : callback.bind(context);
    const found = entries(list);
    if (isFromRight) found.reverse();
    let result = start;
    let index = 0;
    if (start === undefined && found.length) result = found[index++][0];
    for (; index < found.length; index++) {
      result = visit(result, found[index][0], found[index][1], list);
    }
    return result;
  };
  _.reduce = _.foldl = _.inject = folder(false);
  _.reduceRight = _.foldr = folder(true);
  _.filter = _.select = (list, callback, context) => {
    const accept = iteratee(callback, context);
    return entries(list).filter(([value, key]) => accept(value, key, list)).map(([value]) => value);
  };
  _.reject = (list, callback, context) => _.filter(list, _.negate(iteratee(callback, context)));
  _.find = _.detect = (list, callback, context) => {
    const accept = iteratee(callback, context);
    const found = entries(list).find(([value, key]) => accept(value, key, list));
    return found && found[0];
  };
  _.every = _.all = (list, callback, context) => {
    const accept = iteratee(callback, context);
    return entries(list).every(([value, key]) => accept(value, key, list));
  };
  _.some = _.any = (list, callback, context) => {
    const accept = iteratee(callback, context);
    return entries(list).some(([value, key]) => accept(value, key, list));
  };
  _.contains = _.includes = _.include = (list, wanted, from) =>
    values(list).includes(wanted, typeof from === "number" ? from : 0);
  _.invoke = (list, method, ...given) =>
    values(list).map((value) => {
      const keys = typeof method === "function" ? [] : path(method);
      const owner = keys.length > 1 ? deep(value, keys.slice(0, -1)) : value;
      const called = typeof method === "function" ? method : deep(value, keys);
      return called == null ? called : called.apply(owner, given);
    });
  _.pluck = (list, key) => values(list).map(_.property(key));
  _.where = (list, wanted) => _.filter(list, _.matcher(wanted));
  _.findWhere = (list, wanted) => _.find(list, _.matcher(wanted));
  const extreme = (isBetter, nothing) => (list, callback, context) => {
    const measure = iteratee(callback, context);
    let best = nothing, result = nothing;
    for (const [value, key] of entries(list)) {
      const measured = measure(value, key, list);
      if (value != null && (isBetter(measured, best) || (measured === nothing && result === nothing))) {
        best = measured;
        result = value;
      }
    }
    return result;
  };
  _.max = extreme((left, right) => left > right, -Infinity);
  _.min = extreme((left, right) => left < right, Infinity);
  _.sortBy = (list, callback, context) => {
    const measure = iteratee(callback, context);
    return entries(list)
      .map(([value, key], index) => ({ value, index, by: measure(value, key, list) }))
      .sort((left, right) => {
        if (left.by !== right.by) {
          if (left.by > right.by || left.by === undefined) return 1;
          if (left.by < right.by || right.by === undefined) return -1;
        }
        return left.index - right.index;
      })
      .map((each) => each.value);
  };
  const grouper = (place, start) => (list, callback, context) => {
    const measure = iteratee(callback, context);
    const result = start();
    for (const [value, key] of entries(list)) place(result, value, measure(value, key, list));
    return result;
  };
  _.groupBy = grouper((result, value, key) => {
    if (has(result, key)) result[key].push(value); else result[key] = [value];
  }, () => ({}));
  _.indexBy = grouper((result, value, key) => { result[key] = value; }, () => ({}));
  _.countBy = grouper((result, value, key) => {
    result[key] = has(result, key) ? result[key] + 1 : 1;
  }, () => ({}));
  _.partition = grouper((result, value, key) => { result[key ? 0 : 1].push(value); }, () => [[], []]);
  _.toArray = (list) => (list ? values(list) : []);
  _.size = (list) => (list == null ? 0 : isListLike(list) ? list.length : _.keys(list).length);
  _.shuffle = (list) => _.sample(list, Infinity);
  _.sample = (list, count, isGuard) => {
    const rest = values(list);
    if (count == null || isGuard) return rest[_.random(rest.length - 1)];
    const most = Math.max(Math.min(count, rest.length), 0);
    for (let index = 0; index < most; index++) {
      const other = _.random(index, rest.length - 1);
      [rest[index], rest[other]] = [rest[other], rest[index]];
    }
    return rest.slice(0, most);
  };

  // --- arrays
  _.first = _.head = _.take = (list, count, isGuard) => {
    if (list == null || list.length < 1) return count == null || isGuard ? undefined : [];
    return count == null || isGuard ? list[0] : Array.from(list).slice(0, Math.max(0, count));
  };
  _.initial = (list, count, isGuard) =>
    Array.from(list).slice(0, Math.max(0, list.length - (count == null || isGuard ? 1 : count)));
  _.last = (list, count, isGuard) => {
    if (list == null || list.length < 1) return count == null || isGuard ? undefined : [];
    if (count == null || isGuard) return list[list.length - 1];
    return Array.from(list).slice(Math.max(0, list.length - count));
  };
  _.rest = _.tail = _.drop = (list, count, isGuard) =>
    Array.from(list).slice(count == null || isGuard ? 1 : count);
  _.compact = (list) => Array.from(list).filter(Boolean);
  _.flatten = (list, depth) =>
    list == null ? [] : flatten(Array.from(list), depth === true ? 1 : depth || Infinity);
  _.without = (list, ...unwanted) => _.difference(list, unwanted);
  _.difference = (list, ...others) => {
    const unwanted = others.flat();
    return Array.from(list).filter((value) => !unwanted.includes(value));
  };
  _.uniq = _.unique = (list, isSorted, callback, context) => {
    if (typeof isSorted !== "boolean") [callback, context] = [isSorted, callback];
    if (list == null) return [];
    const measure = iteratee(callback, context);
    const seen = new Set();
    return Array.from(list).filter((value, index) => {
      const by = measure(value, index, list);
      return seen.has(by) ? false : Boolean(seen.add(by));
    });
  };
  _.union = (...lists) => _.uniq(lists.filter(isListLike).flat());
  _.intersection = (list, ...others) =>
    _.uniq(list).filter((value) => others.every((other) => _.contains(other, value)));
  _.zip = (...lists) => _.unzip(lists);
  _.unzip = _.transpose = (lists) => {
    const height = lists && lists.length ? Math.max(...lists.map((list) => list.length)) : 0;
    return _.range(height).map((index) => lists.map((list) => list[index]));
  };
  _.object = (list, given) => {
    const result = {};
    Array.from(list || []).forEach((key, index) => {
      if (given) result[key] = given[index]; else result[key[0]] = key[1];
    });
    return result;
  };
  _.range = (start, stop, step) => {
    if (stop == null) [start, stop] = [0, start || 0];
    const by = step || (stop < start ? -1 : 1);
    return Array.from({ length: Math.max(Math.ceil((stop - start) / by), 0) },
      (unused, index) => start + index * by);
  };
  _.chunk = (list, size) => {
    const result = [];
    if (size == null || size < 1) return result;
    for (let at = 0; at < list.length; at += size) result.push(list.slice(at, at + size));
    return result;
  };
  _.indexOf = (list, wanted, from) => {
    if (list == null) return -1;
    return Array.prototype.indexOf.call(list, wanted, typeof from === "number" ? from : 0);
  };
  _.lastIndexOf = (list, wanted) => (list == null ? -1 : Array.from(list).lastIndexOf(wanted));
  _.findIndex = (list, callback, context) =>
    list == null ? -1 : Array.from(list).findIndex(iteratee(callback, context));
  _.findLastIndex = (list, callback, context) =>
    list == null ? -1 : Array.from(list).findLastIndex(iteratee(callback, context));
  _.sortedIndex = (list, value, callback, context) => {
    const measure = iteratee(callback, context);
    const wanted = measure(value);
    const at = Array.from(list).findIndex((each) => !(measure(each) < wanted));
    return at < 0 ? list.length : at;
  };

  // --- functions
  _.bind = (callback, context, ...given) => callback.bind(context, ...given);
  _.bindAll = (object, ...names) => {
    for (const name of names.flat()) object[name] = object[name].bind(object);
    return object;
  };
  _.partial = function (callback, ...given) {
    return function (...rest) {
      const all = given.map((value) => (value === _ ? rest.shift() : value));
      return callback.apply(this, all.concat(rest));
    };
  };
  _.memoize = function (callback, hasher) {
    const memoized = function (...given) {
      const key = String(hasher ? hasher.apply(this, given) : given[0]);
      if (!has(memoized.cache, key)) memoized.cache[key] = callback.apply(this, given);
      return memoized.cache[key];
    };
    memoized.cache = {};
    return memoized;
  };
  _.negate = (callback) => function (...given) { return !callback.apply(this, given); };
  _.compose = (...callbacks) => function (...given) {
    let result = callbacks[callbacks.length - 1].apply(this, given);
    for (let at = callbacks.length - 2; at >= 0; at--) result = callbacks[at].call(this, result);
    return result;
  };
  _.wrap = (callback, wrapper) => _.partial(wrapper, callback);
  _.before = (count, callback) => {
    let left = count, result;
    return function (...given) {
      if (--left > 0) result = callback.apply(this, given);
      return result;
    };
  };
  _.after = (count, callback) => {
    let left = count;
    return function (...given) { return --left < 1 ? callback.apply(this, given) : undefined; };
  };
  _.once = (callback) => _.before(2, callback);
  _.restArguments = (callback, start) => {
    const at = start == null ? callback.length - 1 : start;
    return function (...given) {
      return callback.apply(this, given.slice(0, at).concat([given.slice(at)]));
    };
  };

  // --- the rest
  _.times = (count, callback, context) =>
    Array.from({ length: Math.max(0, count) }, (unused, index) => iteratee(callback, context)(index));
  _.random = (least, most) => {
    const [from, to] = most == null ? [0, least] : [least, most];
    return from + Math.floor(Math.random() * (to - from + 1));
  };
  _.now = () => Date.now();
  // No counter: it would tell one request about the others.
  _.uniqueId = (prefix) => (prefix || "") + String(Math.floor(Math.random() * 1e15));
  const marks = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "`": "&#x60;" };
  const marksBack = _.invert(marks);
  _.escape = (text) => (text == null ? "" : String(text).replace(/[&<>"'`]/g, (mark) => marks[mark]));
  _.unescape = (text) =>
    text == null ? "" : String(text).replace(/&(?:amp|lt|gt|quot|#x27|#x60);/g, (mark) => marksBack[mark]);
  _.result = (object, key, fallback) => {
    let value = object;
    for (const each of path(key)) {
      const found = value == null ? undefined : value[each];
      if (found === undefined) return typeof fallback === "function" ? fallback.call(value) : fallback;
      value = typeof found === "function" ? found.call(value) : found;
    }
    return value;
  };

  // --- chains
  const chained = (wrapper, result) => (wrapper._chain ? _.chain(result) : result);
  for (const name of Object.keys(_)) {
    const method = _[name];
    if (typeof method !== "function") continue;
    _.prototype[name] = function (...given) {
      return chained(this, method(this._wrapped, ...given));
    };
  }
  for (const name of ["pop", "push", "reverse", "shift", "sort", "splice", "unshift"]) {
    _.prototype[name] = function (...given) {
      if (this._wrapped != null) this._wrapped[name](...given);
      return chained(this, this._wrapped);
    };
  }
  for (const name of ["concat", "join", "slice"]) {
    _.prototype[name] = function (...given) {
      return chained(this, this._wrapped == null ? this._wrapped : this._wrapped[name](...given));
    };
  }
  _.chain = (value) => {
    const wrapper = _(value);
    wrapper._chain = true;
    return wrapper;
  };
  _.prototype.chain = function () { return _.chain(this._wrapped); };
  _.prototype.value = _.prototype.valueOf = _.prototype.toJSON = function () { return this._wrapped; };
  _.prototype.toString = function () { return String(this._wrapped); };

  Object.defineProperty(globalThis, "_", {
    value: _, writable: true, enumerable: false, configurable: true,
  });
})();
0;
