"""The JavaScript driver: turns an API's scripts into steps, and owns what they run on."""

from __future__ import annotations

from dataclasses import replace

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.plugins.hook import Hook, HookType, LoadedHooks
from propylon.plugins.javascript.calls import ApiScripts
from propylon.plugins.javascript.limits import read_limits
from propylon.plugins.javascript.pool import ProcessPool
from propylon.plugins.javascript.program import Program
from propylon.plugins.javascript.runtime import RuntimeShelf
from propylon.plugins.javascript.sources import ApiSources, FoundHook, read_sources
from propylon.plugins.javascript.steps import (
    REQUEST_FAILURE,
    RESPONSE_FAILURE,
    SWITCHED_OFF,
    RefusingHook,
    RequestHook,
    ResponseHook,
)

# A live runtime takes about half a MiB; an API whose runtime was dropped pays some milliseconds on
# its next request. Busy APIs of even a large gateway fit.
MAX_RUNTIMES = 512


class JavaScriptHost:
    """Serves the drivers `otto` and `javascript`, and `.js` hooks without a driver."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._limits = read_limits(config)
        self._pool = ProcessPool(self._limits.max_processes, self._limits.apart)
        self._shelf = RuntimeShelf(MAX_RUNTIMES)
        # By identity: two snapshots may hold equal hooks for a while.
        self._loaded: dict[int, tuple[LoadedHooks, ApiScripts]] = {}

    async def start(self) -> None:
        """Nothing to begin: processes start with the first call that needs one."""

    def load(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> LoadedHooks:
        sources = self._read(definition, hooks)
        scripts = ApiScripts(definition, sources.program, self._limits, self._pool, self._shelf)
        warnings = list(sources.warnings)
        problems: list[str] = []
        if self._config.enable_jsvm:
            said = scripts.validate()
            problems += [each for each in said if each.startswith("Failed to load")]
            problems += [found.problem for found in sources.hooks if found.problem]
            warnings += said
            warnings += [found.problem for found in sources.hooks if found.problem]
        else:
            warnings.append("JSVM isn't initialized, check your gateway settings (enable_jsvm)")
        for warning in warnings:
            scripts.warn("load", warning)
        steps = self._make_steps(sources, scripts, tuple(warnings))
        loaded = replace(steps, problems=tuple(dict.fromkeys(problems)))
        self._loaded[id(loaded)] = (loaded, scripts)
        return loaded

    def unload(self, loaded: LoadedHooks) -> None:
        """Free the runtime of an API whose last request is done."""
        found = self._loaded.pop(id(loaded), None)
        if found is not None:
            found[1].close()

    def snapshot_changed(self, definitions: tuple[ApiDefinition, ...]) -> None:
        """Scripts belong to their API: nothing here spans a snapshot."""

    async def stop(self) -> None:
        for _, scripts in self._loaded.values():
            scripts.close()
        self._loaded.clear()
        await self._pool.close()

    def _read(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> ApiSources:
        if self._config.enable_jsvm:
            return read_sources(self._config, definition, hooks)
        found = tuple(FoundHook(hook, problem="enable_jsvm is false") for hook in hooks)
        return ApiSources(Program(definition.api_id, ()), found)

    def _make_steps(
        self, sources: ApiSources, scripts: ApiScripts, warnings: tuple[str, ...]
    ) -> LoadedHooks:
        def request(found: FoundHook) -> RequestHook | RefusingHook:
            return self._request_step(found, scripts)

        auth = [request(f) for f in sources.hooks if f.hook.type is HookType.AUTH_CHECK]
        return LoadedHooks(
            pre=tuple(request(f) for f in sources.hooks if f.hook.type is HookType.PRE),
            auth_check=auth[-1] if auth else None,
            post_key_auth=tuple(
                request(f) for f in sources.hooks if f.hook.type is HookType.POST_KEY_AUTH
            ),
            post=tuple(request(f) for f in sources.hooks if f.hook.type is HookType.POST),
            response=tuple(
                self._response_step(f, scripts)
                for f in sources.hooks
                if f.hook.type is HookType.RESPONSE
            ),
            warnings=warnings,
        )

    def _request_step(self, found: FoundHook, scripts: ApiScripts) -> RequestHook | RefusingHook:
        if found.ref is None:
            return self._refusing(found, scripts, REQUEST_FAILURE)
        return RequestHook(
            found.hook,
            found.ref,
            scripts,
            keeps_spelling=self._config.ignore_canonical_mime_header_key,
            closes_connection=self._config.close_connections,
        )

    def _response_step(self, found: FoundHook, scripts: ApiScripts) -> ResponseHook | RefusingHook:
        if found.ref is None:
            return self._refusing(found, scripts, RESPONSE_FAILURE)
        return ResponseHook(
            found.hook,
            found.ref,
            scripts,
            keeps_spelling=self._config.ignore_canonical_mime_header_key,
        )

    def _refusing(self, found: FoundHook, scripts: ApiScripts, message: str) -> RefusingHook:
        if not self._config.enable_jsvm:
            message = SWITCHED_OFF
            problem = "JSVM isn't initialized, check your gateway settings"
        else:
            problem = f"Failed to run JS middleware: {found.problem}"
        return RefusingHook(found.hook, scripts, message, problem)
