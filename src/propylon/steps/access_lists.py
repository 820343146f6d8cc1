"""What the path lists of a version say about a request: gateway-core 3.6.

Mock, ignored, black and white lists in that order, the first matching entry decides. `internal` is
asked before all of them: an entry that is also ignored must not become reachable from outside.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from propylon.apis.definition import EndpointList, MethodAction, MockResponse, VersionInfo
from propylon.errors import DefinitionError
from propylon.http.headers import Headers, canonical, is_field_value, is_token
from propylon.http.message import Response
from propylon.http.sniff import sniff_content_type
from propylon.observe.logs import get_logger
from propylon.pipeline.path_patterns import Candidates, Matching, compile_entry, matches
from propylon.steps.endpoints import active_entries, version_path

log = get_logger("access-lists")


class Verdict(enum.Enum):
    ALLOWED = "allowed"
    IGNORED = "ignored"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Mock:
    """An answer from the definition; made anew for every request because steps may edit it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def respond(self) -> Response:
        return Response(self.status, Headers(self.headers), self.body)


@dataclass(frozen=True, slots=True)
class _Entry:
    pattern: re.Pattern[str]
    outcomes: dict[str, Verdict | Mock]
    "By method."
    otherwise: Verdict | Mock | None
    "For every other method; None when the entry does not concern them."


@dataclass(frozen=True, slots=True)
class AccessLists:
    """The compiled lists of one version."""

    entries: tuple[_Entry, ...]
    fallback: Verdict
    "What applies when no entry matches: forbidden as soon as there is a white list."
    candidates: Candidates

    def judge(self, path: str, method: str) -> Verdict | Mock:
        if not self.entries:
            return self.fallback
        texts = self.candidates(path)
        for entry in self.entries:
            if matches(entry.pattern, texts):
                outcome = entry.outcomes.get(method, entry.otherwise)
                if outcome is not None:
                    return outcome
        return self.fallback


def build_access_lists(
    name: str, version: VersionInfo, matching: Matching, candidates: Candidates
) -> AccessLists:
    if version.use_extended_paths:
        entries = tuple(_extended_entries(name, version, matching))
        has_white_list = any(not entry.disabled for entry in version.extended_paths.white_list)
    else:
        entries = tuple(_legacy_entries(name, version, matching))
        has_white_list = bool(version.paths.white_list)
    fallback = Verdict.FORBIDDEN if has_white_list else Verdict.ALLOWED
    return AccessLists(entries, fallback, candidates)


def _extended_entries(name: str, version: VersionInfo, matching: Matching) -> Iterator[_Entry]:
    paths = version.extended_paths
    for field, internal in active_entries(paths.internal, "internal", name):
        pattern = compile_entry(internal.path, matching, field=field + ".path")
        yield _entry(pattern, internal.method, Verdict.FORBIDDEN)
    for field, mock in active_entries(paths.mock_response, "mock_response", name):
        pattern = compile_entry(
            mock.path, matching, field=field + ".path", ignores_case=mock.ignore_case
        )
        yield _entry(pattern, mock.method, _mock(mock, field))
    for section, verdict in (
        ("ignored", Verdict.IGNORED),
        ("black_list", Verdict.FORBIDDEN),
        ("white_list", Verdict.ALLOWED),
    ):
        for field, entry in active_entries(getattr(paths, section), section, name):
            yield _list_entry(entry, verdict, matching, field)


def _legacy_entries(name: str, version: VersionInfo, matching: Matching) -> Iterator[_Entry]:
    for section, verdict in (
        ("ignored", Verdict.IGNORED),
        ("black_list", Verdict.FORBIDDEN),
        ("white_list", Verdict.ALLOWED),
    ):
        for index, text in enumerate(getattr(version.paths, section)):
            field = f"{version_path(name)}.paths.{section}[{index}]"
            yield _entry(compile_entry(text, matching, field=field), "", verdict)


def _list_entry(entry: EndpointList, verdict: Verdict, matching: Matching, field: str) -> _Entry:
    pattern = compile_entry(
        entry.path, matching, field=field + ".path", ignores_case=entry.ignore_case
    )
    if not entry.method_actions:
        return _entry(pattern, entry.method, verdict)
    outcomes = {
        method.upper(): _action(action, verdict, f"{field}.method_actions.{method}")
        for method, action in entry.method_actions.items()
    }
    return _Entry(pattern, outcomes, None)


def _entry(pattern: re.Pattern[str], method: str, outcome: Verdict | Mock) -> _Entry:
    if method:
        return _Entry(pattern, {method.upper(): outcome}, None)
    return _Entry(pattern, {}, outcome)


def _action(action: MethodAction, verdict: Verdict, field: str) -> Verdict | Mock:
    if action.action == "reply":
        return _answer(action.code, action.headers, action.data, field)
    if action.action in ("", "no_action"):
        return verdict
    raise DefinitionError(f"{action.action!r}: expected no_action or reply", path=field + ".action")


def _mock(entry: MockResponse, field: str) -> Mock:
    return _answer(entry.code, entry.headers, entry.body, field)


def _answer(code: int, headers: dict[str, str], body: str, field: str) -> Mock:
    status = code or 200
    if not 200 <= status <= 999:
        raise DefinitionError(f"{code} is no final status", path=field + ".code")
    data = body.encode("utf-8")
    items: list[tuple[bytes, bytes]] = []
    for name, value in headers.items():
        item = (canonical(name.encode("utf-8")), value.encode("utf-8"))
        if not is_token(item[0]) or not is_field_value(item[1]):
            raise DefinitionError(f"{name!r}: no valid header", path=field + ".headers")
        items.append(item)
    if data and all(name != b"Content-Type" for name, _ in items):
        items.append((b"Content-Type", sniff_content_type(data)))
    return Mock(status, tuple(items), data)
