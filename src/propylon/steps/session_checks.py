"""What every session must pass, whoever made it: elements 15 to 17 of the chain.

Rules: gateway-core 6.9 and 5.2, rich-plugins 4.8. Each check lets ignored requests through.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import Refusal
from propylon.observe.logs import get_logger
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.listen_path import decode_path
from propylon.pipeline.path_patterns import (
    Candidates,
    Matching,
    candidates_of,
    compile_path,
    matches,
)
from propylon.pipeline.step import StepResult

log = get_logger("session-checks")

NO_SESSION = (
    "Session state is missing or unset! Please make sure that auth headers are properly applied"
)
INACTIVE = "Key is inactive, please renew"
EXPIRED = "Key has expired, please renew"
API_DISALLOWED = "Access to this API has been disallowed"
RESOURCE_DISALLOWED = "Access to this resource has been disallowed"
UNKNOWN_POLICIES = "the session names policies, and this release knows none"

# Sessions name their own patterns. A gateway serves few distinct ones; the bound is for plugins
# that write a new one for every caller.
_MAX_PATTERNS = 1024


class KeyExpired:
    """Refuses requests without a session, and sessions that are inactive or past their time."""

    __slots__ = ("_clock",)

    name = "KeyExpired"
    needs_body = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def __call__(self, exchange: Exchange) -> StepResult:
        if exchange.is_ignored:
            return None
        session = exchange.session
        if session is None:
            raise Refusal(400, NO_SESSION)
        if session.is_inactive:
            raise Refusal(403, INACTIVE)
        if 0 < session.expires < self._clock():
            raise Refusal(401, EXPIRED)
        return None


class AccessRights:
    """Refuses sessions whose rights name other APIs, or other versions of this one."""

    __slots__ = ("_api_id", "_has_warned", "_is_versioned")

    name = "AccessRightsCheck"
    needs_body = False

    def __init__(self, api_id: str, is_versioned: bool) -> None:
        self._api_id = api_id
        self._is_versioned = is_versioned
        self._has_warned = False

    def __call__(self, exchange: Exchange) -> StepResult:
        session = exchange.session
        if exchange.is_ignored or session is None:
            return None
        if session.apply_policies or session.apply_policy_id:
            # A policy narrows what a session may do; none is known, so none can be applied.
            raise Refusal(403, API_DISALLOWED, reason=UNKNOWN_POLICIES)
        if (session.rate > 0 or session.quota_max > 0) and not self._has_warned:
            self._has_warned = True
            log.warning(
                "sessions of this API name a rate or a quota, which this release does not enforce",
                api_id=self._api_id,
                rate=session.rate,
                quota_max=session.quota_max,
            )
        if not session.access_rights:
            return None
        access = session.access_rights.get(self._api_id)
        if access is None:
            raise Refusal(403, API_DISALLOWED)
        if self._is_versioned and exchange.version not in access.versions:
            raise Refusal(403, API_DISALLOWED)
        return None


class GranularAccess:
    """Refuses requests outside the session's `allowed_urls` for this API, where it has any."""

    __slots__ = ("_api_id", "_candidates", "_matching", "_patterns")

    name = "GranularAccessMiddleware"
    needs_body = False

    def __init__(self, api_id: str, candidates: Candidates, matching: Matching) -> None:
        self._api_id = api_id
        self._candidates = candidates
        self._matching = matching
        self._patterns: dict[str, re.Pattern[str] | None] = {}

    def __call__(self, exchange: Exchange) -> StepResult:
        session = exchange.session
        if exchange.is_ignored or session is None:
            return None
        if session.apply_policies or session.apply_policy_id:
            # A policy narrows what a session may do; none is known, so none can be applied.
            raise Refusal(403, API_DISALLOWED, reason=UNKNOWN_POLICIES)
        if not session.access_rights:
            return None
        access = session.access_rights.get(self._api_id)
        if access is None or not access.allowed_urls:
            return None
        request = exchange.request
        texts = self._candidates(request.path)
        for allowed in access.allowed_urls:
            if request.method in allowed.methods:
                pattern = self._compile(allowed.url)
                if pattern is not None and matches(pattern, texts):
                    return None
        raise Refusal(403, RESOURCE_DISALLOWED)

    def _compile(self, text: str) -> re.Pattern[str] | None:
        if text in self._patterns:
            return self._patterns[text]
        try:
            pattern = compile_path(text, self._matching) if text else None
        except ValueError as error:
            pattern = None
            log.error("allowed URL skipped", api_id=self._api_id, reason=str(error))
        if len(self._patterns) >= _MAX_PATTERNS:
            self._patterns.clear()
        self._patterns[text] = pattern
        return pattern


def build_key_expired(definition: ApiDefinition, config: Config) -> KeyExpired | None:
    return None if definition.use_keyless else KeyExpired()


def build_access_rights(definition: ApiDefinition, config: Config) -> AccessRights | None:
    if definition.use_keyless:
        return None
    return AccessRights(definition.api_id, not definition.version_data.not_versioned)


def build_granular_access(definition: ApiDefinition, config: Config) -> GranularAccess | None:
    if definition.use_keyless:
        return None
    matching = Matching.of(config)
    if matching.anchors_start:
        return GranularAccess(definition.api_id, candidates_of(definition), matching)
    # Unanchored patterns meet the whole path only (6.9).
    return GranularAccess(definition.api_id, _whole_path, matching)


def _whole_path(path: str) -> tuple[str, ...]:
    return (decode_path(path),)
