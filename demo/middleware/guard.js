// A `pre` hook that answers by itself: the upstream never sees these requests.
var guard = new TykJS.TykMiddleware.NewMiddleware({});

guard.NewProcessRequest(function (request, session) {
  if (request.URL === "/javascript/time") {
    request.ReturnOverrides.ResponseCode = 200;
    request.ReturnOverrides.ResponseBody = JSON.stringify({answered_by: "guard.js"});
    request.ReturnOverrides.ResponseHeaders = {"Content-Type": "application/json"};
  }
  if (request.Params["drop"]) {
    request.ReturnOverrides.ResponseCode = 403;
    request.ReturnOverrides.ResponseError = "guard.js says no";
  }
  return guard.ReturnData(request, session.meta_data);
});
