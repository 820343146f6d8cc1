"""Hooks whose driver this gateway does not have: every request is refused, none passes.

Statuses and log lines are those of rich-plugins 4.7 for an unsupported or unloaded driver.
"""

from __future__ import annotations

from collections.abc import Awaitable

from propylon.apis.definition import ApiDefinition
from propylon.errors import Refusal
from propylon.observe.logs import get_logger
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.step import StepResult
from propylon.plugins.hook import Hook, HookType, LoadedHooks

log = get_logger("coprocess")

KNOWN_DRIVERS = frozenset({"grpc", "python", "lua", "goplugin"})


class UnavailableHook:
    """Stands where the plugin should be and refuses."""

    needs_body = False

    def __init__(self, name: str, reason: str, *, answers: Refusal) -> None:
        self.name = name
        self._reason = reason
        self._answers = (answers.status, answers.message)

    def __call__(self, exchange: Exchange) -> StepResult:
        exchange.record_hook(self.name, 0.0, "failed")
        status, message = self._answers
        raise Refusal(status, message, reason=self._reason)


class UnavailableResponseHook(UnavailableHook):
    """The same in the response chain."""

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        super().__call__(exchange)
        raise AssertionError("refuses always")


class UnavailableHost:
    """The host of every driver that has none."""

    def __init__(self, driver: str) -> None:
        self._driver = driver

    def __repr__(self) -> str:
        return f"<UnavailableHost {self._driver}>"

    def load(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> LoadedHooks:
        is_known = self._driver in KNOWN_DRIVERS
        reason = (
            f"Driver '{self._driver}' isn't loaded"
            if is_known
            else f"Unsupported driver '{self._driver}'"
        )
        log.error(
            reason,
            api_id=definition.api_id,
            api_name=definition.name,
            hooks=[hook.label for hook in hooks],
            hint="every request to this API is refused; see $.custom_middleware.driver",
        )
        steps: dict[HookType, list[UnavailableHook]] = {kind: [] for kind in HookType}
        responses: list[UnavailableResponseHook] = []
        for hook in hooks:
            if hook.type is HookType.RESPONSE:
                refusal = Refusal(500, "Middleware error")
                responses.append(UnavailableResponseHook(hook.label, reason, answers=refusal))
            else:
                refusal = Refusal(500, "Internal Server Error")
                steps[hook.type].append(UnavailableHook(hook.label, reason, answers=refusal))
        auth = steps[HookType.AUTH_CHECK]
        return LoadedHooks(
            pre=tuple(steps[HookType.PRE]),
            auth_check=auth[-1] if auth else None,
            post_key_auth=tuple(steps[HookType.POST_KEY_AUTH]),
            post=tuple(steps[HookType.POST]),
            response=tuple(responses),
            problems=(reason,),
        )

    def unload(self, loaded: LoadedHooks) -> None:
        """Nothing was prepared."""

    async def start(self) -> None:
        """Nothing runs beside the gateway."""

    def snapshot_changed(self, definitions: tuple[ApiDefinition, ...]) -> None:
        """There is nobody to tell."""

    async def stop(self) -> None:
        """Nothing is owned."""
