# ruff: noqa: E501 - a row is a line
"""How every unclear request is decided: one row per case, with the paragraph that decides it.

`docs/reference/http.md` prints this table. A row expects either the status of the refusal, or the
(method, url, host, body) of the requests that the bytes are.
"""

from __future__ import annotations

from dataclasses import dataclass

Accepted = tuple[tuple[str, str, str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    paragraph: str
    data: bytes
    expected: int | Accepted

    @property
    def decision(self) -> str:
        if isinstance(self.expected, int):
            return str(self.expected)
        return "accepted" if len(self.expected) == 1 else f"{len(self.expected)} requests"


def get(url: str = "/", host: str = "a") -> Accepted:
    return (("GET", url, host, b""),)


def post(body: bytes) -> Accepted:
    return (("POST", "/", "a", body),)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"\r\n"
LAST = b"0\r\n\r\n"

ROWS: tuple[Row, ...] = (
    # request line
    Row("plain request", "9112, 3", GET + END, get()),
    Row("empty lines before it", "9112, 2.2", b"\r\n\r\n" + GET + END, get()),
    Row("bare LF ends the request line", "9112, 2.2", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    Row("bare CR in the request line", "9112, 2.2", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
    Row("several spaces before the target", "9112, 3", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", get()),
    Row("space within the target", "9112, 3.2", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("space behind the version", "9112, 3", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    Row("control character in the target", "9112, 3.2", b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("tab in the target", "9112, 3.2", b"GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("byte over 127 in the target", "9112, 3.2", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("fragment in the target", "9112, 3.2.1", b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("broken percent escape", "3986, 2.1", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("escaped CR LF stays escaped", "3986, 2.1", b"GET /%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n", get("/%0d%0a")),
    Row("lower-case method", "9110, 9.1", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Row("unknown method", "9110, 9.1", b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    Row("garbage", "9112, 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 501),
    # version
    Row("no version (HTTP/0.9)", "9112, 2.3", b"GET /\r\n\r\n", 505),
    Row("HTTP/0.9 by name", "9112, 2.3", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    Row("HTTP/1.0 without Host", "9112, 3.2", b"GET / HTTP/1.0\r\n\r\n", get(host="")),
    Row("HTTP/1.2", "9112, 2.3", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
    Row("HTTP/2.0 request line", "9112, 2.3", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    Row("HTTP/2 preface", "9113, 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    Row("lower-case protocol name", "9112, 2.3", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    # forms of the target
    Row("absolute form: its authority wins", "9112, 3.2.2", b"GET http://b/x?y HTTP/1.1\r\nHost: a\r\n\r\n", get("/x?y", "b")),
    Row("absolute form without a path", "9112, 3.2.2", b"GET http://b?y HTTP/1.1\r\nHost: a\r\n\r\n", get("/?y", "b")),
    Row("absolute form with user", "9110, 4.2.4", b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("absolute form without Host", "9112, 3.2", b"GET http://b/ HTTP/1.1\r\n\r\n", 400),
    Row("absolute form of another scheme", "9112, 3.2.2", b"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("asterisk with OPTIONS", "9112, 3.2.4", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", (("OPTIONS", "*", "a", b""),)),
    Row("asterisk with GET", "9112, 3.2.4", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Row("CONNECT", "9112, 3.2.3", b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 405),
    Row("relative target", "9112, 3.2", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    # Host
    Row("no Host", "9112, 3.2", b"GET / HTTP/1.1\r\n\r\n", 400),
    Row("two Hosts", "9112, 3.2", GET + b"Host: b\r\n\r\n", 400),
    Row("the same Host twice", "9112, 3.2", GET + b"Host: a\r\n\r\n", 400),
    Row("empty Host", "9112, 3.2", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", get(host="")),
    Row("Host with a port", "9110, 7.2", b"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", get(host="a:80")),
    Row("Host with an IPv6 address", "9110, 7.2", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", get(host="[::1]:80")),
    Row("Host with a path", "9110, 7.2", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    Row("Host with a user", "9110, 7.2", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    Row("Host with a space", "9110, 7.2", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    Row("Host list", "9110, 7.2", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    # fields
    Row("obs-fold", "9112, 5.2", GET + b"X: a\r\n b\r\n\r\n", 400),
    Row("obs-fold by tab", "9112, 5.2", GET + b"X: a\r\n\tb\r\n\r\n", 400),
    Row("white space before the first field", "9112, 2.2", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    Row("space before the colon", "9112, 5.1", GET + b"X : a\r\n\r\n", 400),
    Row("tab before the colon", "9112, 5.1", GET + b"X\t: a\r\n\r\n", 400),
    Row("no colon", "9112, 5", GET + b"X\r\n\r\n", 400),
    Row("empty field name", "9110, 5.1", GET + b": a\r\n\r\n", 400),
    Row("field name with parentheses", "9110, 5.1", GET + b"X(y): a\r\n\r\n", 400),
    Row("field name with a byte over 127", "9110, 5.1", GET + b"X\xe9: a\r\n\r\n", 400),
    Row("NUL in a value", "9110, 5.5", GET + b"X: a\x00b\r\n\r\n", 400),
    Row("control character in a value", "9110, 5.5", GET + b"X: a\x01b\r\n\r\n", 400),
    Row("bare CR in a value", "9110, 5.5", GET + b"X: a\rb\r\n\r\n", 400),
    Row("bare LF behind a value", "9112, 2.2", GET + b"X: a\nY: b\r\n\r\n", 400),
    Row("bare LF ends the head", "9112, 2.2", GET + b"\n", 400),
    Row("obs-text in a value", "9110, 5.5", GET + b"X: \xe9\r\n\r\n", get()),
    # Content-Length
    Row("body with a length", "9112, 6.2", POST + b"Content-Length: 3\r\n\r\nabc", post(b"abc")),
    Row("GET with a body", "9110, 9.3.1", GET + b"Content-Length: 3\r\n\r\nabc", (("GET", "/", "a", b"abc"),)),
    Row("conflicting lengths", "9112, 6.3", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    Row("equal lengths, two lines", "9112, 6.3", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    Row("equal lengths, one line", "9112, 6.3", POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    Row("empty length", "9112, 6.2", POST + b"Content-Length:\r\n\r\n", 400),
    Row("length with a sign", "9112, 6.2", POST + b"Content-Length: +3\r\n\r\nabc", 400),
    Row("negative length", "9112, 6.2", POST + b"Content-Length: -1\r\n\r\n", 400),
    Row("hexadecimal length", "9112, 6.2", POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    Row("length with a space inside", "9112, 6.2", POST + b"Content-Length: 1 1\r\n\r\na", 400),
    Row("length with an underscore", "9112, 6.2", POST + b"Content-Length: 1_0\r\n\r\n0123456789", 400),
    Row("length over 64 bits", "9112, 6.3", POST + b"Content-Length: 18446744073709551616\r\n\r\n", 400),
    # Transfer-Encoding
    Row("chunked body", "9112, 7.1", CHUNKED + b"3\r\nabc\r\n" + LAST, post(b"abc")),
    Row("coding name in capitals", "9112, 7", POST + b"Transfer-Encoding: CHUNKED\r\n\r\n" + LAST, post(b"")),
    Row("length before coding", "9112, 6.3", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST, 400),
    Row("coding before length", "9112, 6.3", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + LAST, 400),
    Row("chunked twice, two lines", "9112, 6.1", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST, 400),
    Row("chunked twice, one line", "9112, 6.1", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + LAST, 400),
    Row("chunked not last", "9112, 6.3", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + LAST, 400),
    Row("gzip, chunked", "9112, 6.1", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST, 501),
    Row("identity", "9112, 6.3", POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    Row("unknown coding", "9112, 6.1", POST + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST, 501),
    Row("empty coding", "9112, 6.1", POST + b"Transfer-Encoding:\r\n\r\n" + LAST, 400),
    Row("coding behind a vertical tab", "9112, 6.1", POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + LAST, 400),
    Row("coding with a space before the colon", "9112, 5.1", POST + b"Transfer-Encoding : chunked\r\n\r\n" + LAST, 400),
    Row("coding in HTTP/1.0", "9112, 6.1", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST, 400),
    # chunks
    Row("chunk extension", "9112, 7.1.1", CHUNKED + b"1;a=b\r\nx\r\n" + LAST, post(b"x")),
    Row("space behind the chunk size", "9112, 7.1.1", CHUNKED + b"1 \r\nx\r\n" + LAST, 400),
    Row("chunk size with 0x", "9112, 7.1", CHUNKED + b"0x1\r\nx\r\n" + LAST, 400),
    Row("chunk size with a sign", "9112, 7.1", CHUNKED + b"+1\r\nx\r\n" + LAST, 400),
    Row("negative chunk size", "9112, 7.1", CHUNKED + b"-1\r\nx\r\n" + LAST, 400),
    Row("no chunk size", "9112, 7.1", CHUNKED + b"\r\nx\r\n" + LAST, 400),
    Row("chunk size over 64 bits", "9112, 7.1", CHUNKED + b"10000000000000001\r\nx\r\n" + LAST, 400),
    Row("bare LF behind the chunk size", "9112, 2.2", CHUNKED + b"1\nx\r\n" + LAST, 400),
    Row("bare LF behind the chunk", "9112, 2.2", CHUNKED + b"1\r\nx\n" + LAST, 400),
    Row("chunk longer than its size", "9112, 7.1", CHUNKED + b"1\r\nxy\r\n" + LAST, 400),
    Row("line feed in a chunk extension", "9112, 7.1.1", CHUNKED + b"1;a=\"\n\"\r\nx\r\n" + LAST, 400),
    Row("trailers", "9112, 7.1.2", CHUNKED + b"1\r\nx\r\n0\r\nX-T: 1\r\n\r\n", post(b"x")),
    Row("folded trailer", "9112, 5.2", CHUNKED + b"0\r\nX-T: 1\r\n 2\r\n\r\n", 400),
    Row("Content-Length as a trailer", "9110, 6.5.1", CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n", 400),
    Row("Transfer-Encoding as a trailer", "9110, 6.5.1", CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    Row("bare LF ends the trailers", "9112, 2.2", CHUNKED + b"0\r\n\n", 400),
    # what follows
    Row("two requests", "9112, 9.3.2", GET + END + GET + END, get() + get()),
    Row("request behind a body", "9112, 9.3.2", POST + b"Content-Length: 1\r\n\r\nx" + GET + END, post(b"x") + get()),
    Row("request behind chunks", "9112, 9.3.2", CHUNKED + LAST + GET + END, post(b"") + get()),
    Row("CL.0: a body without framing is the next request", "9112, 6.3", POST + b"\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", post(b"") + get("/x")),
    # other fields that decide
    Row("Expect: 100-continue", "9110, 10.1.1", POST + b"Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx", post(b"x")),
    Row("other expectation", "9110, 10.1.1", POST + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", 417),
    Row("upgrade with a body", "9110, 7.8", POST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx" + GET + END, post(b"x") + get()),
    Row("upgrade with chunks", "9110, 7.8", POST + b"Connection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n" + LAST + GET + END, post(b"x") + get()),
    Row("upgrade in HTTP/1.0", "9110, 7.8", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", get()),
    Row("upgrade to h2c", "9113, 3.1", GET + b"Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n" + GET + END, get() + get()),
)  # fmt: skip
