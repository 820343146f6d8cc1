"""The steps that call rich plugins, whatever the driver.

A driver implements `Dispatcher`. Failures become the refusals of rich-plugins 4.7: 403 for an
auth hook, 500 for the others; never a pass-through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from propylon.apis.definition import ApiDefinition
from propylon.errors import PluginError, Refusal
from propylon.http.message import Response
from propylon.observe.logs import get_logger
from propylon.pipeline.exchange import Exchange
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.rich.apply import DEFAULT_ERROR_TEXT, apply_reply
from propylon.plugins.rich.build import ObjectBuilder
from propylon.plugins.rich.identity import authenticated_session
from propylon.plugins.rich.objects import PluginObject, PluginReply, PluginTimeoutError
from propylon.plugins.rich.respond import apply_response_reply

log = get_logger("coprocess")

# In multi-auth the session of the named method is used; these names mean ours (4.8, step 8).
_BASE_IDENTITIES = frozenset({"", "custom_auth"})


class Dispatcher(Protocol):
    """One driver's way to a plugin: object out, reply back.

    Raises `PluginError` (`PluginTimeoutError` past the deadline). Cancelling the wait cancels the
    call.
    """

    def dispatch(self, sent: PluginObject) -> Awaitable[PluginReply]: ...


@dataclass(frozen=True, slots=True)
class HookSettings:
    """What the steps of one driver share."""

    deadline_ms: int
    verbatim_names: bool = False
    repeats_raw_body: bool = False


class _HookStep:
    """What the call of any hook needs, made when the API is built."""

    __slots__ = ("_api_id", "_builder", "_dispatcher", "_label", "_verbatim_names", "name")

    needs_body = True

    def __init__(
        self,
        dispatcher: Dispatcher,
        definition: ApiDefinition,
        hook: Hook,
        settings: HookSettings,
    ) -> None:
        self.name = f"plugin {hook.label}"
        self._dispatcher = dispatcher
        self._builder = ObjectBuilder(
            definition,
            hook,
            deadline_ms=settings.deadline_ms,
            repeats_raw_body=settings.repeats_raw_body,
        )
        self._verbatim_names = settings.verbatim_names
        self._label = hook.label
        self._api_id = definition.api_id


class RequestHookStep(_HookStep):
    """A Pre, PostKeyAuth or Post hook."""

    __slots__ = ()

    def __call__(self, exchange: Exchange) -> Awaitable[Response | None] | None:
        return self._run(exchange)

    async def _run(self, exchange: Exchange) -> Response | None:
        started = monotonic()
        outcome = "failed"
        try:
            sent = self._builder.request_object(exchange)
            reply = await self._dispatcher.dispatch(sent)
            answer = self._apply(exchange, sent, reply)
            outcome = "ok" if answer is None else "answered"
            return answer
        except Refusal:
            outcome = "answered"
            raise
        except PluginError as error:
            if isinstance(error, PluginTimeoutError):
                outcome = "timeout"
            raise self._refusal(exchange, error) from error
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            exchange.record_hook(self._label, monotonic() - started, outcome)

    def _apply(self, exchange: Exchange, sent: PluginObject, reply: PluginReply) -> Response | None:
        return apply_reply(exchange, sent, reply, verbatim_names=self._verbatim_names)

    def _refusal(self, exchange: Exchange, error: PluginError) -> Refusal:
        log_failure(self._api_id, self._label, exchange.id, error)
        return Refusal(500, "Middleware error", reason=str(error))


class AuthHookStep(RequestHookStep):
    """A CustomKeyCheck hook: its reply must carry the session of the caller."""

    __slots__ = ("_is_base_identity", "_is_named", "_org_id")

    def __init__(
        self,
        dispatcher: Dispatcher,
        definition: ApiDefinition,
        hook: Hook,
        settings: HookSettings,
    ) -> None:
        super().__init__(dispatcher, definition, hook, settings)
        self._org_id = definition.org_id
        self._is_named = bool(hook.name)
        self._is_base_identity = definition.base_identity_provided_by in _BASE_IDENTITIES

    def __call__(self, exchange: Exchange) -> Awaitable[Response | None] | None:
        if exchange.is_ignored:
            return None
        if not self._is_named:
            raise self._refusal(
                exchange, PluginError("custom_middleware.auth_check is disabled or has no name")
            )
        return self._run(exchange)

    def _apply(self, exchange: Exchange, sent: PluginObject, reply: PluginReply) -> Response | None:
        answer = super()._apply(exchange, sent, reply)
        if answer is not None:
            return answer
        session = authenticated_session(reply, self._org_id)
        if self._is_base_identity:
            exchange.session = session
        return None

    def _refusal(self, exchange: Exchange, error: PluginError) -> Refusal:
        log_failure(self._api_id, self._label, exchange.id, error)
        return Refusal(403, DEFAULT_ERROR_TEXT, reason=str(error))


class ResponseHookStep(_HookStep):
    """A Response hook."""

    __slots__ = ()

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        return self._run(exchange)

    async def _run(self, exchange: Exchange) -> None:
        started = monotonic()
        outcome = "failed"
        try:
            sent = self._builder.response_object(exchange)
            reply = await self._dispatcher.dispatch(sent)
            apply_response_reply(exchange, sent, reply, verbatim_names=self._verbatim_names)
            outcome = "ok"
        except PluginError as error:
            if isinstance(error, PluginTimeoutError):
                outcome = "timeout"
            log_failure(self._api_id, self._label, exchange.id, error)
            raise Refusal(500, "Middleware error", reason=str(error)) from error
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            exchange.record_hook(self._label, monotonic() - started, outcome)


class RefusingStep:
    """A request hook that cannot work: it refuses every request with the documented error."""

    __slots__ = ("_message", "_reason", "_status", "name")

    needs_body = False

    def __init__(self, hook: Hook, status: int, message: str, reason: str) -> None:
        self.name = f"plugin {hook.label}"
        self._status = status
        self._message = message
        self._reason = reason

    def __call__(self, exchange: Exchange) -> Awaitable[Response | None] | None:
        raise Refusal(self._status, self._message, reason=self._reason)


class RefusingResponseStep:
    """A response hook that cannot work."""

    __slots__ = ("_reason", "name")

    needs_body = False

    def __init__(self, hook: Hook, reason: str) -> None:
        self.name = f"plugin {hook.label}"
        self._reason = reason

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        raise Refusal(500, "Middleware error", reason=self._reason)


class KeepBodyStep:
    """Collects the request body of an API whose only hooks are response hooks.

    They are shown the request with its body, which would have been streamed away by then.
    """

    __slots__ = ("name",)

    needs_body = True

    def __init__(self) -> None:
        self.name = "keep the body for response plugins"

    def __call__(self, exchange: Exchange) -> Awaitable[Response | None] | None:
        return None


def log_failure(api_id: str, label: str, request_id: str, error: PluginError) -> None:
    log.error("Dispatch error", api_id=api_id, hook=label, request_id=request_id, error=str(error))


def request_step(
    dispatcher: Dispatcher, definition: ApiDefinition, hook: Hook, settings: HookSettings
) -> RequestHookStep:
    """Make the step of any hook but a response hook."""
    make = AuthHookStep if hook.type is HookType.AUTH_CHECK else RequestHookStep
    return make(dispatcher, definition, hook, settings)
