"""The session that an authentication hook returned (5.8)."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.errors import PluginError
from propylon.http.headers import canonical
from propylon.http.message import Request
from propylon.pipeline.session import Session

_SESSION_FIELDS = {name.lower(): name for name in Session.__struct_fields__ if name != "key_id"}


def provides_identity(definition: ApiDefinition) -> bool:
    """Tell whether the hook's session is the caller's, or only its verdict counts."""
    return definition.base_identity_provided_by in ("", "custom_auth")


def session_from(returned: dict[str, Any] | None) -> Session:
    """Decode strictly by type, loosely by key case; null members keep their zero value."""
    fields = {}
    for key, value in (returned or {}).items():
        name = _SESSION_FIELDS.get(key.lower())
        if name is not None and value is not None:
            fields[name] = value
    try:
        return msgspec.convert(fields, Session)
    except msgspec.ValidationError as error:
        raise PluginError(f"Session of the returned object: {error}") from None


def derived_key_id(definition: ApiDefinition, session: Session, request: Request) -> str:
    """A stable id for a session without `AuthValue`, so that callers do not share one limit."""
    credential = session.alias.encode() or _credential(definition, request)
    if not credential:
        credential = msgspec.json.encode(session)
    digest = hashlib.sha256(definition.api_id.encode() + b"\0" + credential)
    return f"{definition.org_id}{digest.hexdigest()[:32]}"


def _credential(definition: ApiDefinition, request: Request) -> bytes:
    name = definition.auth.auth_header_name or "Authorization"
    return request.headers.get(canonical(name.encode())) or b""
