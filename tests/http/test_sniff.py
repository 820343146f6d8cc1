"""Content types by Go's rules."""

from __future__ import annotations

import pytest

from propylon.http.sniff import sniff_content_type


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", b"text/plain; charset=utf-8"),
        (b"hello", b"text/plain; charset=utf-8"),
        (b'{"a": 1}', b"text/plain; charset=utf-8"),
        (b"\n <!doctype html>", b"text/html; charset=utf-8"),
        (b"<br>", b"text/html; charset=utf-8"),
        (b"<bread>", b"text/plain; charset=utf-8"),
        (b"<!-- x", b"text/html; charset=utf-8"),
        (b" <?xml version='1.0'?>", b"text/xml; charset=utf-8"),
        (b"%PDF-1.7", b"application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", b"image/png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"image/webp"),
        (b"\x00\x00\x00\x14ftypmp42\x00\x00\x00\x00mp42", b"video/mp4"),
        (b"a\x00b", b"application/octet-stream"),
        (b"\xc3\xa9", b"text/plain; charset=utf-8"),
    ],
)
def test_sniff(body: bytes, expected: bytes) -> None:
    assert sniff_content_type(body) == expected
