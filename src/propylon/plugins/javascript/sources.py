"""Reads the scripts of one API: the files and inline code of its hooks, and `tyk_js_path`.

A script that cannot be used does not stop the API: its hooks are kept with the reason, and refuse.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.plugins.hook import Hook, HookType
from propylon.plugins.javascript import scan
from propylon.plugins.javascript.engine import Engine, EngineLimits, ScriptError
from propylon.plugins.javascript.program import HOOK_EXPRESSION, HookRef, Program, SourceFile

# The order in which Tyk runs the files of an API: later globals win (2.2).
_LOAD_ORDER = (
    HookType.AUTH_CHECK,
    HookType.PRE,
    HookType.POST,
    HookType.POST_KEY_AUTH,
    HookType.RESPONSE,
)


@dataclass(frozen=True, slots=True)
class FoundHook:
    """A hook and where its object is, or why there is none."""

    hook: Hook
    ref: HookRef | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ApiSources:
    program: Program
    hooks: tuple[FoundHook, ...]
    warnings: tuple[str, ...] = field(default=())


class _Reader:
    """Collects the files of one API; each file is listed once however many hooks name it."""

    def __init__(self) -> None:
        self.files: list[SourceFile] = []
        self.warnings: list[str] = []
        self._numbers: dict[str, int | str] = {}
        self._checker = Engine(EngineLimits(64 * 1024 * 1024, 1024 * 1024))

    def add(self, key: str, name: str, text: str) -> int | str:
        """List a script; returns its number, or the reason why it cannot be used."""
        if text.startswith("#!"):
            text = "//" + text[2:]
        try:
            self._checker.check(text)
        except ScriptError as error:
            place = error.stack.strip().partition("at check")[2]
            return (
                f"syntax error in {name}{place.splitlines()[0] if place else ''}: {error.message}"
            )
        self.files.append(SourceFile(name=name, text=text))
        self._numbers[key] = len(self.files) - 1
        return len(self.files) - 1

    def add_file(self, path: str) -> int | str:
        known = self._numbers.get(path)
        if known is None:
            known = self._numbers[path] = self._open(path)
        return known

    def _open(self, path: str) -> int | str:
        if ".js" not in Path(path).suffix:
            return f"Unsupported extension '{Path(path).suffix}' ({path})"
        try:
            text = Path(path).read_text("utf-8")
        except OSError as error:
            return f"Failed to open JS middleware file {path}: {error.strerror}"
        except UnicodeDecodeError:
            return f"Failed to open JS middleware file {path}: it is not UTF-8 text"
        return self.add(path, path, text)

    def add_code(self, hook: Hook) -> int | str:
        try:
            text = base64.b64decode(hook.code, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            return f'Failed to decode inline code for middleware "{hook.name}": {error}'
        result = self.add(f"code:{hook.label}:{len(self.files)}", f"<inline {hook.label}>", text)
        if isinstance(result, str):
            return f'Failed to compile inline code for middleware "{hook.name}": {result}'
        return result

    def name_hook(self, number: int, expression: str) -> HookRef:
        file = self.files[number]
        self.files[number] = msgspec.structs.replace(file, hooks=(*file.hooks, expression))
        return HookRef(number, len(file.hooks))


def read_sources(config: Config, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> ApiSources:
    """Read everything that this API runs, in load order."""
    reader = _Reader()
    if config.tyk_js_path and Path(config.tyk_js_path).is_file():
        result = reader.add_file(config.tyk_js_path)
        if isinstance(result, str):
            reader.warnings.append(f"Could not load user's TykJS: {result}")
    found: dict[int, FoundHook] = {}
    for kind in _LOAD_ORDER:
        for index, hook in enumerate(hooks):
            if hook.type is kind:
                found[index] = _find(reader, hook)
    files = scan.with_published_names(reader.files)
    program = Program(
        api_id=definition.api_id,
        files=files,
        config_text=_config_text(definition),
        is_fresh=config.javascript.isolation == "fresh" or scan.needs_fresh(files),
        runs_apart=scan.needs_process(files),
        shares_tyk_js=scan.shares_tyk_js(files),
        uses_underscore=scan.uses_underscore(files),
    )
    return ApiSources(
        program=program,
        hooks=tuple(found[index] for index in range(len(hooks))),
        warnings=(*reader.warnings, *_session_warnings(hooks)),
    )


def _find(reader: _Reader, hook: Hook) -> FoundHook:
    if not HOOK_EXPRESSION.fullmatch(hook.name):
        return FoundHook(hook, problem=f"{hook.name!r} does not name a JavaScript object")
    result = reader.add_code(hook) if hook.code else reader.add_file(hook.path)
    if isinstance(result, str):
        return FoundHook(hook, problem=result)
    return FoundHook(hook, ref=reader.name_hook(result, hook.name))


def _config_text(definition: ApiDefinition) -> str:
    config: dict[str, object] = {"OrgID": definition.org_id, "APIID": definition.api_id}
    if not definition.config_data_disabled:
        config["config_data"] = definition.config_data or None
    return msgspec.json.encode(config).decode()


def _session_warnings(hooks: tuple[Hook, ...]) -> tuple[str, ...]:
    """Name the files whose suffix asks for a session where there is none yet (2.3)."""
    return tuple(
        f"{hook.path}: there is no session in {hook.type.name.lower()} hooks"
        for hook in hooks
        if hook.type in (HookType.PRE, HookType.AUTH_CHECK)
        and hook.require_session
        and hook.name.endswith("_with_session")
    )
