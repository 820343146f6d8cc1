// A `pre` hook: adds a header and sends one path to another.
var greet = new TykJS.TykMiddleware.NewMiddleware({});

greet.NewProcessRequest(function (request, session, spec) {
  request.SetHeaders["X-Greeting"] = spec.config_data.greeting;
  if (request.URL === "/javascript/old") {
    request.URL = "/javascript/new";
  }
  return greet.ReturnData(request, session.meta_data);
});
