"""JavaScript hooks as elements of the request and response chains."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from propylon.errors import PluginError, PropylonError, Refusal
from propylon.http.message import Response
from propylon.pipeline.exchange import Exchange
from propylon.pipeline.session import Session
from propylon.pipeline.step import StepResult
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.javascript.calls import ApiScripts, HookPace, failure_of, thrown
from propylon.plugins.javascript.contract import (
    Returned,
    decode_returned,
    request_call,
    response_call,
    session_member,
)
from propylon.plugins.javascript.engine import OutOfMemory, ScriptError, ScriptTimeout
from propylon.plugins.javascript.identity import derived_key_id, provides_identity, session_from
from propylon.plugins.javascript.mutation import answer_of, edit_request, edit_response
from propylon.plugins.javascript.program import HookRef
from propylon.plugins.javascript.runtime import Answer

REQUEST_FAILURE = "Internal Server Error"
RESPONSE_FAILURE = "Middleware error"
SWITCHED_OFF = "middleware error"


class RefusingHook:
    """A hook that cannot work: every request that reaches it is refused."""

    needs_body = False

    __slots__ = ("_log_message", "_message", "_scripts", "name")

    def __init__(self, hook: Hook, scripts: ApiScripts, message: str, log_message: str) -> None:
        self.name = f"javascript {hook.label}"
        self._scripts = scripts
        self._message = message
        self._log_message = log_message

    def __call__(self, exchange: Exchange) -> None:
        exchange.record_hook(self.name, 0.0, "failed")
        self._scripts.report(self.name, self._log_message, request_id=exchange.id)
        raise Refusal(500, self._message, reason=self._log_message)


class _HookStep:
    """What both kinds of hook share: the call, its failures, and their log lines."""

    needs_body = True

    __slots__ = ("_failure_text", "_hook", "_keeps_spelling", "_label", "_pace", "_ref", "_scripts",
                 "name")  # fmt: skip

    def __init__(
        self,
        hook: Hook,
        ref: HookRef,
        scripts: ApiScripts,
        *,
        failure_text: str,
        keeps_spelling: bool,
    ) -> None:
        self.name = f"javascript {hook.label}"
        self._label = hook.label
        self._hook = hook
        self._ref = ref
        self._scripts = scripts
        self._failure_text = failure_text
        self._keeps_spelling = keeps_spelling
        self._pace = HookPace(hook.label)

    def _on_loop(
        self, exchange: Exchange, pending: str, size: int, started: float
    ) -> Answer | None:
        try:
            return self._scripts.call_on_loop(self._pace, self._ref, pending, size)
        except ScriptError as error:
            raise self._refusal(exchange, error, started) from error

    async def _apart(self, exchange: Exchange, pending: str, started: float) -> Answer:
        deadline = self._scripts.deadline(time.monotonic() - started)
        try:
            return await self._scripts.call_apart(self._pace, self._ref, pending, deadline)
        except PropylonError as error:
            raise self._refusal(exchange, error, started) from error

    def _returned(self, exchange: Exchange, answer: Answer, started: float, part: str) -> Returned:
        """Decode an answer, or raise the refusal that the failure table asks for."""
        if answer.logs:
            self._scripts.speak(self._label, answer.logs)
        if answer.mark == "!":
            error = thrown(answer)
            raise self._failed(
                exchange, started, f"Failed to run JS middleware: {error}", "fix the script",
                place=error.place, stack=error.stack,
            )  # fmt: skip
        if answer.mark == "?":
            message = (
                "Failed to decode middleware request data on return from VM. "
                "Returned data: undefined"
            )
            raise self._failed(exchange, started, message, "return the result of ReturnData")
        try:
            return decode_returned(answer.text, part=part)
        except PluginError as error:
            raise self._refusal(exchange, error, started) from error

    def _refusal(self, exchange: Exchange, error: Exception, started: float) -> Refusal:
        message, advice = failure_of(error, self._scripts.limits)
        if isinstance(error, OutOfMemory):
            message += f" (the body has {self._body_bytes(exchange)} bytes)"
        outcome = "timeout" if isinstance(error, ScriptTimeout) else "failed"
        return self._failed(exchange, started, message, advice, outcome=outcome)

    def _body_bytes(self, exchange: Exchange) -> int:
        message = (
            exchange.request if self._hook.type is not HookType.RESPONSE else exchange.response
        )
        body = b"" if message is None else message.body
        return len(body) if isinstance(body, bytes) else 0

    def _failed(
        self,
        exchange: Exchange,
        started: float,
        message: str,
        advice: str,
        *,
        outcome: str = "failed",
        place: str = "",
        stack: str = "",
    ) -> Refusal:
        exchange.record_hook(self._label, time.monotonic() - started, outcome)
        file = self._scripts.program.files[self._ref.file].name
        details = {"stack": stack} if stack else {}
        self._scripts.report(
            self._label, message, at=place or file, advice=advice, request_id=exchange.id, **details
        )
        return Refusal(500, self._failure_text, reason=message)


class RequestHook(_HookStep):
    """A pre, auth_check, post_key_auth or post hook."""

    __slots__ = ("_closes_connection", "_is_auth", "_provides_identity", "_runs_response_chain",
                 "_sees_session", "_skips_preflight")  # fmt: skip

    def __init__(
        self,
        hook: Hook,
        ref: HookRef,
        scripts: ApiScripts,
        *,
        keeps_spelling: bool,
        closes_connection: bool,
    ) -> None:
        super().__init__(
            hook, ref, scripts, failure_text=REQUEST_FAILURE, keeps_spelling=keeps_spelling
        )
        definition = scripts.definition
        is_late = hook.type in (HookType.POST_KEY_AUTH, HookType.POST)
        self._is_auth = hook.type is HookType.AUTH_CHECK
        self._sees_session = is_late and hook.require_session
        self._runs_response_chain = is_late
        self._provides_identity = provides_identity(definition)
        self._skips_preflight = definition.cors.options_passthrough
        self._closes_connection = closes_connection

    def __call__(self, exchange: Exchange) -> StepResult:
        request = exchange.request
        if self._skips_preflight and request.method == "OPTIONS":
            return None
        if self._is_auth and exchange.is_ignored:
            return None
        body = request.body
        assert isinstance(body, bytes), "the runner collects the body for this step"
        started = time.monotonic()
        session = session_member(exchange.session) if self._sees_session else ""
        pending = request_call(request, body, session)
        answer = self._on_loop(exchange, pending, len(body), started)
        if answer is None:
            return self._later(exchange, pending, started)
        return self._apply(exchange, answer, started)

    async def _later(self, exchange: Exchange, pending: str, started: float) -> Response | None:
        return self._apply(exchange, await self._apart(exchange, pending, started), started)

    def _apply(self, exchange: Exchange, answer: Answer, started: float) -> Response | None:
        returned = self._returned(exchange, answer, started, "Request")
        try:
            edit_request(
                exchange.request,
                returned,
                keeps_body=answer.mark == "=",
                keeps_spelling=self._keeps_spelling,
            )
            if self._sees_session and exchange.session is not None:
                self._replace_meta(exchange, returned)
            response = self._answer(returned)
            session = session_from(returned.session) if returned.session or self._is_auth else None
        except PluginError as error:
            raise self._refusal(exchange, error, started) from error
        except Refusal:
            exchange.record_hook(self._label, time.monotonic() - started, "answered")
            raise
        exchange.record_hook(
            self._label, time.monotonic() - started, "ok" if response is None else "answered"
        )
        if response is None and self._is_auth and session is not None:
            self._attach(exchange, returned, session)
        return response

    def _answer(self, returned: Returned) -> Response | None:
        if returned.overrides is None:
            return None
        return answer_of(
            returned.overrides,
            keeps_spelling=self._keeps_spelling,
            closes_connection=self._closes_connection,
            runs_response_chain=self._runs_response_chain,
        )

    def _replace_meta(self, exchange: Exchange, returned: Returned) -> None:
        session = exchange.session
        assert session is not None
        if returned.meta is None and session.meta_data:
            self._scripts.warn(
                self._label, "the hook returned no SessionMeta: the key's meta_data is emptied"
            )
        if (returned.meta or None) != (session.meta_data or None):
            session.meta_data = returned.meta

    def _attach(self, exchange: Exchange, returned: Returned, session: Session) -> None:
        if not self._provides_identity:
            return
        session.key_id = returned.auth_value
        if not session.key_id:
            session.key_id = derived_key_id(self._scripts.definition, session, exchange.request)
            self._scripts.warn(
                self._label, "the hook returned no AuthValue: an id is derived from the session"
            )
        exchange.session = session


class ResponseHook(_HookStep):
    """A response hook."""

    __slots__ = ()

    def __init__(
        self, hook: Hook, ref: HookRef, scripts: ApiScripts, *, keeps_spelling: bool
    ) -> None:
        super().__init__(
            hook, ref, scripts, failure_text=RESPONSE_FAILURE, keeps_spelling=keeps_spelling
        )

    def __call__(self, exchange: Exchange) -> Awaitable[None] | None:
        response = exchange.response
        assert response is not None
        body = response.body
        assert isinstance(body, bytes), "the runner collects the body for this step"
        started = time.monotonic()
        session = "" if exchange.session is None else session_member(exchange.session)
        pending = response_call(response, body, exchange.request, session)
        answer = self._on_loop(exchange, pending, len(body), started)
        if answer is None:
            return self._later(exchange, pending, started)
        self._apply(exchange, answer, started)
        return None

    async def _later(self, exchange: Exchange, pending: str, started: float) -> None:
        self._apply(exchange, await self._apart(exchange, pending, started), started)

    def _apply(self, exchange: Exchange, answer: Answer, started: float) -> None:
        returned = self._returned(exchange, answer, started, "Response")
        assert exchange.response is not None
        try:
            edit_response(
                exchange.response,
                returned,
                keeps_body=answer.mark == "=",
                keeps_spelling=self._keeps_spelling,
            )
        except PluginError as error:
            raise self._refusal(exchange, error, started) from error
        exchange.record_hook(self._label, time.monotonic() - started, "ok")
