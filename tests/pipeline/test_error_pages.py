"""Error answers, byte for byte (gateway-core 3.13)."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propylon.config.model import Config
from propylon.errors import ConfigError, Refusal
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.pipeline.error_pages import ErrorPages, not_found


def pages(template_path: Path | str = "", **values: object) -> ErrorPages:
    return ErrorPages.load(msgspec.convert({"template_path": str(template_path), **values}, Config))


def request(content_type: bytes = b"") -> Request:
    return Request("GET", "/", Headers([(b"Content-Type", content_type)] if content_type else []))


def body(response: Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def test_row_057_built_in_json() -> None:
    answer = pages().render(Refusal(403, "Access denied"), request())
    assert answer.status == 403
    assert body(answer) == b'{\n    "error": "Access denied"\n}'
    assert not answer.runs_response_chain


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"application/xml", b"application/xml"),
        (b"Text/XML; charset=utf-8", b"text/xml"),
        (b"application/soap+xml", b"application/soap+xml"),
    ],
)
def test_row_058_built_in_xml(sent: bytes, answered: bytes) -> None:
    answer = pages().render(Refusal(400, 'a<b & "c"'), request(sent))
    assert answer.headers.get_all(b"Content-Type") == [answered]
    assert body(answer) == (
        b'<?xml version = "1.0" encoding = "UTF-8"?>\n<error>a&lt;b &amp; &#34;c&#34;</error>\n'
    )


@pytest.mark.parametrize("sent", [b"", b"text/html", b"application/json", b"xml"])
def test_everything_else_is_json(sent: bytes) -> None:
    answer = pages().render(Refusal(400, "no"), request(sent))
    assert answer.headers.get_all(b"Content-Type") == [b"application/json"]


def test_row_059_status_template_is_preferred(tmp_path: Path) -> None:
    (tmp_path / "error.json").write_text('{"e": "{{ .Message }}"}')
    (tmp_path / "error_404.json").write_text("{{.StatusCode}}: {{- .Message -}} !")
    (tmp_path / "error_404.xml").write_text("<e>{{/* note */}}{{.Message}}</e>")
    custom = pages(tmp_path)
    assert body(custom.render(Refusal(403, "x"), request())) == b'{"e": "x"}'
    assert body(custom.render(Refusal(404, "x"), request())) == b"404:x!"
    assert body(custom.render(Refusal(404, "x"), request(b"text/xml"))) == b"<e>x</e>"
    fallen_back = custom.render(Refusal(403, "x"), request(b"text/xml"))
    assert body(fallen_back) == b'{"e": "x"}'
    assert fallen_back.headers.get(b"Content-Type") == b"application/json"


def test_row_060_generator_header() -> None:
    assert pages().render(Refusal(400, ""), request()).headers.get(b"X-Generator") == b"tyk.io"
    hidden = pages(hide_generator_header=True, close_connections=True)
    headers = hidden.render(Refusal(400, ""), request()).headers
    assert b"X-Generator" not in headers
    assert headers.get(b"Connection") == b"close"


def test_headers_of_the_refusal_come_first() -> None:
    sent = [(b"Www-Authenticate", b"Basic"), (b"Content-Type", b"text/plain")]
    plain = pages().render(Refusal(401, "", headers=sent), request())
    assert plain.headers.items[0] == (b"Www-Authenticate", b"Basic")
    assert plain.headers.get_all(b"Content-Type") == [b"application/json"]
    kept = pages().render(Refusal(401, "", headers=sent, keep_content_type=True), request())
    assert kept.headers.get_all(b"Content-Type") == [b"text/plain"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("ok\n{{ .Error }}", 2), ("{{if .Message}}x{{end}}", 1), ("\n\n{{.Message", 3)],
)
def test_unknown_actions_name_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "error.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"line {line}: ") as failure:
        pages(tmp_path)
    assert failure.value.source == str(path)


def test_a_folder_without_templates_gives_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "monitor_template.json").write_text("{{range .}}")
    for path in (tmp_path, tmp_path / "absent"):
        answer = pages(path).render(Refusal(400, "x"), request())
        assert body(answer) == b'{\n    "error": "x"\n}'


@given(st.text(st.characters(blacklist_categories=("Cs",))))
def test_any_message_gives_json_that_says_it(message: str) -> None:
    answer = pages().render(Refusal(400, message), request())
    assert json.loads(body(answer)) == {"error": message}


def test_row_028_not_found() -> None:
    answer = not_found()
    assert (answer.status, answer.body) == (404, b"Not Found")
    assert answer.headers.items == [(b"Content-Type", b"text/plain; charset=utf-8")]
