"""Frames of the stdio protocol in a stream of bytes (rich-plugins A.2). No I/O here.

A frame is one line, or a block of `Content-Length` headers and that many bytes; a stream may mix
both. Feed what was read and handle the frames returned. A line that is no JSON is a frame like any
other: the caller counts it as garbage and the next line starts afresh.
"""

from __future__ import annotations

from propylon.errors import PropylonError

# Two short headers are all that LSP knows.
_MAX_HEADER_BYTES = 4096
_HEADER_STARTS = (b"content-length:", b"content-type:")


class FrameTooLargeError(PropylonError):
    """The peer sent more than the limit without ending the frame; the stream is lost."""


class Framer:
    """Cuts a stream into frames of at most `max_bytes`."""

    __slots__ = ("_body_length", "_buffer", "_headers", "_max_bytes", "_searched", "saw_headers")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._headers: list[bytes] | None = None
        self._body_length: int | None = None
        self.saw_headers = False
        "Whether the peer writes header-framed messages, so that we may answer alike."

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the frames they complete, without terminators."""
        # Most reads hold whole lines and nothing is pending: no copy into the buffer then.
        if not self._buffer and self._headers is None and data.endswith(b"\n"):
            frames = self._plain_lines(data)
            if frames is not None:
                return frames
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            if frame:
                frames.append(frame)
        self._check_size()
        return frames

    def _plain_lines(self, data: bytes) -> list[bytes] | None:
        """Split lines, or return None where one of them may be a header."""
        lines = data.split(b"\n")
        lines.pop()
        frames = []
        for line in lines:
            first = line[:1]
            if first in (b"c", b"C", b"\r", b""):
                if first in (b"\r", b"") and not line.strip():
                    continue
                return None
            if len(line) > self._max_bytes:
                raise FrameTooLargeError(f"a message of more than {self._max_bytes} bytes")
            frames.append(line)
        return frames

    def _next(self) -> bytes | None:
        """Return the next frame, empty for a line that is none, or None to wait for more."""
        if self._body_length is not None:
            return self._take_body()
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            return None
        if end > self._max_bytes:
            raise FrameTooLargeError(f"a message of more than {self._max_bytes} bytes")
        line = bytes(self._buffer[:end]).strip()
        del self._buffer[: end + 1]
        self._searched = 0
        if self._headers is not None:
            return self._take_header(line)
        if line[:15].lower().startswith(_HEADER_STARTS):
            self._headers = [line]
            return b""
        return line

    def _take_header(self, line: bytes) -> bytes:
        headers = self._headers
        assert headers is not None
        if line:
            headers.append(line)
            if sum(map(len, headers)) > _MAX_HEADER_BYTES:
                self._headers = None
                return headers[0]
            return b""
        self._headers = None
        length = _content_length(headers)
        if length is None:
            # No frame but garbage: the caller sees it and the next line starts afresh.
            return headers[0]
        if length > self._max_bytes:
            raise FrameTooLargeError(f"a message of {length} bytes, the limit is {self._max_bytes}")
        self.saw_headers = True
        self._body_length = length
        return b""

    def _take_body(self) -> bytes | None:
        length = self._body_length
        assert length is not None
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._body_length = None
        return body

    def _check_size(self) -> None:
        if self._body_length is None and len(self._buffer) > self._max_bytes:
            self._buffer.clear()
            raise FrameTooLargeError(f"a message of more than {self._max_bytes} bytes")


def framed(message: bytes, *, with_headers: bool) -> bytes:
    """Return `message` as it goes to a plugin that reads this framing."""
    if with_headers:
        return b"Content-Length: %d\r\n\r\n%b" % (len(message), message)
    return message + b"\n"


def _content_length(headers: list[bytes]) -> int | None:
    for header in headers:
        name, _, value = header.partition(b":")
        if name.strip().lower() == b"content-length":
            digits = value.strip()
            return int(digits) if digits.isdigit() and len(digits) < 16 else None
    return None
