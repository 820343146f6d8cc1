"""What the text of a script tells about how it may run.

The answers decide speed, never safety: a script that hides from the scan meets a trapdoor of the
hardened runtime and is then run in a runtime of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from propylon.plugins.javascript.program import IDENTIFIER, SourceFile

_WORD = re.compile(rf"(?<![\w$.]){IDENTIFIER}")
_MEMBER_OF_GLOBAL = re.compile(rf"\b(?:this|globalThis)\s*\??\.\s*({IDENTIFIER})")

# Words that cannot stand alone in an expression, in one of the two modes of the language.
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
        arguments await break case catch class const continue debugger default delete do else enum
        eval export extends false finally for function if implements import in instanceof interface
        let new null package private protected public return static super switch this throw true try
        typeof var void while with yield async of undefined
        """,
    )
)

_BUILT_IN = (
    "Object|Function|Array|String|Number|Boolean|Symbol|Math|JSON|Reflect|Date|RegExp|Map|Set|"
    "WeakMap|WeakSet|Proxy|Error|TypeError|RangeError|SyntaxError|ReferenceError|EvalError|URIError|"
    "ArrayBuffer|DataView|Iterator|Intl|_|console|log|rawlog|b64enc|b64dec|rawb64enc|rawb64dec|"
    "globalThis|performance|(?:Uint|Int|Float)\\d+(?:Clamped)?Array"
)
_NEEDS_FRESH = re.compile(
    # promise jobs and what makes them; code from text; finalizers and shared memory
    r"\b(?:async|await|Promise|queueMicrotask|import|eval|Function|WeakRef|FinalizationRegistry|"
    r"SharedArrayBuffer|Atomics|__proto__|__defineGetter__|__defineSetter__)\b"
    # a built-in, or a member of one, is assigned to
    rf"|(?<![\w$.])(?:{_BUILT_IN})(?:\.prototype)?(?:\s*(?:\.\s*{IDENTIFIER}|\[[^\]\n]*\]))?"
    r"\s*(?:[-+*/%&|^]|\|\||&&|\?\?|\*\*|<<|>>>?)?=(?![=>])"
    # or handed to something that edits it
    r"|\b(?:defineProperty|defineProperties|assign|setPrototypeOf|extend|mixin|set)\s*\(\s*"
    rf"(?:{_BUILT_IN})\b"
    rf"|\b_\s*\.\s*mixin\b|=\s*(?:{_BUILT_IN})\.prototype\b"
)
_NEEDS_PROCESS = re.compile(r"\bBigInt|(?<![\w$.])(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*)n\b")
_TYK_JS = re.compile(r"\bTykJS\b(?!\s*\.\s*TykMiddleware\s*\.\s*NewMiddleware\s*\()")
_UNDERSCORE = re.compile(r"(?<![\w$])_(?![\w$])")


def needs_fresh(files: Sequence[SourceFile]) -> bool:
    return any(_NEEDS_FRESH.search(file.text) for file in files)


def needs_process(files: Sequence[SourceFile]) -> bool:
    """Tell whether scripts use BigInt: one multiplication of these can take minutes."""
    return any(_NEEDS_PROCESS.search(file.text) for file in files)


def shares_tyk_js(files: Sequence[SourceFile]) -> bool:
    """Tell whether scripts only ever say `new TykJS.TykMiddleware.NewMiddleware(...)`."""
    return not any(_TYK_JS.search(file.text) for file in files)


def uses_underscore(files: Sequence[SourceFile]) -> bool:
    return any(_UNDERSCORE.search(file.text) for file in files)


def with_published_names(files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Note in each file the names that other files, or `this.name`, may look up globally.

    Inner names slip in; the runtime drops those when it loads the file.
    """
    words = [frozenset(_WORD.findall(file.text)) - _RESERVED for file in files]
    result = []
    for index, file in enumerate(files):
        wanted: set[str] = set()
        for other, theirs in enumerate(words):
            if other != index:
                wanted |= theirs
        wanted.update(_MEMBER_OF_GLOBAL.findall(file.text))
        for hook in _hooks_of_others(files, index):
            wanted.add(hook.partition(".")[0].strip())
        names = tuple(sorted(words[index] & wanted))
        result.append(SourceFile(name=file.name, text=file.text, hooks=file.hooks, published=names))
    return tuple(result)


def _hooks_of_others(files: Sequence[SourceFile], index: int) -> list[str]:
    return [hook for other, file in enumerate(files) if other != index for hook in file.hooks]
