"""Strip auth data: gateway-core 9.19, element 14 of the chain.

Takes the credentials of every entry of `auth_configs` off the request, whether that way of
authenticating is on or not. Everything else in the query and the cookies keeps its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, AuthConfig
from propylon.config.model import Config
from propylon.http.message import Request
from propylon.pipeline.credentials import header_of
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.query import first_value, with_query, without
from propylon.pipeline.step import StepResult


@dataclass(frozen=True, slots=True)
class _Names:
    header: bytes
    parameter: str
    cookie: str


class StripAuth:
    __slots__ = ("_all_names",)

    name = "StripAuth"
    needs_body = False

    def __init__(self, all_names: tuple[_Names, ...]) -> None:
        self._all_names = all_names

    def __call__(self, exchange: Exchange) -> StepResult:
        request = exchange.request
        for names in self._all_names:
            request.headers.remove(names.header)
            if names.parameter and first_value(request.query, names.parameter) is not None:
                query = without(request.query, names.parameter)
                request.url = with_query(request.url, query)
            _strip_cookie(request, names.cookie)
        return None


def build(definition: ApiDefinition, config: Config) -> StripAuth | None:
    if not definition.strip_auth_data or definition.use_keyless:
        return None
    configs = definition.auth_configs.values() or (definition.auth,)
    return StripAuth(tuple(_names_of(auth) for auth in configs))


def _names_of(auth: AuthConfig) -> _Names:
    header = header_of(auth)
    name = auth.auth_header_name or header.decode("utf-8")
    return _Names(
        header,
        (auth.param_name or name) if auth.use_param else "",
        auth.cookie_name or name,
    )


def _strip_cookie(request: Request, name: str) -> None:
    lines = request.headers.get_all(b"Cookie")
    if not lines:
        return
    prefix = name.encode("utf-8") + b"="
    pairs = [pair.strip() for line in lines for pair in line.split(b";")]
    kept = [pair for pair in pairs if not pair.startswith(prefix)]
    if len(kept) == len(pairs):
        return
    if kept:
        request.headers.set(b"Cookie", b"; ".join(kept))
    else:
        request.headers.remove(b"Cookie")
