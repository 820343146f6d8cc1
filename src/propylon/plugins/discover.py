"""Which hooks an API has, in the order in which they run, and which driver runs them.

Hooks come from `custom_middleware` and, for JavaScript only, from the files in
`<middleware_path>/<api_id>/{pre,auth,post_auth,post}/` (javascript-plugins 2.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from propylon.apis.definition import ApiDefinition, MiddlewareDef
from propylon.config.model import Config
from propylon.plugins.hook import Hook, HookType

JAVASCRIPT_DRIVERS = frozenset({"otto", "javascript"})

_ALIASES = {"stdio": "jsonrpc"}
_SESSION_SUFFIX = "_with_session"


def discover_hooks(definition: ApiDefinition, config: Config) -> tuple[Hook, ...]:
    """Return the hooks that are switched on; within one type they run in this order.

    A JavaScript driver gets also the hooks that will not be called (an auth hook of a keyless API):
    their sources may define what the others use.
    """
    section = definition.custom_middleware
    may_be_javascript = section.driver in ("", *JAVASCRIPT_DRIVERS)
    folders = _Folders(definition, config) if may_be_javascript else None
    is_keyed = may_be_javascript or not definition.use_keyless
    has_auth = may_be_javascript or (definition.has_plugin_auth and is_keyed)

    hooks = [*_declared(HookType.PRE, section.pre), *_found(folders, HookType.PRE)]
    if has_auth:
        # A file in the folder replaces the declared hook; of several files the last one counts.
        auth = [*_declared_auth(section.auth_check), *_found(folders, HookType.AUTH_CHECK)]
        hooks += auth[-1:]
    if is_keyed:
        hooks += _found(folders, HookType.POST_KEY_AUTH)
        hooks += _declared(HookType.POST_KEY_AUTH, section.post_key_auth)
    hooks += _declared(HookType.POST, section.post)
    hooks += _found(folders, HookType.POST)
    hooks += _declared(HookType.RESPONSE, section.response)
    return tuple(hooks)


def driver_of(definition: ApiDefinition, hooks: Iterable[Hook], config: Config) -> str:
    """Return the driver that runs `hooks`.

    Empty when the definition names none and nothing shows that the hooks are JavaScript.
    """
    driver = definition.custom_middleware.driver
    if driver:
        return _ALIASES.get(driver, driver)
    is_javascript = any(hook.code or hook.path.endswith(".js") for hook in hooks)
    return "otto" if is_javascript else ""


class _Folders:
    """The hook files of one API."""

    names = {
        HookType.PRE: "pre",
        HookType.AUTH_CHECK: "auth",
        HookType.POST_KEY_AUTH: "post_auth",
        HookType.POST: "post",
    }

    def __init__(self, definition: ApiDefinition, config: Config) -> None:
        api_id = definition.api_id
        # An id is one folder name; anything else would look for code in other places.
        is_folder_name = api_id not in ("", ".", "..") and "/" not in api_id and "\0" not in api_id
        self._root = Path(config.middleware_path, api_id) if is_folder_name else None

    def files(self, type_: HookType) -> list[Path]:
        if self._root is None:
            return []
        return sorted((self._root / self.names[type_]).glob("*.js"))


def _found(folders: _Folders | None, type_: HookType) -> Iterator[Hook]:
    if folders is None:
        return
    for file in folders.files(type_):
        name = file.name.partition(".")[0]
        yield Hook(type_, name, path=str(file), require_session=name.endswith(_SESSION_SUFFIX))


def _declared(type_: HookType, entries: Iterable[MiddlewareDef]) -> Iterator[Hook]:
    for entry in entries:
        if not entry.disabled:
            yield Hook(
                type_,
                entry.name,
                path=entry.path,
                code=entry.code,
                require_session=entry.require_session,
                raw_body_only=entry.raw_body_only,
            )


def _declared_auth(entry: MiddlewareDef) -> Iterator[Hook]:
    # The section always holds an entry; without any content it declares nothing.
    if entry.name or entry.path or entry.code:
        yield from _declared(HookType.AUTH_CHECK, (entry,))
