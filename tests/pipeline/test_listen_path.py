"""Listen paths: what is stripped, and what stays percent-encoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.pipeline.listen_path import ListenPath, decode_path, encode_path


@pytest.mark.parametrize(
    ("listen_path", "path", "stripped"),
    [
        ("/listen", "/listen/get", "/get"),
        ("/listen/", "/listen/get", "/get"),
        ("/listen/", "/listen/", "/"),
        ("/listen", "/listen", "/"),
        ("/listen", "/listener", "/er"),
        ("/", "/get", "/get"),
        ("/listen/", "/other/get", "/other/get"),
        ("/{_:.*}/post/", "/listen/post/get", "/get"),
        ("/pre/{_:.*}/", "/pre/listen/get", "/get"),
        ("/{_:.*}", "/listen", "/"),
        ("/{p:foo|bar}", "/foo/get", "/get"),
        ("/{p:foo|bar}", "/anything/get", "/anything/get"),
        ("/{tenant}/app/", "/t%C3%A9/app/a%2Fb%20c", "/a%2Fb%20c"),
        ("/café/", "/caf%C3%A9/x%20y", "/x%20y"),
        ("/a b/", "/a%20b/%zz", "/%zz"),
    ],
)
def test_row_030_strip(listen_path: str, path: str, stripped: str) -> None:
    assert ListenPath.compile(listen_path).strip(path) == stripped


@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=20))
def test_encoding_a_decoded_path_loses_nothing(text: str) -> None:
    assert decode_path(encode_path("/" + text)) == "/" + text


@given(st.binary(max_size=20), st.sampled_from(["/app/", "/{x}/", "/é/"]))
def test_strip_always_gives_a_path(raw: bytes, listen_path: str) -> None:
    path = "/" + raw.decode("latin-1")
    assert ListenPath.compile(listen_path).strip(path).startswith("/")
