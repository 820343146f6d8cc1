"""What an API's JavaScript is made of, once it has been read: plain data, ready for any process."""

from __future__ import annotations

import re

import msgspec

IDENTIFIER = r"[A-Za-z_$][\w$]*"
HOOK_EXPRESSION = re.compile(rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})*")


class SourceFile(msgspec.Struct, frozen=True):
    """One script. `hooks` are the expressions that name its hook objects."""

    name: str
    text: str
    hooks: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    "Top-level names that other files of the API may mean."


class Program(msgspec.Struct, frozen=True):
    """All scripts of one API in load order, with what its runtimes must know about them."""

    api_id: str
    files: tuple[SourceFile, ...]
    config_text: str = "{}"
    is_fresh: bool = False
    "The scripts do things that only a runtime per request isolates."
    runs_apart: bool = False
    "The scripts do native work without bound: never on the event loop."
    shares_tyk_js: bool = True
    uses_underscore: bool = False


class HookRef(msgspec.Struct, frozen=True):
    """Where a hook object is found: the file and the case of its resolver."""

    file: int
    case: int
