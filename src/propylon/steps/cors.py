"""Cross-origin requests: gateway-core 9.18, which is what rs/cors 1.11 does. Chain element 2.

Preflights and plain OPTIONS are answered here, before plugins and authentication; other requests
go on, and their answer gets the headers whoever makes it. With `options_passthrough` an OPTIONS
request never gets here: it skips the whole chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, Cors
from propylon.config.model import Config
from propylon.http.headers import Headers, canonical
from propylon.http.message import Request, Response
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.step import StepResult

_DEFAULT_METHODS = ("GET", "POST", "HEAD")
_DEFAULT_HEADERS = ("accept", "content-type", "x-requested-with")

_PREFLIGHT_VARY = (
    b"Vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)
_VARY = (b"Vary", b"Origin")
_CREDENTIALS = (b"Access-Control-Allow-Credentials", b"true")


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """Who may ask for what, decided when the API is built."""

    allows_all_origins: bool
    origins: frozenset[str]
    origin_wildcards: tuple[tuple[str, str], ...]
    "What stands before and after the `*`."
    methods: frozenset[str]
    headers: frozenset[str] | None
    "None when every header is allowed."
    exposed_headers: bytes
    allows_credentials: bool
    max_age: bytes

    def allows_origin(self, origin: bytes) -> bool:
        if self.allows_all_origins:
            return True
        text = origin.decode("latin-1").lower()
        if text in self.origins:
            return True
        return any(
            len(text) >= len(before) + len(after)
            and text.startswith(before)
            and text.endswith(after)
            for before, after in self.origin_wildcards
        )

    def allows_method(self, method: str) -> bool:
        return method == "OPTIONS" or method in self.methods

    def allows_headers(self, requested: bytes) -> bool:
        if self.headers is None:
            return True
        names = [name.strip().lower() for name in requested.decode("latin-1").split(",")]
        return all(name in self.headers for name in names if name)


class CorsStep:
    __slots__ = ("_policy",)

    name = "CORS"
    needs_body = False

    def __init__(self, policy: CorsPolicy) -> None:
        self._policy = policy

    def __call__(self, exchange: Exchange) -> StepResult:
        request = exchange.request
        if request.method == "OPTIONS":
            if is_preflight(request):
                return Response(204, Headers(self._preflight_headers(request)))
            return Response(200, Headers(self._actual_headers(request)))
        for name, value in self._actual_headers(request):
            exchange.set_client_header(name, value)
        return None

    def _preflight_headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        policy = self._policy
        headers = [_PREFLIGHT_VARY]
        origin = request.headers.get(b"Origin")
        method = request.headers.get(b"Access-Control-Request-Method") or b""
        requested = request.headers.get(b"Access-Control-Request-Headers") or b""
        if (
            not origin
            or not policy.allows_origin(origin)
            or not policy.allows_method(method.decode("latin-1"))
            or not policy.allows_headers(requested)
        ):
            return headers
        headers.append(self._allow_origin(origin))
        headers.append((b"Access-Control-Allow-Methods", method))
        if requested:
            headers.append((b"Access-Control-Allow-Headers", requested))
        if policy.allows_credentials:
            headers.append(_CREDENTIALS)
        if policy.max_age:
            headers.append((b"Access-Control-Max-Age", policy.max_age))
        return headers

    def _actual_headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        policy = self._policy
        headers = [_VARY]
        origin = request.headers.get(b"Origin")
        if (
            not origin
            or not policy.allows_origin(origin)
            or not policy.allows_method(request.method)
        ):
            return headers
        headers.append(self._allow_origin(origin))
        if policy.exposed_headers:
            headers.append((b"Access-Control-Expose-Headers", policy.exposed_headers))
        if policy.allows_credentials:
            headers.append(_CREDENTIALS)
        return headers

    def _allow_origin(self, origin: bytes) -> tuple[bytes, bytes]:
        allowed = b"*" if self._policy.allows_all_origins else origin
        return (b"Access-Control-Allow-Origin", allowed)


def build(definition: ApiDefinition, config: Config) -> CorsStep | None:
    return CorsStep(_policy_of(definition.cors)) if definition.cors.enable else None


def is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and bool(
        request.headers.get(b"Access-Control-Request-Method")
    )


def skips_options(definition: ApiDefinition) -> bool:
    """Tell whether OPTIONS requests of this API meet no step at all.

    Only with CORS on: Tyk looks at `options_passthrough` alone, which opens an API to OPTIONS
    without a key although the section it stands in is off.
    """
    return definition.cors.enable and definition.cors.options_passthrough


def _policy_of(cors: Cors) -> CorsPolicy:
    origins = [origin.lower() for origin in cors.allowed_origins]
    headers = cors.allowed_headers or _DEFAULT_HEADERS
    exposed = ", ".join(canonical(h.encode()).decode() for h in cors.exposed_headers)
    return CorsPolicy(
        allows_all_origins=not origins or "*" in origins,
        origins=frozenset(origin for origin in origins if "*" not in origin),
        origin_wildcards=tuple(
            (before, after) for before, _, after in (o.partition("*") for o in origins if "*" in o)
        ),
        methods=frozenset(m.upper() for m in cors.allowed_methods or _DEFAULT_METHODS),
        headers=None if "*" in headers else frozenset(h.strip().lower() for h in headers),
        exposed_headers=exposed.encode("utf-8"),
        allows_credentials=cors.allow_credentials,
        max_age=_max_age(cors.max_age),
    )


def _max_age(seconds: int) -> bytes:
    if seconds == 0:
        return b""
    return b"%d" % max(seconds, 0)
