"""The identity of a caller: what a key store or an authentication plugin knows of it.

Field names are those of the stored JSON (gateway-core 6.1, javascript-plugins 5.3); drivers that
spell some differently translate at their own border.
"""

from __future__ import annotations

from typing import Any

import msgspec

ZERO_TIME = "0001-01-01T00:00:00Z"


class UrlAccess(msgspec.Struct):
    url: str = ""
    methods: list[str] = []


class AccessDefinition(msgspec.Struct):
    api_name: str = ""
    api_id: str = ""
    versions: list[str] = []
    allowed_urls: list[UrlAccess] = []


class BasicAuthData(msgspec.Struct):
    password: str = ""
    hash_type: str = ""


class JwtData(msgspec.Struct):
    secret: str = ""


class Monitor(msgspec.Struct):
    trigger_limits: list[float] | None = None


class Session(msgspec.Struct):
    """One caller's rights, limits and metadata. Mutable: plugins may edit it.

    `key_id` is the credential (or the id derived from it) under which the session is known; it is
    not part of the stored JSON.
    """

    last_check: int = 0
    allowance: float = 0
    rate: float = 0
    per: float = 0
    throttle_interval: float = 0
    throttle_retry_limit: int = 0
    max_query_depth: int = 0
    date_created: str = ZERO_TIME
    expires: int = 0
    quota_max: int = 0
    quota_renews: int = 0
    quota_remaining: int = 0
    quota_renewal_rate: int = 0
    access_rights: dict[str, AccessDefinition] | None = None
    org_id: str = ""
    oauth_client_id: str = ""
    oauth_keys: dict[str, str] | None = None
    certificate: str = ""
    basic_auth_data: BasicAuthData = msgspec.field(default_factory=BasicAuthData)
    jwt_data: JwtData = msgspec.field(default_factory=JwtData)
    hmac_enabled: bool = False
    enable_http_signature_validation: bool = False
    hmac_string: str = ""
    rsa_certificate_id: str = ""
    is_inactive: bool = False
    apply_policy_id: str = ""
    apply_policies: list[str] | None = None
    data_expires: int = 0
    monitor: Monitor = msgspec.field(default_factory=Monitor)
    enable_detail_recording: bool = False
    enable_detailed_recording: bool = False
    meta_data: dict[str, Any] | None = None
    tags: list[str] | None = None
    alias: str = ""
    last_updated: str = ""
    id_extractor_deadline: int = 0
    session_lifetime: int = 0
    post_expiry_action: str = ""
    post_expiry_grace_period: int = 0
    key_id: str = ""
