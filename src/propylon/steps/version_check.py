"""Choose the version of a request and apply its path lists: gateway-core 3.4 and 3.6, element 1.

Everything here happens before the first plugin. Without a version that exists and has not expired,
a request goes no further.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError, Refusal
from propylon.http.headers import canonical
from propylon.http.message import Request
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.path_patterns import candidates_of
from propylon.pipeline.step import StepResult
from propylon.steps.access_lists import AccessLists, Verdict, build_access_lists
from propylon.steps.cors import is_preflight
from propylon.steps.endpoints import version_path, versions_of
from propylon.steps.version_locator import VersionLocator, build_locator

FORBIDDEN = "Requested endpoint is forbidden"
NO_VERSION = "Version information not found"
UNKNOWN_VERSION = "This API version does not seem to exist"
VERSION_EXPIRED = "Api Version has expired, please check documentation or contact administrator"
API_EXPIRED = "API has expired, please check documentation or contact administrator"
AMBIGUOUS_DEFAULT = "Ambiguous default API version for this non-versioned API"
NO_DEFAULT = "No default API version for this non-versioned API found"

_EXPIRES = b"X-Tyk-Api-Expires"
_DEFAULT_NAMES = ("Default", "default", "")


@dataclass(frozen=True, slots=True)
class Version:
    """One version, ready to judge requests."""

    name: str
    lists: AccessLists
    expires_at: float | None
    "Seconds since the epoch."
    expires_header: bytes
    target: str | None


class VersionCheck:
    """Sets `exchange.version`, `is_ignored` and `target_override`, answers mocks, or refuses."""

    __slots__ = (
        "_clock",
        "_default",
        "_expires_at",
        "_falls_back",
        "_handles_preflight",
        "_locator",
        "_single",
        "_version_header",
        "_versions",
    )

    name = "VersionCheck"
    needs_body = False

    def __init__(
        self,
        versions: dict[str, Version],
        *,
        single: Version | str,
        locator: VersionLocator | None,
        default: str,
        falls_back: bool,
        expires_at: float | None,
        handles_preflight: bool,
        version_header: bytes,
        clock: Callable[[], float],
    ) -> None:
        self._versions = versions
        self._single = single
        self._locator = locator
        self._default = default
        self._falls_back = falls_back
        self._expires_at = expires_at
        self._handles_preflight = handles_preflight
        self._version_header = version_header
        self._clock = clock

    def __call__(self, exchange: Exchange) -> StepResult:
        if self._expires_at is not None and self._clock() > self._expires_at:
            raise Refusal(403, API_EXPIRED)
        request = exchange.request
        version = self._choose(request)
        exchange.version = version.name
        if version.expires_at is not None:
            if self._clock() > version.expires_at:
                raise Refusal(403, VERSION_EXPIRED)
            exchange.set_client_header(_EXPIRES, version.expires_header)
        if self._version_header:
            value = version.name.encode("utf-8", "surrogateescape")
            exchange.set_client_header(self._version_header, value)
        exchange.target_override = version.target
        if self._handles_preflight and is_preflight(request):
            exchange.is_ignored = True
            return None
        verdict = version.lists.judge(request.path, request.method)
        if verdict is Verdict.ALLOWED:
            return None
        if verdict is Verdict.IGNORED:
            exchange.is_ignored = True
            return None
        if verdict is Verdict.FORBIDDEN:
            raise Refusal(403, FORBIDDEN)
        return verdict.respond()

    def _choose(self, request: Request) -> Version:
        locator = self._locator
        if locator is None:
            single = self._single
            if isinstance(single, Version):
                return single
            raise Refusal(403, single)
        name = locator.take(request) or self._default
        if not name:
            raise Refusal(403, NO_VERSION)
        version = self._versions.get(name)
        if version is None and self._falls_back:
            version = self._versions.get(self._default)
        if version is None:
            raise Refusal(403, UNKNOWN_VERSION)
        return version


def build(
    definition: ApiDefinition, config: Config, clock: Callable[[], float] = time.time
) -> VersionCheck:
    """Every API has this step. Raises `DefinitionError` for what it cannot serve."""
    if definition.definition.enabled:
        raise DefinitionError(
            "API-level versioning is not supported yet, expected false",
            path="$.definition.enabled",
        )
    versions = _build_versions(definition, config)
    is_versioned = not definition.version_data.not_versioned
    return VersionCheck(
        versions,
        single=NO_VERSION if is_versioned else single_version(versions),
        # An API that is versioned but names no version refuses whatever the request says.
        locator=build_locator(definition) if is_versioned and versions else None,
        default=definition.version_data.default_version,
        falls_back=definition.definition.fallback_to_default,
        expires_at=None if is_versioned else parse_expiry(definition.expiration, "$.expiration"),
        handles_preflight=definition.cors.enable and not definition.cors.options_passthrough,
        version_header=(canonical(config.version_header.encode("utf-8")) if is_versioned else b""),
        clock=clock,
    )


def _build_versions(definition: ApiDefinition, config: Config) -> dict[str, Version]:
    candidates = candidates_of(definition)
    versions: dict[str, Version] = {}
    for name, version, matching in versions_of(definition, config):
        expires_at = parse_expiry(version.expires, version_path(name) + ".expires")
        versions[name] = Version(
            name,
            build_access_lists(name, version, matching, candidates),
            expires_at,
            _rfc1123(expires_at) if expires_at is not None else b"",
            version.override_target or None,
        )
    return versions


def single_version(versions: dict[str, Version]) -> Version | str:
    """Return the version of an API that is not versioned, or why there is none (2.3)."""
    defaults = [name for name in _DEFAULT_NAMES if name in versions]
    if len(defaults) > 1:
        return AMBIGUOUS_DEFAULT
    if len(versions) == 1:
        return next(iter(versions.values()))
    return versions[defaults[0]] if defaults else NO_DEFAULT


def parse_expiry(text: str, field: str) -> float | None:
    """Parse `2006-01-02 15:04` in UTC; empty and `-1` mean never."""
    if text in ("", "-1"):
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise DefinitionError(f"{text!r}: expected YYYY-MM-DD HH:MM", path=field) from error
    return moment.timestamp()


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
)  # fmt: skip


def _rfc1123(seconds: float) -> bytes:
    """Format as Go's `time.RFC1123`; `strftime` would follow the locale."""
    at = datetime.fromtimestamp(seconds, UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02} {month} {at.year:04} {at:%H:%M:%S} UTC".encode("ascii")
