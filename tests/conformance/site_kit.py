"""A real gateway with many small APIs in front of a real upstream.

A test module makes one `Site`, adds the APIs next to the tests that use them, and starts it once:
a gateway takes about a second to come up, an API nothing.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.gateway_process import GatewayProcess, keyless
from support.raw_client import Answer, RawClient
from support.upstream import ROUTES, Received, Upstream

PLUGIN = Path(__file__).with_name("scripted_plugin.py")

# What a JavaScript hook does to show that it ran, and in which order.
TRAIL = (
    'request.SetHeaders["X-Trail"] = ((request.Headers["X-Trail"] || [""])[0] + " {name}").trim();'
)
RESPONSE_TRAIL = (
    'response.SetHeaders["X-Trail"] = '
    '((response.Headers["X-Trail"] || [""])[0] + " {name}").trim();'
)
ACCEPT = 'return {Request: request, Session: {}, AuthValue: "somebody"};'


def javascript(name: str, statements: str) -> str:
    """Return a plugin file whose request hook runs `statements`, then goes on."""
    return (
        f"var {name} = new TykJS.TykMiddleware.NewMiddleware({{}});\n"
        f"{name}.NewProcessRequest(function (request, session, config) {{\n{statements}\n"
        f"return {name}.ReturnData(request, {{}});\n}});\n"
    )


def javascript_response(name: str, statements: str) -> str:
    return (
        f"var {name} = new TykJS.TykMiddleware.NewMiddleware({{}});\n"
        f"{name}.NewProcessResponse(function (response, request, session, config) {{\n"
        f"{statements}\nreturn {name}.ReturnResponseData(response, {{}});\n}});\n"
    )


def inline(source: str) -> str:
    return base64.b64encode(source.encode()).decode()


def extended_paths(**lists: Any) -> dict[str, Any]:
    """Return `version_data` of one version with these extended paths."""
    default = {"name": "Default", "use_extended_paths": True, "extended_paths": lists}
    return {"not_versioned": True, "versions": {"Default": default}}


def always(path: str, method: str = "GET", **action: Any) -> dict[str, Any]:
    """Return an entry of a white, black or ignore list for one method."""
    return {"path": path, "method_actions": {method: {"action": "no_action", **action}}}


HOOK_LISTS = ("pre", "post_key_auth", "post", "response")


class Site:
    """Definitions first, then a running gateway and its upstream.

    Each API has an upstream of its own below `/<api_id>`, with all routes of `support.upstream`.
    """

    def __init__(self, **config: Any) -> None:
        self._config = config
        self._apis: dict[str, dict[str, Any]] = {}
        self._files: dict[str, str] = {}
        self.gateway: GatewayProcess | None = None
        self.upstream: Upstream | None = None
        self.folder = Path()

    # -- definitions ---------------------------------------------------------------------------

    def api(self, api_id: str, **members: Any) -> str:
        """Add an API at `/<api_id>/`, keyless unless said otherwise."""
        assert api_id not in self._apis
        self._apis[api_id] = members
        return api_id

    @property
    def api_ids(self) -> list[str]:
        return list(self._apis)

    def file(self, path: str, text: str) -> str:
        """Put a file into the gateway's working directory; return its path there."""
        self._files[path] = text
        return path

    def scripts(self, api_id: str, driver: str = "otto", **members: Any) -> str:
        """Add an API whose hooks run these statements, each in a file of its own.

        `pre`, `post_key_auth`, `post` and `response` are lists of statements, `auth` is one.
        """
        section: dict[str, Any] = {"driver": driver}
        for kind in HOOK_LISTS:
            sources = members.pop(kind, [])
            section[kind] = [self._script(api_id, kind, n, text) for n, text in enumerate(sources)]
        if "auth" in members:
            section["auth_check"] = self._script(api_id, "auth", 0, members.pop("auth"))
            members = {"use_keyless": False, "custom_plugin_auth_enabled": True, **members}
        return self.api(api_id, custom_middleware=section, **members)

    def _script(self, api_id: str, kind: str, number: int, statements: str) -> dict[str, Any]:
        name = f"{kind}{number}"
        make = javascript_response if kind == "response" else javascript
        source = make(name, statements.replace("{name}", name))
        return {"name": name, "path": self.file(f"scripts/{api_id}/{name}.js", source)}

    def plugin(self, api_id: str, **members: Any) -> str:
        """Add an API whose hooks behave so in the stdio plugin (see `scripted_plugin.py`)."""
        section: dict[str, Any] = {"driver": "jsonrpc"}
        behaviours: dict[str, Any] = {}
        for kind in HOOK_LISTS:
            given: Sequence[Mapping[str, Any]] = members.pop(kind, [])
            section[kind] = [{"name": f"{kind}{number}"} for number in range(len(given))]
            behaviours |= {f"{kind}{number}": each for number, each in enumerate(given)}
        if "auth" in members:
            section["auth_check"] = {"name": "auth0"}
            behaviours["auth0"] = members.pop("auth")
            members = {"use_keyless": False, "custom_plugin_auth_enabled": True, **members}
        return self.api(api_id, custom_middleware=section, config_data=behaviours, **members)

    # -- life ----------------------------------------------------------------------------------

    @contextmanager
    def running(self, folder: Path, **config: Any) -> Iterator[Site]:
        self.folder = folder
        for path, text in self._files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        with Upstream() as upstream:
            self.upstream = upstream
            for api_id in self._apis:
                for path, route in ROUTES.items():
                    upstream.route(f"/{api_id}{path}", route, reads_body=path != "/early")
            definitions = [self._definition(api_id) for api_id in self._apis]
            merged = {**base(), **self._config, **config}
            with GatewayProcess(folder, definitions, config=merged) as gateway:
                self.gateway = gateway
                yield self

    def _definition(self, api_id: str) -> dict[str, Any]:
        assert self.upstream is not None
        members = dict(self._apis[api_id])
        proxy = {"target_url": f"{self.upstream.url}/{api_id}", **members.pop("proxy", {})}
        targets = proxy.get("target_list", [])
        proxy["target_list"] = [each.format(upstream=self.upstream.url) for each in targets]
        return keyless("", api_id=api_id, listen_path=f"/{api_id}/", proxy=proxy, **members)

    # -- requests ------------------------------------------------------------------------------

    def client(self) -> RawClient:
        assert self.gateway is not None
        return RawClient(self.gateway.port)

    def ask(self, path: str, *lines: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """Send one request on a connection of its own; `body` gets its length."""
        with self.client() as client:
            if body is None:
                return client.get(path, *lines, method=method)
            head = "".join(f"{line}\r\n" for line in lines)
            start = f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {len(body)}\r\n"
            client.send(f"{start}{head}\r\n".encode("latin-1") + body)
            return client.answer(method)

    def arrived(self, api_id: str) -> list[Received]:
        """Return what the upstream got of this API, heads without a body included."""
        assert self.upstream is not None
        return [
            each for each in self.upstream.heads if re.match(rf"/{api_id}(?![\w-])", each.target)
        ]

    def last(self, api_id: str) -> Received:
        return self.arrived(api_id)[-1]


def base() -> dict[str, Any]:
    """Return the configuration of all sites: both drivers on, short time limits."""
    return {
        "enable_jsvm": True,
        "jsvm_timeout": 1,
        "middleware_path": "middleware",
        "coprocess_options": coprocess(),
    }


def coprocess(**options: Any) -> dict[str, Any]:
    return {
        "enable_coprocess": True,
        "coprocess_command": sys.executable,
        "coprocess_args": ["-u", str(PLUGIN)],
        "coprocess_timeout_ms": 1000,
        "coprocess_stop_timeout_s": 2,
        "coprocess_restart": {"initial_ms": 20, "max_ms": 200},
        **options,
    }


def error_page(message: str) -> bytes:
    """Return the JSON page of an error (gateway-core 3.13), byte for byte."""
    return f'{{\n    "error": "{message}"\n}}'.encode()


def is_refused(answer: Answer, status: int, message: str) -> bool:
    return (answer.status, answer.body) == (status, error_page(message))
