// The part of the gateway that lives inside a JavaScript runtime: the globals that plugins are
// promised, the way a hook is called, and the clean-up that keeps one request from seeing another.
// It is evaluated once per runtime; `$host` functions are taken out of the global object at once.
(function () {
  "use strict";
  const G = globalThis;
  const { parse, stringify } = JSON;
  const {
    apply, ownKeys, getPrototypeOf, deleteProperty, defineProperty, isExtensible, set,
  } = Reflect;
  const { freeze, create, keys } = Object;
  const NativeError = Error;
  const NativeProxy = Proxy;
  const NativePromise = Promise;
  const resolvePromise = Promise.resolve;
  const then = Promise.prototype.then;
  const toText = String;
  const slice = String.prototype.slice;
  const hasOwn = Object.prototype.hasOwnProperty;
  const ObjectPrototype = Object.prototype;

  function take(name) {
    const value = G[name];
    deleteProperty(G, name);
    return value;
  }
  const pending = take("$pending");
  const emit = take("$emit");
  const base64 = take("$base64");
  const escape = G.$escape;

  // --- host functions -------------------------------------------------------------------------

  const MAX_LINE = 8192;
  let isMuted = false; // top-level code speaks once, when it is loaded

  function say(level, text) {
    if (isMuted) return;
    const rest = text.length - MAX_LINE;
    if (rest > 0) text = apply(slice, text, [0, MAX_LINE]) + "... (" + rest + " characters left out)";
    emit(level, stringify(text));
  }

  function convert(mode, value) {
    const answer = base64(mode, stringify(toText(value)));
    return answer === null ? undefined : parse(answer);
  }

  function unavailable(name) {
    const fail = function () {
      throw new NativeError(name + " is not available in this version of the gateway");
    };
    defineProperty(fail, "name", { value: name });
    return fail;
  }

  function show(value) {
    if (typeof value === "string") return value;
    if (value instanceof NativeError) return value.stack ? value + "\n" + value.stack : "" + value;
    if (typeof value === "object" && value !== null) {
      try {
        const text = stringify(value);
        if (text !== undefined) return text;
      } catch (_) {}
    }
    return toText(value);
  }

  function line(values) {
    let text = "";
    for (let i = 0; i < values.length; i++) text += (i ? " " : "") + show(values[i]);
    return text;
  }

  // Timers of `console.time`: reset with the globals of each request.
  let timers = create(null);

  const consoleMembers = {
    log(...values) { say("info", line(values)); },
    info(...values) { say("info", line(values)); },
    debug(...values) { say("debug", line(values)); },
    warn(...values) { say("warning", line(values)); },
    error(...values) { say("error", line(values)); },
    dir(value) { say("info", show(value)); },
    table(value) { say("info", show(value)); },
    trace(...values) { say("info", "Trace: " + line(values) + "\n" + new NativeError().stack); },
    assert(claim, ...values) {
      if (!claim) say("error", "Assertion failed" + (values.length ? ": " + line(values) : ""));
    },
    time(label) { timers[label === undefined ? "default" : label] = Date.now(); },
    timeEnd(label) {
      const name = label === undefined ? "default" : toText(label);
      if (timers[name] !== undefined) say("info", name + ": " + (Date.now() - timers[name]) + "ms");
      delete timers[name];
    },
  };

  const hostFunctions = {
    log(message) { say("log", toText(message)); },
    rawlog(message) { say("raw", toText(message)); },
    b64enc(text) { return convert("enc", text); },
    b64dec(text) { return convert("dec", text); },
    rawb64enc(text) { return convert("rawenc", text); },
    rawb64dec(text) { return convert("rawdec", text); },
    TykJsResponse(response, meta) { return stringify({ Response: response, SessionMeta: meta }); },
  };
  for (const name of [
    "TykMakeHttpRequest", "TykBatchRequest", "TykGetKeyData", "TykSetKeyData", "TykStorageGet",
    "TykStorageSet", "TykStorageSetNX", "TykStorageDel", "TykStorageTTL", "TykStorageIncr",
  ]) hostFunctions[name] = unavailable(name);

  // --- TykJS ----------------------------------------------------------------------------------

  let stock; // the entry points of the newest TykJS, to notice a plugin that replaced them

  function makeTykJS() {
    function MiddlewareComponentMeta(configuration) { this.configuration = configuration; }
    const base = MiddlewareComponentMeta.prototype;
    base.ProcessRequest = function (request) {
      hostFunctions.log("Process Request Not Implemented");
      return request;
    };
    base.DoProcessRequest = function (request, session, config) {
      request.Body = hostFunctions.b64dec(request.Body);
      const result = this.ProcessRequest(request, session, config);
      if (!result) {
        hostFunctions.log("Middleware didn't return request object!");
        return undefined;
      }
      result.Request.Headers = {};
      result.Request.Body = hostFunctions.b64enc(result.Request.Body);
      return stringify(result);
    };
    base.ProcessResponse = function (response) {
      hostFunctions.log("Process Response Not Implemented");
      return response;
    };
    base.DoProcessResponse = function (response, request, session, config) {
      const result = this.ProcessResponse(response, request, session, config);
      if (!result) {
        hostFunctions.log("Middleware didn't return response object!");
        return undefined;
      }
      return stringify(result);
    };

    function NewMiddleware(configuration) { this.configuration = configuration; }
    const middleware = create(base);
    NewMiddleware.prototype = middleware;
    middleware.constructor = NewMiddleware;
    middleware.NewProcessRequest = function (callback) { this.ProcessRequest = callback; };
    middleware.NewProcessResponse = function (callback) { this.ProcessResponse = callback; };
    middleware.ReturnData = function (request, meta) {
      return { Request: request, SessionMeta: meta };
    };
    middleware.ReturnAuthData = function (request, session) {
      return { Request: request, Session: session };
    };
    middleware.ReturnResponseData = function (response, meta) {
      return { Response: response, SessionMeta: meta };
    };

    function EventHandlerComponentMeta() {}
    const event = EventHandlerComponentMeta.prototype;
    event.DoProcessEvent = function (happened, context) {
      hostFunctions.log("Calling built - in handle");
      this.Handle(happened, context);
    };
    event.Handle = function () { hostFunctions.log("Handler not implemented!"); };
    function NewEventHandler() {}
    NewEventHandler.prototype = create(event);
    NewEventHandler.prototype.constructor = NewEventHandler;
    NewEventHandler.prototype.NewHandler = function (callback) { this.Handle = callback; };

    stock = { request: base.DoProcessRequest, response: base.DoProcessResponse };
    return {
      TykMiddleware: { MiddlewareComponentMeta, NewMiddleware },
      TykEventHandlers: { EventHandlerComponentMeta, NewEventHandler },
    };
  }

  // --- the request object ---------------------------------------------------------------------

  // `request.Headers["authorization"]` finds `Authorization`: names are own properties in Go's
  // spelling, and a look-up that misses them ends at this prototype.
  const anyCase = freeze(new NativeProxy(freeze(create(ObjectPrototype)), {
    get(target, name, receiver) {
      if (typeof name !== "string" || name in ObjectPrototype) {
        return Reflect_get(ObjectPrototype, name, receiver);
      }
      const spelled = canonical(name);
      return spelled !== name && apply(hasOwn, receiver, [spelled]) ? receiver[spelled] : undefined;
    },
  }));
  const setPrototypeOf = Reflect.setPrototypeOf;
  const Reflect_get = Reflect.get;
  const toLower = String.prototype.toLowerCase;
  const toUpper = String.prototype.toUpperCase;

  const spellings = create(null); // the few dozen names that scripts use
  let spellingCount = 0;

  function canonical(name) {
    const known = spellings[name];
    if (known !== undefined) return known;
    const text = spell(name);
    if (spellingCount < 256) {
      spellingCount++;
      spellings[name] = text;
    }
    return text;
  }

  function spell(name) {
    let text = "";
    let isStart = true;
    for (let i = 0; i < name.length; i++) {
      const letter = name[i];
      text += isStart ? apply(toUpper, letter, []) : apply(toLower, letter, []);
      isStart = letter === "-";
    }
    return text;
  }

  // What a plugin finds where there is no session: every scalar at zero, as Tyk before 5.12.
  function emptySession() {
    return {
      last_check: 0, allowance: 0, rate: 0, per: 0, throttle_interval: 0, throttle_retry_limit: 0,
      max_query_depth: 0, date_created: "0001-01-01T00:00:00Z", expires: 0, quota_max: 0,
      quota_renews: 0, quota_remaining: 0, quota_renewal_rate: 0, access_rights: null, org_id: "",
      oauth_client_id: "", oauth_keys: null, certificate: "",
      basic_auth_data: { password: "", hash_type: "" }, jwt_data: { secret: "" },
      hmac_enabled: false, enable_http_signature_validation: false, hmac_string: "",
      rsa_certificate_id: "", is_inactive: false, apply_policy_id: "", apply_policies: null,
      data_expires: 0, monitor: { trigger_limits: null }, enable_detail_recording: false,
      enable_detailed_recording: false, meta_data: null, tags: null, alias: "", last_updated: "",
      id_extractor_deadline: 0, session_lifetime: 0, post_expiry_action: "",
      post_expiry_grace_period: 0,
    };
  }

  function fillRequest(request) {
    setPrototypeOf(request.Headers, anyCase);
    request.SetHeaders = {};
    request.DeleteHeaders = [];
    request.AddParams = {};
    request.ExtendedParams = {};
    request.DeleteParams = [];
    request.ReturnOverrides = {
      ResponseCode: 0, ResponseError: "", ResponseBody: "", ResponseHeaders: {},
      OverrideError: false,
    };
    request.IgnoreBody = false;
    return request;
  }

  // --- sources --------------------------------------------------------------------------------

  const factories = []; // one function per file: runs its top level, returns its resolver
  const published = []; // per file: [case number, name] of what other files may use
  const resolvers = [];
  let failures = create(null); // per file: what its top level threw
  let isLoading = false;
  let configText = "{}";
  let ownsTykJS = false; // a plugin touches TykJS itself: give every request its own

  function runFiles() {
    for (let file = 0; file < factories.length; file++) {
      let resolver;
      try {
        resolver = apply(factories[file], G, []);
      } catch (error) {
        resolvers[file] = function () { throw error; };
        failures[file] = error;
        continue;
      }
      resolvers[file] = resolver;
      const names = published[file];
      for (let i = 0; i < names.length; i++) {
        try {
          const value = resolver(names[i][0]);
          if (value !== undefined && value !== G[names[i][1]]) G[names[i][1]] = value;
        } catch (_) {
          if (isLoading) names.splice(i--, 1); // declared in an inner scope only
        }
      }
    }
  }

  // Run the files for the first time: top-level code is heard, what it throws comes out as JSON.
  function load() {
    isLoaded = isLoading = true;
    runFiles();
    isLoading = false;
    const errors = [];
    for (const file in failures) errors.push([+file, describe(failures[file])]);
    failures = create(null);
    if (isHardened) clean();
    return stringify(errors);
  }

  function describe(error) {
    let name = "", message, stack = "";
    try {
      if (error instanceof NativeError) {
        name = toText(error.name);
        message = toText(error.message);
        stack = toText(error.stack);
      } else {
        message = "thrown: " + show(error);
      }
    } catch (_) {
      message = "thrown: a value that cannot be shown";
    }
    return "!" + stringify({ name, message, stack });
  }

  // --- calls ----------------------------------------------------------------------------------

  function bodyMark(holder, before) {
    const body = holder.Body;
    if (body === before) {
      set(holder, "Body", undefined);
      return "=";
    }
    if (body === undefined || body === null) {
      say("warning", "the hook left the body " + body + "; an empty body is sent");
      set(holder, "Body", "");
    } else if (typeof body !== "string") {
      set(holder, "Body", toText(body));
    }
    return "+";
  }

  function finishRequest(result, given) {
    if (!result) {
      hostFunctions.log("Middleware didn't return request object!");
      return "?";
    }
    const request = result.Request;
    request.Headers = undefined;
    return bodyMark(request, given.Body) + stringify(trim(result, request, given));
  }

  // Leave out what the hook did not touch: the gateway knows it, and text costs time both ways.
  // A hook that returned the request it was given, with nothing new in it, is told in a few words.
  function trim(result, request, given) {
    if (request === given.request && keys(request).length === given.count) {
      const overrides = request.ReturnOverrides;
      const isUntouched = overrides === given.overrides && overrides.ResponseCode === 0;
      const changes = {
        SetHeaders: request.SetHeaders,
        DeleteHeaders: request.DeleteHeaders,
        AddParams: request.AddParams,
        ExtendedParams: request.ExtendedParams,
        DeleteParams: request.DeleteParams,
        Body: request.Body,
        ReturnOverrides: isUntouched ? undefined : overrides,
      };
      if (request.URL !== given.URL) changes.URL = request.URL === undefined ? "" : request.URL;
      if (request.IgnoreBody !== false) changes.IgnoreBody = request.IgnoreBody;
      if (request.Method !== given.Method) changes.Method = request.Method;
      if (request.RequestURI !== given.RequestURI) changes.RequestURI = request.RequestURI;
      if (request.Scheme !== given.Scheme) changes.Scheme = request.Scheme;
      result.Request = changes;
      return result;
    }
    if (request.URL === undefined) set(request, "URL", "");
    return result;
  }

  // A plugin that brought its own entry point gets what Tyk gives it: base64 in, base64 out.
  function callReplaced(hook, given, session, config) {
    given.Body = hostFunctions.b64enc(given.Body);
    const text = hook.DoProcessRequest(given, session, config);
    if (text === undefined || text === null) return "?";
    const result = parse(text);
    result.Request.Body = hostFunctions.b64dec(result.Request.Body);
    return "+" + stringify(result);
  }

  // A thenable is called with functions of ours, and a promise leaves a job behind: neither may
  // happen in a runtime that other requests use.
  function isThenable(result) {
    if (!result || typeof result.then !== "function") return false;
    if (isHardened) escape("fresh", "a thenable");
    return true;
  }

  function settle(result, finish) {
    const promise = apply(resolvePromise, NativePromise, [result]);
    return apply(then, apply(then, promise, [finish]), [undefined, describe]);
  }

  function callRequest(hook, given, session, config) {
    const request = fillRequest(given.request);
    if (hook.DoProcessRequest !== stock.request) {
      return callReplaced(hook, request, session, config);
    }
    // The hook may edit the request or make another: this is what it was.
    const before = {
      request, URL: request.URL, Body: request.Body, Params: request.Params,
      Method: request.Method, RequestURI: request.RequestURI, Scheme: request.Scheme,
      overrides: request.ReturnOverrides, count: keys(request).length,
    };
    const result = hook.ProcessRequest(request, session, config);
    if (isThenable(result)) return settle(result, (settled) => finishRequest(settled, before));
    return finishRequest(result, before);
  }

  function finishResponse(result, body) {
    if (!result) {
      hostFunctions.log("Middleware didn't return response object!");
      return "?";
    }
    result.Response.Headers = undefined;
    return bodyMark(result.Response, body) + stringify(result);
  }

  function callResponse(hook, given, session, config) {
    const response = given.response;
    setPrototypeOf(response.Headers, anyCase);
    response.SetHeaders = {};
    response.DeleteHeaders = [];
    const request = fillRequest(given.request);
    request.Body = null;
    if (hook.DoProcessResponse !== stock.response) {
      const text = hook.DoProcessResponse(response, request, session, config);
      return text === undefined || text === null ? "?" : "+" + text;
    }
    const body = response.Body;
    const result = hook.ProcessResponse(response, request, session, config);
    if (isThenable(result)) return settle(result, (settled) => finishResponse(settled, body));
    return finishResponse(result, body);
  }

  let isBusy = false;

  function call(file, hookCase) {
    if (isBusy) throw new TypeError("a hook cannot call the gateway's entry point");
    isBusy = true;
    try {
      const given = parse(pending());
      isMuted = true;
      runFiles();
      isMuted = false;
      const hook = resolvers[file](hookCase);
      const session = given.session === undefined ? emptySession() : given.session;
      const config = parse(configText);
      const text = given.response === undefined
        ? callRequest(hook, given, session, config)
        : callResponse(hook, given, session, config);
      return text;
    } catch (error) {
      return describe(error);
    } finally {
      isBusy = false;
      isMuted = false;
    }
  }

  // --- isolation ------------------------------------------------------------------------------

  const gatewayGlobals = create(null); // by name: what a plugin may overwrite for its request
  let baseCount = 0;
  let baseNames = null;
  let basePrototype = null;

  // Bring the global object back to what it was after loading. False: throw this runtime away.
  // Hardening has moved all globals to its prototype, so what it owns is what a request left.
  function clean() {
    let isClean = true;
    if (ownsTykJS) gatewayGlobals.TykJS = makeTykJS();
    const names = ownKeys(G);
    if (names.length !== baseCount) {
      for (let i = 0; i < names.length; i++) {
        if (!baseNames[names[i]] && !deleteProperty(G, names[i])) isClean = false;
      }
    }
    timers = create(null);
    return isClean && isExtensible(G) && getPrototypeOf(G) === basePrototype;
  }

  function callIsolated(file, hookCase) {
    const text = call(file, hookCase);
    return clean() ? text : "#" + text;
  }

  let isHardened = false;
  let isLoaded = false;
  const entry = function (command, first, second) {
    if (command === "call") return isHardened ? callIsolated(first, second) : call(first, second);
    if (command === "load" && !isLoaded) return load();
    throw new TypeError("this is the gateway's own entry point");
  };

  function expose(name, value) {
    gatewayGlobals[name] = value;
    defineProperty(G, name, { value, writable: true, enumerable: false, configurable: true });
  }

  for (const name in hostFunctions) expose(name, hostFunctions[name]);
  expose("TykJS", makeTykJS());
  expose("console", consoleMembers);

  // The loader drives these; the last one takes them all away from the global object.
  G.$add = function (names, factory) {
    freeze(factory);
    freeze(factory.prototype);
    factories.push(factory);
    published.push(names);
    return factories.length - 1;
  };
  G.$configure = function (config, sharesTykJS) {
    configText = config;
    ownsTykJS = !sharesTykJS;
  };
  G.$start = function (harden) {
    for (const name of ["$add", "$configure", "$start", "$take", "$escape"]) deleteProperty(G, name);
    defineProperty(G, "$propylon", {
      value: freeze(entry), writable: false, enumerable: false, configurable: false,
    });
    if (!harden) return;
    isHardened = true;
    if (hasOwn.call(G, "_")) gatewayGlobals._ = G._;
    const ownTykJS = gatewayGlobals.TykJS;
    if (ownsTykJS) gatewayGlobals.TykJS = undefined; // each request gets one that it may change
    harden({ G, escape, gatewayGlobals, anyCase });
    if (ownsTykJS) gatewayGlobals.TykJS = ownTykJS;
    basePrototype = getPrototypeOf(G);
    baseNames = create(null);
    const names = ownKeys(G);
    baseCount = names.length;
    for (const name of names) baseNames[name] = true;
    freeze(entry.prototype);
  };
  G.$take = take;
})();
0;
