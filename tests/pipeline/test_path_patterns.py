"""Endpoint patterns: the short forms, the anchors, and what RE2 reads otherwise than `re`."""

from __future__ import annotations

import msgspec
import pytest

from propylon.apis.definition import ApiDefinition
from propylon.errors import DefinitionError
from propylon.pipeline.path_patterns import (
    Matching,
    candidates_of,
    compile_entry,
    compile_path,
    expand,
    matches,
)

LOOSE = Matching()
EXACT = Matching(anchors_start=True, anchors_end=True)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("/users*.", "^/users*."),
        ("/users", "^/users"),
        ("users", "users"),
        ("^/test/users", "^/test/users"),
        ("/users/.*", "^/users/.*"),
        ("/users/{id}", "^/users/([^/]+)"),
        ("/users/{id}/profile/{type:[a-zA-Z]+}", "^/users/([^/]+)/profile/([^/]+)"),
        ("/a/*/b", "^/a/[^/]+/b"),
        ("/a/*", "^/a/.*"),
    ],
)
def test_row_045_short_forms(text: str, expanded: str) -> None:
    assert expand(text, Matching(anchors_start=True)) == expanded


@pytest.mark.parametrize(
    ("matching", "text", "path", "is_match"),
    [
        (LOOSE, "/get", "/x/get/y", True),
        (LOOSE, "widgets", "/widgets/1", True),
        (EXACT, "/get", "/get", True),
        (EXACT, "/get", "/get/x", False),
        (EXACT, "/get", "/x/get", False),
        (EXACT, "/api/v1/user/\\d+", "/api/v1/user/12", True),
        (EXACT, "/ok", "/ok\n", False),
        (LOOSE, "/ok$", "/ok\n", False),
        (LOOSE, "/Get", "/get", False),
        (LOOSE, "/[[:digit:]]+$", "/12", True),
        (LOOSE, "/[^[:alpha:]]$", "/a", False),
        (LOOSE, "/[]x]$", "/]", True),
        (LOOSE, "/[a[]$", "/[", True),
        (LOOSE, "/[$]$", "/$", True),
        (LOOSE, "/\\$$", "/$", True),
        (LOOSE, "/a\\z", "/a", True),
        (LOOSE, "/\\d$", "/٣", False),
    ],
)
def test_row_046_matching(matching: Matching, text: str, path: str, is_match: bool) -> None:
    assert (compile_path(text, matching).search(path) is not None) is is_match


def test_case() -> None:
    assert compile_path("/Get", LOOSE, ignores_case=True).search("/gEt")
    assert compile_path("/Get", Matching(ignores_case=True)).search("/gEt")


@pytest.mark.parametrize("text", ["/[user", "(", "\\p{Greek}", "a**"])
def test_bad_patterns_name_the_field(text: str) -> None:
    with pytest.raises(DefinitionError, match=r"\$\.here"):
        compile_entry(text, LOOSE, field="$.here")


def definition(listen_path: str, **values: object) -> ApiDefinition:
    return msgspec.convert({"proxy": {"listen_path": listen_path}, **values}, ApiDefinition)


@pytest.mark.parametrize(
    ("listen_path", "path", "expected"),
    [
        ("/app/", "/app/get", ("/get", "/app/get")),
        ("/app", "/app", ("/", "/app")),
        ("/", "/get", ("/get",)),
        ("/app/", "/id/get", ("/id/get",)),
        ("/app/", "/app/%67et", ("/get", "/app/get")),
        ("/{t}/", "/x/get", ("/get", "/x/get")),
    ],
)
def test_candidates(listen_path: str, path: str, expected: tuple[str, ...]) -> None:
    assert candidates_of(definition(listen_path))(path) == expected


def test_candidates_without_version_segment() -> None:
    candidates = candidates_of(
        definition("/app/", definition={"location": "url"}, version_data={"versions": {"v1": {}}})
    )
    assert candidates("/app/v1/get") == ("/get", "/v1/get", "/app/v1/get")
    assert candidates("/app/v2/get") == ("/v2/get", "/app/v2/get")


def test_any_candidate_counts() -> None:
    pattern = compile_path("/get", EXACT)
    assert matches(pattern, ("/get", "/app/get"))
    assert not matches(pattern, ("/x", "/app/get"))
