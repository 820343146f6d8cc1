"""`/hello` and `/ready`: what monitors and load balancers ask (gateway-core 7.8).

`GatewayState` is what a worker knows about itself; the worker writes it, the endpoints read it.
Both documents need no credentials, so they name files without their folders and never a value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from propylon import __version__
from propylon.config.model import Config
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.observe.formats import rfc3339_clock

# The document stays small when a whole folder of definitions is broken.
MAX_LISTED_FAILURES = 50
MAX_REASON_CHARS = 300

# Tyk greets the first caller of a process with one, hence so do we (checklist row 131).
_MASCOT = (b"/\\__/\\", b"( oo )", b"/|==|\\", b"`-||-'")


@dataclass(frozen=True, slots=True)
class ApiFailure:
    """One definition that is not served, served in an older version, or whose hooks refuse."""

    source: str
    reason: str
    api_id: str = ""


class GatewayState:
    """What this worker serves and whether it wants traffic. Changed by its owner only."""

    def __init__(self) -> None:
        self.is_shutting_down = False
        self.has_loaded = False
        self.api_count = 0
        self.failures: tuple[ApiFailure, ...] = ()
        self.loaded_at = 0.0
        self.reload_error = ""
        "Why the last reload changed nothing; empty when it succeeded."
        self.reload_failed_at = 0.0
        self.plugins: Callable[[], Mapping[str, object] | None] = lambda: None
        "Asks the stdio child's owner for its state; None when no such child is configured."

    def __repr__(self) -> str:
        return (
            f"<GatewayState loaded={self.has_loaded} apis={self.api_count}"
            f" failures={len(self.failures)} shutting_down={self.is_shutting_down}>"
        )

    def loaded(self, api_count: int, failures: Sequence[ApiFailure]) -> None:
        """A snapshot serves now."""
        self.has_loaded = True
        self.api_count = api_count
        self.failures = tuple(failures)
        self.loaded_at = time.time()
        self.reload_error = ""

    def reload_failed(self, reason: str) -> None:
        """A new snapshot could not be built; the old one goes on serving."""
        self.reload_error = reason
        self.reload_failed_at = time.time()


class HealthEndpoints:
    """The two endpoints under the names that the configuration gives them."""

    def __init__(self, config: Config, state: GatewayState) -> None:
        self._state = state
        self._clock = rfc3339_clock()
        self._is_mascot_due = not config.hide_generator_header
        self._answers: dict[str, Callable[[], Response]] = {
            "/" + config.readiness_check_endpoint_name: self._ready,
            "/" + config.health_check_endpoint_name: self._hello,
        }

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(self._answers)

    def answer(self, request: Request) -> Response | None:
        """Answer a request for one of the two paths; None for every other path."""
        make = self._answers.get(request.path)
        if make is None:
            return None
        if request.method != "GET":
            return _error(405, "Method Not Allowed")
        return make()

    def _hello(self) -> Response:
        details = self._details()
        document = {
            "status": _overall(details),
            "version": __version__,
            "description": "Tyk GW",
            "details": details,
        }
        response = _json(200, document)
        if self._is_mascot_due:
            self._is_mascot_due = False
            for index, line in enumerate(_MASCOT):
                response.headers.add(b"X-Mascot-%d" % index, line)
        return response

    def _ready(self) -> Response:
        if self._state.is_shutting_down:
            return _error(503, "Gateway is shutting down")
        if not self._state.has_loaded:
            return _error(503, "A successful API reload did not happen")
        document = {
            "status": "pass",
            "version": __version__,
            "description": "Tyk GW Ready",
            "details": self._details(),
        }
        return _json(200, document)

    def _details(self) -> dict[str, dict[str, Any]]:
        details = {"apis": self._apis()}
        plugins = self._state.plugins()
        if plugins is not None:
            details["plugins"] = self._plugins(plugins)
        if self._state.reload_error:
            details["reload"] = {
                "status": "warn",
                "output": _shorten(self._state.reload_error),
                "componentType": "system",
                "time": self._clock.second(self._state.reload_failed_at),
            }
        return details

    def _apis(self) -> dict[str, Any]:
        state = self._state
        failed = [
            {"source": PurePath(f.source).name, "api_id": f.api_id, "reason": _shorten(f.reason)}
            for f in state.failures[:MAX_LISTED_FAILURES]
        ]
        component: dict[str, Any] = {
            "status": _apis_status(state),
            "componentType": "system",
            "time": self._clock.second(state.loaded_at),
            "loaded": state.api_count,
            "failed_total": len(state.failures),
            "failed": failed,
        }
        if state.failures:
            component["output"] = (
                f"{len(state.failures)} API definitions are not served as they are written"
            )
        return component

    def _plugins(self, plugins: Mapping[str, object]) -> dict[str, Any]:
        state = str(plugins.get("state", "unknown"))
        component: dict[str, Any] = {
            "status": "pass" if state == "ready" else "fail",
            "componentType": "component",
            "time": self._clock.second(time.time()),
            **{key: value for key, value in plugins.items() if key != "status"},
        }
        if state != "ready":
            component["output"] = f"the plugin process is in state {state}"
        return component


def _apis_status(state: GatewayState) -> str:
    if not state.has_loaded:
        return "fail"
    if not state.failures:
        return "pass"
    return "warn" if state.api_count else "fail"


def _overall(details: Mapping[str, Mapping[str, Any]]) -> str:
    """All components failing: fail; any not passing: warn (7.8)."""
    statuses = {component["status"] for component in details.values()}
    if statuses == {"fail"}:
        return "fail"
    return "pass" if statuses == {"pass"} else "warn"


def _shorten(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON_CHARS else reason[: MAX_REASON_CHARS - 1] + "…"


def _error(status: int, message: str) -> Response:
    return _json(status, {"status": "error", "message": message})


def _json(status: int, document: object) -> Response:
    body = msgspec.json.encode(document, enc_hook=str) + b"\n"
    return Response(status, Headers([(b"Content-Type", b"application/json")]), body)
