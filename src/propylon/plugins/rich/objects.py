"""The messages of the coprocess contract (rich-plugins 3.3), under their wire names.

`PluginObject` is what the gateway sends, every field present. `PluginReply` is what a plugin may
answer: every field optional, None where the plugin said nothing.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field

from propylon.errors import PluginError


class PluginTimeoutError(PluginError):
    """The plugin did not answer before its deadline."""


class ReturnOverrides(Struct, gc=False, frozen=True):
    response_code: int = -1
    response_error: str = ""
    headers: dict[str, str] = {}
    override_error: bool = False
    response_body: str = ""


NO_OVERRIDES = ReturnOverrides()


class RequestObject(Struct, gc=False):
    """`raw_body` is None where `body` carries the same bytes and the driver sends them once."""

    headers: dict[str, str]
    headers_all: dict[str, list[str]]
    params: dict[str, str]
    params_all: dict[str, list[str]]
    url: str
    method: str
    request_uri: str
    scheme: str
    body: str = ""
    raw_body: bytes | None = None
    set_headers: dict[str, str] = {}
    delete_headers: list[str] = []
    add_params: dict[str, str] = {}
    extended_params: dict[str, str] = {}
    delete_params: list[str] = []
    return_overrides: ReturnOverrides = NO_OVERRIDES


class HeaderValues(Struct, gc=False):
    key: str = ""
    values: list[str] = []


class ResponseObject(Struct, gc=False):
    status_code: int
    body: str
    raw_body: bytes | None
    headers: dict[str, str]
    multivalue_headers: list[HeaderValues]


class AccessSpec(Struct, gc=False):
    url: str = ""
    methods: list[str] = []


class SessionAccess(Struct, gc=False):
    api_name: str = ""
    api_id: str = ""
    versions: list[str] = []
    allowed_urls: list[AccessSpec] = []


class SessionBasicAuth(Struct, gc=False):
    password: str = ""
    hash: str = ""


class SessionJwt(Struct, gc=False):
    secret: str = ""


class SessionMonitor(Struct, gc=False):
    trigger_limits: list[float] = []


class PluginSession(Struct, gc=False, forbid_unknown_fields=True):
    """A session in the spelling of the contract; `identity` translates from and to ours."""

    last_check: int = 0
    allowance: float = 0
    rate: float = 0
    per: float = 0
    expires: int = 0
    quota_max: int = 0
    quota_renews: int = 0
    quota_remaining: int = 0
    quota_renewal_rate: int = 0
    access_rights: dict[str, SessionAccess] = {}
    org_id: str = ""
    oauth_client_id: str = ""
    oauth_keys: dict[str, str] = {}
    basic_auth_data: SessionBasicAuth = field(default_factory=SessionBasicAuth)
    jwt_data: SessionJwt = field(default_factory=SessionJwt)
    hmac_enabled: bool = False
    hmac_secret: str = ""
    is_inactive: bool = False
    apply_policy_id: str = ""
    data_expires: int = 0
    monitor: SessionMonitor = field(default_factory=SessionMonitor)
    enable_detailed_recording: bool = False
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    alias: str = ""
    last_updated: str = ""
    id_extractor_deadline: int = 0
    session_lifetime: int = 0
    apply_policies: list[str] = []
    certificate: str = ""
    max_query_depth: int = 0
    key_id: str = ""
    post_expiry_action: str = ""
    post_expiry_grace_period: int = 0


class CallContext(Struct, gc=False):
    """What Tyk's contract lacks; ours, and optional for a plugin to read."""

    request_id: str
    traceparent: str
    client_ip: str
    deadline_ms: int


class PluginObject(Struct, gc=False):
    hook_type: str
    hook_name: str
    request: RequestObject
    session: PluginSession | None
    metadata: dict[str, Any]
    spec: dict[str, str]
    response: ResponseObject | None
    context: CallContext


# What a plugin may echo but never change is skipped over, not decoded: its type is Raw.
_SKIPPED = Raw(b"null")


class OverridesReply(Struct, gc=False, forbid_unknown_fields=True):
    response_code: int = 0
    response_error: str = ""
    headers: dict[str, str] = {}
    override_error: bool = False
    response_body: str = ""


class RequestReply(Struct, gc=False, forbid_unknown_fields=True):
    set_headers: dict[str, str] | None = None
    delete_headers: list[str] | None = None
    add_params: dict[str, str] | None = None
    delete_params: list[str] | None = None
    url: str | None = None
    method: str | None = None
    body: str | None = None
    raw_body: bytes | None = None
    return_overrides: OverridesReply | None = None
    # echoed
    headers: Raw = _SKIPPED
    headers_all: Raw = _SKIPPED
    params: Raw = _SKIPPED
    params_all: Raw = _SKIPPED
    extended_params: Raw = _SKIPPED
    request_uri: Raw = _SKIPPED
    scheme: Raw = _SKIPPED


class ResponseReply(Struct, gc=False, forbid_unknown_fields=True):
    status_code: int | None = None
    body: str | None = None
    raw_body: bytes | None = None
    headers: dict[str, str] | None = None
    multivalue_headers: list[HeaderValues] | None = None


class PluginReply(Struct, gc=False, forbid_unknown_fields=True):
    request: RequestReply | None = None
    session: PluginSession | None = None
    metadata: dict[str, Any] | None = None
    response: ResponseReply | None = None
    # echoed
    hook_type: Raw = _SKIPPED
    hook_name: Raw = _SKIPPED
    spec: Raw = _SKIPPED
    context: Raw = _SKIPPED
