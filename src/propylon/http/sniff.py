"""Guess a content type from the first bytes, by the WHATWG rules that Go's servers follow.

Covers text, markup and the common image, audio, video, font and archive types.
"""

from __future__ import annotations

_SNIFFED_BYTES = 512
_SPACE = b"\t\n\x0c\r "
_TAG_ENDS = (b" ", b">")

# Tags are matched without case and must be followed by a space or `>` (WHATWG mimesniff, 7.1).
_HTML_TAGS = tuple(
    b"<" + tag
    for tag in (
        b"!DOCTYPE HTML", b"HTML", b"HEAD", b"SCRIPT", b"IFRAME", b"H1", b"DIV", b"FONT", b"TABLE",
        b"A", b"STYLE", b"TITLE", b"B", b"BODY", b"BR", b"P", b"!--",
    )
)  # fmt: skip

_PREFIXES: tuple[tuple[bytes, bytes], ...] = (
    (b"%PDF-", b"application/pdf"),
    (b"%!PS-Adobe-", b"application/postscript"),
    (b"\xfe\xff", b"text/plain; charset=utf-16be"),
    (b"\xff\xfe", b"text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", b"text/plain; charset=utf-8"),
    (b"\x00\x00\x01\x00", b"image/x-icon"),
    (b"\x00\x00\x02\x00", b"image/x-icon"),
    (b"BM", b"image/bmp"),
    (b"GIF87a", b"image/gif"),
    (b"GIF89a", b"image/gif"),
    (b"\x89PNG\r\n\x1a\n", b"image/png"),
    (b"\xff\xd8\xff", b"image/jpeg"),
    (b"ID3", b"audio/mpeg"),
    (b"OggS\x00", b"application/ogg"),
    (b"MThd\x00\x00\x00\x06", b"audio/midi"),
    (b"\x1aE\xdf\xa3", b"video/webm"),
    (b"\x00\x01\x00\x00", b"font/ttf"),
    (b"OTTO", b"font/otf"),
    (b"ttcf", b"font/collection"),
    (b"wOFF", b"font/woff"),
    (b"wOF2", b"font/woff2"),
    (b"\x1f\x8b\x08", b"application/x-gzip"),
    (b"PK\x03\x04", b"application/zip"),
    (b"Rar!\x1a\x07\x00", b"application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\x00", b"application/x-rar-compressed"),
    (b"\x00asm", b"application/wasm"),
)

# RIFF and FORM containers: four bytes of length between the two marks.
_CONTAINERS: tuple[tuple[bytes, bytes, bytes], ...] = (
    (b"RIFF", b"WEBPVP", b"image/webp"),
    (b"RIFF", b"WAVE", b"audio/wave"),
    (b"RIFF", b"AVI ", b"video/avi"),
    (b"FORM", b"AIFF", b"audio/aiff"),
)

# WHATWG: a resource with one of these is binary data.
_BINARY = frozenset([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def sniff_content_type(body: bytes) -> bytes:
    """Return the type that Go's `DetectContentType` gives to `body`."""
    head = body[:_SNIFFED_BYTES]
    text = head.lstrip(_SPACE)
    if _is_html(text):
        return b"text/html; charset=utf-8"
    if text.startswith(b"<?xml"):
        return b"text/xml; charset=utf-8"
    for prefix, content_type in _PREFIXES:
        if head.startswith(prefix):
            return content_type
    for outer, inner, content_type in _CONTAINERS:
        if head.startswith(outer) and head.startswith(inner, 8):
            return content_type
    if _is_mp4(head):
        return b"video/mp4"
    if _BINARY.isdisjoint(head):
        return b"text/plain; charset=utf-8"
    return b"application/octet-stream"


def _is_html(text: bytes) -> bool:
    if not text.startswith(b"<"):
        return False
    upper = text[:16].upper()
    for tag in _HTML_TAGS:
        if upper.startswith(tag) and (tag == b"<!--" or text[len(tag) : len(tag) + 1] in _TAG_ENDS):
            return True
    return False


def _is_mp4(head: bytes) -> bool:
    if len(head) < 12 or head[4:8] != b"ftyp":
        return False
    size = int.from_bytes(head[:4], "big")
    if size % 4 or len(head) < size:
        return False
    # Bytes 12 to 15 are a version; all other groups of four name compatible brands.
    return any(head[at : at + 3] == b"mp4" for at in range(8, size, 4) if at != 12)
