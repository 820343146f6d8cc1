"""Error answers: which template, which content type, what is escaped (gateway-core 3.13).

Templates are Go templates in Tyk. Ours may use `{{.Message}}`, `{{.StatusCode}}` and comments;
anything else is refused when they are loaded, because a page that shows half of itself helps
nobody. The built-in pages are the ones Tyk ships.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from propylon.config.model import Config
from propylon.errors import ConfigError, Refusal
from propylon.http.headers import Headers
from propylon.http.message import Request, Response
from propylon.observe.logs import get_logger

log = get_logger("templates")

_JSON = b"application/json"
_XML_TYPES = frozenset({b"application/xml", b"text/xml", b"application/soap+xml"})

_BUILT_IN_JSON = '{\n    "error": "{{.Message}}"\n}'
_BUILT_IN_XML = '<?xml version = "1.0" encoding = "UTF-8"?>\n<error>{{.Message}}</error>\n'

_ACTION = re.compile(r"\{\{(?P<ltrim>- )?(?P<body>.*?)(?P<rtrim> -)?\}\}", re.DOTALL)
_COMMENT = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)

# What Go's text/template calls a JavaScript string escape, reduced to what JSON demands.
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x20)} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\b"): "\\b",
    ord("\f"): "\\f",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}


def _escape_json(message: str) -> str:
    return message.translate(_JSON_ESCAPES)


def _escape_xml(message: str) -> str:
    # The entities are those of Go's html/template, which also escapes `+`.
    escaped = html.escape(message, quote=False)
    return escaped.replace('"', "&#34;").replace("'", "&#39;").replace("+", "&#43;")


@dataclass(frozen=True, slots=True)
class _Template:
    """Pieces of text, with `Message` or `StatusCode` between them."""

    pieces: tuple[tuple[str, str], ...]
    "(literal text, name of the field after it or an empty string)"
    escape: Callable[[str], str]

    def render(self, status: int, message: str) -> bytes:
        fields = {"": "", "Message": self.escape(message), "StatusCode": str(status)}
        text = "".join([literal + fields[name] for literal, name in self.pieces])
        return text.encode("utf-8", "replace")


class ErrorPages:
    """All templates of a gateway, ready to render."""

    __slots__ = ("_own_headers", "_templates")

    def __init__(
        self, templates: dict[str, _Template], own_headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self._templates = templates
        self._own_headers = own_headers

    def __repr__(self) -> str:
        return f"<ErrorPages {', '.join(sorted(self._templates))}>"

    @classmethod
    def load(cls, config: Config) -> ErrorPages:
        """Read `error*.json` and `error*.xml` from `template_path`; without any, the built-in ones.

        Raises `ConfigError` for a file that cannot be read or uses more than we support.
        """
        templates = _read_directory(config.template_path) if config.template_path else {}
        if not templates:
            if config.template_path:
                log.info(
                    "no error templates found, using the built-in ones",
                    template_path=config.template_path,
                )
            templates["error.xml"] = parse_template(_BUILT_IN_XML, "error.xml")
        templates.setdefault("error.json", parse_template(_BUILT_IN_JSON, "error.json"))
        own: list[tuple[bytes, bytes]] = []
        if not config.hide_generator_header:
            own.append((b"X-Generator", b"tyk.io"))
        if config.close_connections:
            own.append((b"Connection", b"close"))
        return cls(templates, tuple(own))

    def render(self, refusal: Refusal, request: Request) -> Response:
        """Make the answer for a refused request, in the format of the request's own body."""
        template, content_type = self._choose(refusal.status, request)
        headers = Headers(refusal.headers)
        if not (refusal.keep_content_type and b"Content-Type" in headers):
            headers.set(b"Content-Type", content_type)
        for name, value in self._own_headers:
            headers.set(name, value)
        return Response(refusal.status, headers, template.render(refusal.status, refusal.message))

    def _choose(self, status: int, request: Request) -> tuple[_Template, bytes]:
        sent = request.headers.get(b"Content-Type")
        sent = b"" if sent is None else sent.partition(b";")[0].strip().lower()
        templates = self._templates
        if sent in _XML_TYPES:
            found = templates.get(f"error_{status}.xml") or templates.get("error.xml")
            if found is not None:
                return found, sent
            return templates["error.json"], _JSON
        return templates.get(f"error_{status}.json") or templates["error.json"], _JSON


def not_found() -> Response:
    """The answer when no API matches (gateway-core 3.2, 4); no template, no generator."""
    return plain_text(404, "Not Found")


def plain_text(status: int, text: str) -> Response:
    headers = Headers([(b"Content-Type", b"text/plain; charset=utf-8")])
    return Response(status, headers, text.encode("utf-8"))


def parse_template(text: str, name: str, *, source: str = "") -> _Template:
    """Parse one template; the extension of `name` decides how messages are escaped."""
    pieces: list[tuple[str, str]] = []
    end = 0
    trims = False
    for action in _ACTION.finditer(text):
        literal = text[end : action.start()]
        literal = literal.lstrip() if trims else literal
        literal = literal.rstrip() if action["ltrim"] else literal
        trims = action["rtrim"] is not None
        pieces.append((literal, _field_of(action, text, source or name)))
        end = action.end()
    rest = text[end:]
    if "{{" in rest:
        line = text.count("\n", 0, end + rest.index("{{")) + 1
        raise ConfigError(f"line {line}: unclosed action", source=source or name)
    pieces.append((rest.lstrip() if trims else rest, ""))
    return _Template(tuple(pieces), _escape_xml if name.endswith(".xml") else _escape_json)


def _field_of(action: re.Match[str], text: str, source: str) -> str:
    body = action["body"]
    if _COMMENT.fullmatch(body):
        return ""
    name = body.strip()
    if name in (".Message", ".StatusCode"):
        return name[1:]
    line = text.count("\n", 0, action.start()) + 1
    raise ConfigError(
        f"line {line}: {action.group()} is not supported,"
        " expected {{.Message}} or {{.StatusCode}}",
        source=source,
    )


def _read_directory(template_path: str) -> dict[str, _Template]:
    templates: dict[str, _Template] = {}
    for path in sorted(Path(template_path).glob("error*")):
        if path.suffix not in (".json", ".xml") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the template: {error}", source=str(path)) from error
        templates[path.name] = parse_template(text, path.name, source=str(path))
    return templates
