"""Auth token: gateway-core 5.2 and 5.3, the last element of the authentication block.

There is no key store yet, hence no key that could be known: without a credential the answer is 401,
with one it is 403. An API that is protected by default stays closed.
"""

from __future__ import annotations

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import Refusal
from propylon.pipeline.credentials import CredentialPlaces, auth_config, places_of, strip_bearer
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.step import StepResult

FIELD_MISSING = "Authorization field missing"
KEY_UNKNOWN = "Access to this API has been disallowed"


class AuthToken:
    __slots__ = ("_places",)

    name = "AuthKey"
    needs_body = False

    def __init__(self, places: CredentialPlaces) -> None:
        self._places = places

    def __call__(self, exchange: Exchange) -> StepResult:
        if exchange.is_ignored:
            return None
        if not strip_bearer(self._places.find(exchange.request)):
            raise Refusal(401, FIELD_MISSING)
        raise Refusal(403, KEY_UNKNOWN, reason="there is no key store")


def build(definition: ApiDefinition, config: Config) -> AuthToken | None:
    """Present when asked for, and when nothing else authenticates (4.2)."""
    if definition.use_keyless:
        return None
    has_plugin = definition.has_plugin_auth and not definition.custom_middleware.auth_check.disabled
    if has_plugin and not definition.use_standard_auth:
        return None
    return AuthToken(places_of(auth_config(definition, "authToken")))
