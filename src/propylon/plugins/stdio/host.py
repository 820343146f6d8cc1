"""The plugin host of `driver: jsonrpc` (alias `stdio`): hooks become steps that call the child."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.observe.logs import get_logger
from propylon.plugins.hook import Hook, HookType, LoadedHooks
from propylon.plugins.rich.steps import (
    HookSettings,
    KeepBodyStep,
    RefusingResponseStep,
    RefusingStep,
    ResponseHookStep,
    request_step,
)
from propylon.plugins.stdio.calls import ChildFacts
from propylon.plugins.stdio.client import StdioClient
from propylon.plugins.stdio.link import OwnerLink
from propylon.plugins.stdio.owner import LocalPort, StdioOwner
from propylon.plugins.stdio.settings import StdioSettings

log = get_logger("coprocess")


class StdioHost:
    """Implements `PluginHost`.

    `connect` is the owner itself when it lives in this process, else the path of its socket.
    `worker_slot` tells the workers of one instance apart (0 to 1022).
    """

    def __init__(self, config: Config, connect: StdioOwner | str, worker_slot: int = 0) -> None:
        options = config.coprocess_options
        write_timeout_ms = int(config.http_server_options.write_timeout * 1000)
        self._settings = StdioSettings.from_options(options, default_timeout_ms=write_timeout_ms)
        self._is_enabled = options.enable_coprocess
        self._hook_settings = HookSettings(
            deadline_ms=self._settings.timeout_ms,
            verbatim_names=config.ignore_canonical_mime_header_key,
        )
        self._client = StdioClient(self._settings, worker_slot, self._facts_changed)
        self._connect = connect
        self._port: LocalPort | None = None
        self._link: OwnerLink | None = None
        self._definitions: tuple[ApiDefinition, ...] = ()

    async def start(self) -> None:
        """Connect to the owner, which must have been started before."""
        if isinstance(self._connect, StdioOwner):
            self._port = self._connect.attach(self._client)
            self._client.connect(self._port)
        elif self._is_enabled and self._settings.command:
            self._link = OwnerLink(self._client, self._connect, self._settings.max_message_bytes)
            await self._link.start()

    async def stop(self) -> None:
        """Leave the owner; the child is the owner's to end."""
        if isinstance(self._connect, StdioOwner):
            self._connect.detach(self._client)
        if self._link is not None:
            await self._link.stop()
        self._client.close()

    def load(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> LoadedHooks:
        if not self._is_enabled:
            return self._load_disabled(definition, hooks)
        if not self._settings.command:
            log.error("Driver 'jsonrpc' isn't loaded", api_id=definition.api_id)
            return _refusing(hooks, "Driver 'jsonrpc' isn't loaded: coprocess_command is empty")
        return self._load(definition, hooks)

    def unload(self, loaded: LoadedHooks) -> None:
        """Nothing belongs to one API: the child serves all."""

    def snapshot_changed(self, definitions: tuple[ApiDefinition, ...]) -> None:
        """Tell the plugin which APIs use it, and the log which hooks it lacks."""
        self._definitions = definitions
        table = msgspec.json.encode([_table_row(each) for each in definitions])
        if self._port is not None:
            self._port.announce(table)
        elif self._link is not None:
            self._link.announce(table)
        self._report_missing(self._client.facts)

    def _load(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> LoadedHooks:
        steps = [
            (hook, request_step(self._client, definition, hook, self._hook_settings))
            for hook in hooks
            if hook.type is not HookType.RESPONSE
        ]
        response = tuple(
            ResponseHookStep(self._client, definition, hook, self._hook_settings)
            for hook in hooks
            if hook.type is HookType.RESPONSE
        )
        by_type = _by_type(steps)
        auth = by_type[HookType.AUTH_CHECK]
        post: tuple[Any, ...] = by_type[HookType.POST]
        if response and not steps:
            post = (KeepBodyStep(),)
        return LoadedHooks(
            pre=by_type[HookType.PRE],
            auth_check=auth[0] if auth else None,
            post_key_auth=by_type[HookType.POST_KEY_AUTH],
            post=post,
            response=response,
        )

    def _load_disabled(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> LoadedHooks:
        """Rich plugins are off (4.7, 4.9): request hooks do not exist, authentication must."""
        reason = "rich plugins are disabled (coprocess_options.enable_coprocess)"
        warnings = []
        for hook in hooks:
            if hook.type is HookType.AUTH_CHECK:
                raise DefinitionError(
                    f"{reason}, so nobody could be authenticated",
                    source=definition.api_id,
                    path="$.custom_middleware.auth_check",
                )
            log.error("Rich plugins are disabled", api_id=definition.api_id, hook=hook.label)
            warnings.append(f"{hook.label} is not called: {reason}")
        response = tuple(
            RefusingResponseStep(hook, reason) for hook in hooks if hook.type is HookType.RESPONSE
        )
        return LoadedHooks(response=response, warnings=tuple(warnings))

    def _facts_changed(self, facts: ChildFacts) -> None:
        if facts.state == "ready":
            self._report_missing(facts)

    def _report_missing(self, facts: ChildFacts) -> None:
        """Log hooks of loaded APIs that the plugin did not name."""
        if facts.hooks is None:
            return
        for definition in self._definitions:
            for row in _hook_rows(definition):
                if row["name"] not in facts.hooks:
                    log.error(
                        "the plugin has no such hook; requests that need it are refused",
                        api_id=definition.api_id,
                        hook=f"{row['type']}:{row['name']}",
                        known=list(facts.hooks),
                    )


def _by_type(steps: Sequence[tuple[Hook, Any]]) -> dict[HookType, tuple[Any, ...]]:
    return {type_: tuple(step for hook, step in steps if hook.type is type_) for type_ in HookType}


def _refusing(hooks: tuple[Hook, ...], reason: str) -> LoadedHooks:
    """Make the hooks of a driver that is not loaded: each refuses every request (4.7)."""
    steps = [
        (hook, RefusingStep(hook, 500, "Internal Server Error", reason))
        for hook in hooks
        if hook.type is not HookType.RESPONSE
    ]
    by_type = _by_type(steps)
    auth = by_type[HookType.AUTH_CHECK]
    return LoadedHooks(
        pre=by_type[HookType.PRE],
        auth_check=auth[0] if auth else None,
        post_key_auth=by_type[HookType.POST_KEY_AUTH],
        post=by_type[HookType.POST],
        response=tuple(
            RefusingResponseStep(hook, reason) for hook in hooks if hook.type is HookType.RESPONSE
        ),
        problems=(reason,),
    )


def _table_row(definition: ApiDefinition) -> dict[str, Any]:
    return {
        "api_id": definition.api_id,
        "org_id": definition.org_id,
        "name": definition.name,
        "hooks": _hook_rows(definition),
    }


def _hook_rows(definition: ApiDefinition) -> list[dict[str, str]]:
    middleware = definition.custom_middleware
    lists = (
        (HookType.PRE, middleware.pre),
        (HookType.AUTH_CHECK, (middleware.auth_check,)),
        (HookType.POST_KEY_AUTH, middleware.post_key_auth),
        (HookType.POST, middleware.post),
        (HookType.RESPONSE, middleware.response),
    )
    return [
        {"type": type_.value, "name": each.name}
        for type_, entries in lists
        for each in entries
        if each.name and not each.disabled
    ]
