"""Sessions between our spelling and that of the plugin contract (rich-plugins 3.3, 4.2, 4.8)."""

from __future__ import annotations

from typing import Any

from propylon.errors import PluginError, Refusal
from propylon.pipeline.session import (
    AccessDefinition,
    BasicAuthData,
    JwtData,
    Monitor,
    Session,
    UrlAccess,
)
from propylon.plugins.rich.gojson import go_json
from propylon.plugins.rich.objects import (
    AccessSpec,
    PluginReply,
    PluginSession,
    SessionAccess,
    SessionBasicAuth,
    SessionJwt,
    SessionMonitor,
)

# Fields that mean and are spelled the same on both sides.
_SHARED_FIELDS = (
    "last_check",
    "allowance",
    "rate",
    "per",
    "expires",
    "quota_max",
    "quota_renews",
    "quota_remaining",
    "quota_renewal_rate",
    "org_id",
    "oauth_client_id",
    "hmac_enabled",
    "is_inactive",
    "apply_policy_id",
    "data_expires",
    "alias",
    "last_updated",
    "id_extractor_deadline",
    "session_lifetime",
    "certificate",
    "max_query_depth",
    "key_id",
    "post_expiry_action",
    "post_expiry_grace_period",
)


def plugin_session(session: Session) -> PluginSession:
    """Spell a session as plugins know it; metadata that is not text becomes JSON text."""
    shared = {name: getattr(session, name) for name in _SHARED_FIELDS}
    return PluginSession(
        **shared,
        access_rights=_sent_rights(session.access_rights),
        oauth_keys=session.oauth_keys or {},
        basic_auth_data=SessionBasicAuth(
            session.basic_auth_data.password, session.basic_auth_data.hash_type
        ),
        jwt_data=SessionJwt(session.jwt_data.secret),
        hmac_secret=session.hmac_string,
        monitor=SessionMonitor(session.monitor.trigger_limits or []),
        enable_detailed_recording=(
            session.enable_detailed_recording or session.enable_detail_recording
        ),
        metadata=_sent_metadata(session.meta_data),
        tags=session.tags or [],
        apply_policies=session.apply_policies or [],
    )


def authenticated_session(reply: PluginReply, org_id: str) -> Session:
    """Turn the reply of an auth hook into the session of the request.

    Raises `Refusal` 403 `Forbidden` when the reply names no session, no token, or policies.
    """
    if reply.session is None:
        raise Refusal(403, "Forbidden", reason="the auth plugin returned no session")
    metadata = {**reply.session.metadata, **(reply.metadata or {})}
    token = metadata.get("token") or ""
    if not isinstance(token, str):
        raise PluginError("session.metadata.token: expected text")
    if not token:
        raise Refusal(403, "Forbidden", reason="the auth plugin's session has no metadata.token")
    if reply.session.apply_policies or reply.session.apply_policy_id:
        # A policy narrows what the session may do; none is known, so none can be applied.
        raise Refusal(
            403, "Forbidden", reason="the session names policies, and this release knows none"
        )
    session = stored_session(reply.session)
    session.meta_data = metadata
    session.org_id = org_id
    session.key_id = token
    return session


def stored_session(sent: PluginSession) -> Session:
    """Spell a plugin's session as the stores do."""
    shared = {name: getattr(sent, name) for name in _SHARED_FIELDS}
    return Session(
        **shared,
        access_rights={
            name: AccessDefinition(
                api_name=right.api_name,
                api_id=right.api_id,
                versions=right.versions,
                allowed_urls=[UrlAccess(each.url, each.methods) for each in right.allowed_urls],
            )
            for name, right in sent.access_rights.items()
        },
        oauth_keys=sent.oauth_keys,
        basic_auth_data=BasicAuthData(sent.basic_auth_data.password, sent.basic_auth_data.hash),
        jwt_data=JwtData(sent.jwt_data.secret),
        hmac_string=sent.hmac_secret,
        monitor=Monitor(sent.monitor.trigger_limits),
        enable_detail_recording=sent.enable_detailed_recording,
        enable_detailed_recording=sent.enable_detailed_recording,
        meta_data=dict(sent.metadata),
        tags=sent.tags,
        apply_policies=sent.apply_policies,
    )


def _sent_rights(rights: dict[str, AccessDefinition] | None) -> dict[str, SessionAccess]:
    if not rights:
        return {}
    return {
        name: SessionAccess(
            right.api_name,
            right.api_id,
            right.versions,
            [AccessSpec(each.url, each.methods) for each in right.allowed_urls],
        )
        for name, right in rights.items()
    }


def _sent_metadata(metadata: dict[str, Any] | None) -> dict[str, str]:
    if not metadata:
        return {}
    return {
        name: value if isinstance(value, str) else go_json(value)
        for name, value in metadata.items()
    }
