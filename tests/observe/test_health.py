"""`/hello` and `/ready` (checklist rows 129 to 131)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from propylon import __version__
from propylon.config.model import Config
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.observe.health import ApiFailure, GatewayState, HealthEndpoints

BROKEN = ApiFailure("/etc/apps/b.json", "line 1: not JSON", "b")


def ask(endpoints: HealthEndpoints, url: str, method: str = "GET") -> Response:
    response = endpoints.answer(Request(method, url, Headers()))
    assert response is not None
    return response


def document(response: Response) -> dict[str, Any]:
    assert isinstance(response.body, bytes)
    assert response.body.endswith(b"\n")
    assert response.headers.get(b"Content-Type") == b"application/json"
    return json.loads(response.body)


@pytest.fixture
def state() -> GatewayState:
    state = GatewayState()
    state.loaded(3, [])
    return state


@pytest.fixture
def endpoints(state: GatewayState) -> HealthEndpoints:
    return HealthEndpoints(Config(), state)


def test_row_129_hello_document(endpoints: HealthEndpoints) -> None:
    response = ask(endpoints, "/hello?x=1")
    answer = document(response)
    assert response.status == 200
    assert answer["status"] == "pass"
    assert answer["version"] == __version__
    assert answer["description"] == "Tyk GW"
    apis = answer["details"]["apis"]
    assert (apis["status"], apis["loaded"], apis["failed"]) == ("pass", 3, [])
    assert "redis" not in answer["details"]


def test_row_129_hello_is_always_200(state: GatewayState, endpoints: HealthEndpoints) -> None:
    state.loaded(0, [BROKEN])
    state.is_shutting_down = True
    response = ask(endpoints, "/hello")
    assert response.status == 200
    assert document(response)["status"] == "fail"


def test_some_failures_warn_and_name_the_file_without_its_folder(
    state: GatewayState, endpoints: HealthEndpoints
) -> None:
    state.loaded(2, [BROKEN])
    answer = document(ask(endpoints, "/hello"))
    assert answer["status"] == "warn"
    assert answer["details"]["apis"]["failed"] == [
        {"source": "b.json", "api_id": "b", "reason": "line 1: not JSON"}
    ]


def test_many_failures_are_counted_and_some_listed(
    state: GatewayState, endpoints: HealthEndpoints
) -> None:
    state.loaded(0, [ApiFailure(f"{n}.json", "x" * 1000) for n in range(500)])
    apis = document(ask(endpoints, "/hello"))["details"]["apis"]
    assert apis["failed_total"] == 500
    assert len(apis["failed"]) == 50
    assert len(apis["failed"][0]["reason"]) == 300


@pytest.mark.parametrize(("plugin", "status"), [("ready", "pass"), ("backoff", "warn")])
def test_plugin_child(
    state: GatewayState, endpoints: HealthEndpoints, plugin: str, status: str
) -> None:
    state.plugins = lambda: {"state": plugin, "restarts": 3}
    answer = document(ask(endpoints, "/hello"))
    assert answer["status"] == status
    assert answer["details"]["plugins"]["restarts"] == 3


def test_all_components_failing_fail(state: GatewayState, endpoints: HealthEndpoints) -> None:
    state.loaded(0, [BROKEN])
    state.plugins = lambda: {"state": "failed"}
    assert document(ask(endpoints, "/hello"))["status"] == "fail"


def test_failed_reload_is_shown_until_one_succeeds(
    state: GatewayState, endpoints: HealthEndpoints
) -> None:
    state.reload_failed("templates: missing")
    answer = document(ask(endpoints, "/hello"))
    assert answer["status"] == "warn"
    assert answer["details"]["reload"]["output"] == "templates: missing"
    assert ask(endpoints, "/ready").status == 200
    state.loaded(1, [])
    assert "reload" not in document(ask(endpoints, "/hello"))["details"]


def test_row_130_ready(state: GatewayState, endpoints: HealthEndpoints) -> None:
    answer = document(ask(endpoints, "/ready"))
    assert (answer["status"], answer["description"]) == ("pass", "Tyk GW Ready")


def test_row_130_not_ready_before_the_first_load() -> None:
    response = ask(HealthEndpoints(Config(), GatewayState()), "/ready")
    assert response.status == 503
    assert document(response) == {
        "status": "error",
        "message": "A successful API reload did not happen",
    }


def test_row_130_not_ready_while_stopping(state: GatewayState, endpoints: HealthEndpoints) -> None:
    state.is_shutting_down = True
    response = ask(endpoints, "/ready")
    assert response.status == 503
    assert document(response)["message"] == "Gateway is shutting down"


def test_row_131_mascot_once(endpoints: HealthEndpoints) -> None:
    assert b"X-Mascot-0" in ask(endpoints, "/hello").headers
    assert b"X-Mascot-0" not in ask(endpoints, "/hello").headers


def test_row_131_no_mascot_when_generators_are_hidden(state: GatewayState) -> None:
    config = msgspec.structs.replace(Config(), hide_generator_header=True)
    assert b"X-Mascot-0" not in ask(HealthEndpoints(config, state), "/hello").headers


@pytest.mark.parametrize("path", ["/hello", "/ready"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
def test_other_methods(endpoints: HealthEndpoints, path: str, method: str) -> None:
    response = ask(endpoints, path, method)
    assert response.status == 405
    assert response.body == b'{"status":"error","message":"Method Not Allowed"}\n'


def test_names_come_from_the_configuration(state: GatewayState) -> None:
    config = msgspec.structs.replace(
        Config(), health_check_endpoint_name="live", readiness_check_endpoint_name="up"
    )
    endpoints = HealthEndpoints(config, state)
    assert ask(endpoints, "/live").status == 200
    assert ask(endpoints, "/up").status == 200
    assert endpoints.answer(Request("GET", "/hello", Headers())) is None


def test_other_paths_are_not_ours(endpoints: HealthEndpoints) -> None:
    for url in ("/", "/hello/", "/hello2", "/ready/x", "/api?p=/hello"):
        assert endpoints.answer(Request("GET", url, Headers())) is None
