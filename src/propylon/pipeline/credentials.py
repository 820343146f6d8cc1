"""Where a caller's credential stands in a request: gateway-core 5.1."""

from __future__ import annotations

from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition, AuthConfig
from propylon.http.headers import canonical
from propylon.http.message import Request
from propylon.pipeline.query import first_value

_DEFAULT_HEADER = "Authorization"


@dataclass(frozen=True, slots=True)
class CredentialPlaces:
    """The places to look in; an empty name means that the place is switched off."""

    header: bytes
    parameter: str
    cookie: str

    def find(self, request: Request) -> str:
        """Return the credential, or an empty string; the last place that holds one wins."""
        found = ""
        if self.header:
            value = request.headers.get(self.header)
            found = "" if value is None else value.decode("latin-1")
        if self.parameter:
            found = first_value(request.query, self.parameter) or found
        if self.cookie:
            found = find_cookie(request, self.cookie) or found
        return found


def places_of(auth: AuthConfig) -> CredentialPlaces:
    header = auth.auth_header_name or _DEFAULT_HEADER
    return CredentialPlaces(
        header=b"" if auth.disable_header else canonical(header.encode("utf-8")),
        parameter=(auth.param_name or header) if auth.use_param else "",
        cookie=(auth.cookie_name or header) if auth.use_cookie else "",
    )


def header_of(auth: AuthConfig) -> bytes:
    return canonical((auth.auth_header_name or _DEFAULT_HEADER).encode("utf-8"))


def auth_config(definition: ApiDefinition, kind: str) -> AuthConfig:
    """Return the settings for one way of authenticating; the legacy `auth` stands in."""
    return definition.auth_configs.get(kind, definition.auth)


def find_cookie(request: Request, name: str) -> str:
    """Return the value of a cookie, or an empty string (RFC 6265, 5.4)."""
    for line in request.headers.get_all(b"Cookie"):
        for pair in line.decode("latin-1").split(";"):
            key, equals, value = pair.strip().partition("=")
            if equals and key == name:
                return value.strip('"')
    return ""


def strip_bearer(credential: str) -> str:
    """Take `Bearer ` off, in any case and with exactly one blank (5.3)."""
    return credential[7:] if credential[:7].lower() == "bearer " else credential
