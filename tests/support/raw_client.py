"""A client that sends exactly the bytes it is given and reads answers one by one."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self

WAIT_SECONDS = 20.0


@dataclass
class Answer:
    """One response; `is_complete` is false where the connection ended before its body did."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    is_complete: bool = True

    def get(self, name: str) -> str | None:
        return next((value for each, value in self.fields if each.lower() == name.lower()), None)


class RawClient:
    """One TCP connection. Every read has a deadline and fails loudly when it passes."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, name: str = "") -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name or "localhost")
        self.stream = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, path: str, *lines: str, method: str = "GET") -> Answer:
        """Send a request without a body and read its answer."""
        head = "".join(f"{line}\r\n" for line in lines)
        self.send(f"{method} {path} HTTP/1.1\r\nHost: gateway\r\n{head}\r\n".encode("latin-1"))
        return self.answer(method)

    def head(self) -> Answer:
        """Read the next status line and fields, and nothing of the body."""
        line = self.stream.readline()
        assert line, "the gateway closed the connection without an answer"
        fields = []
        while (each := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = each.decode("latin-1").partition(":")
            fields.append((name, value.strip()))
        return Answer(int(line.split(b" ")[1]), fields)

    def answer(self, method: str = "GET") -> Answer:
        """Read the next answer whole; 1xx answers count as answers."""
        answer = self.head()
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        length = answer.get("Content-Length")
        if length is not None:
            answer.body = self.stream.read(int(length))
            answer.is_complete = len(answer.body) == int(length)
        elif answer.get("Transfer-Encoding") == "chunked":
            self._read_chunks(answer)
        else:
            answer.body = self.stream.read()
        return answer

    def _read_chunks(self, answer: Answer) -> None:
        while size_line := self.stream.readline():
            size = int(size_line, 16)
            if size == 0:
                break
            answer.body += self.stream.read(size)
            self.stream.read(2)
        answer.is_complete = bool(size_line)
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            answer.fields.append((name, value.strip()))

    def is_closed(self) -> bool:
        """Wait for the gateway to close; false when it sends something instead."""
        try:
            return self.stream.read(1) == b""
        except ConnectionError:
            return True
