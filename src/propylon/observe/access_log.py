"""One line per request: who asked what, who answered, how long each part took (gateway-core 10.4).

The line is written whatever `log_level` says: the operator switched it on by name. `template`
selects fields; without one every field is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from propylon.config.model import Config
from propylon.errors import Refusal
from propylon.observe.formats import LineFormat, escape_controls, format_named, rfc3339_clock
from propylon.observe.line_writer import LineWriter
from propylon.observe.logs import STDERR, current_sink, get_logger
from propylon.pipeline.exchange import Exchange

PREFIX = "access-log"

# What Tyk can name and this gateway has nothing to say about yet: silent in a template.
_NEVER_KNOWN = frozenset(
    {
        "circuit_breaker_state",
        "error_source",
        "error_target",
        "mcp_error_code",
        "mcp_method",
        "mcp_primitive_name",
        "mcp_primitive_type",
        "tls_cert_expiry",
        "tls_cert_subject",
        "trace_id",
    }
)

# `response_flag` and `response_code_details` by the message that the client got (5.2, 3.12).
_FLAGS = {
    "Authorization field missing": ("AMF", "auth_field_missing"),
    "Auth field missing": ("AMF", "auth_field_missing"),
    "Access to this API has been disallowed": ("AKI", "auth_key_not_found"),
    "Key not authorised": ("EAD", "external_auth_denied"),
    "Key has expired, please renew": ("TKE", "auth_key_expired"),
    "Rate limit exceeded": ("RLT", "session_rate_limited"),
    "API Rate limit exceeded": ("RLT", "api_rate_limited"),
    "Quota exceeded": ("QEX", "quota_exceeded"),
    "Request Entity Too Large": ("BTL", "body_too_large"),
    "Request is too large": ("BTL", "body_too_large"),
    "Content length is required": ("CLM", "content_length_missing"),
    "Upstream service reached hard timeout.": ("URT", "upstream_response_timeout"),
    "Upstream host lookup failed": ("DNS", "dns_resolution_failed"),
    "Service temporarily unavailable": ("NHU", "no_healthy_upstream"),
    "All hosts are down": ("NHU", "no_healthy_upstream"),
    "There was a problem proxying the request": ("UPE", "upstream_error"),
}

Value = str | int | float | list[dict[str, Any]]
Reader = Callable[[Exchange, float], Value]


class AccessLog:
    """Writes the line of each answered request. Made once per worker, called on its event loop."""

    def __init__(
        self, readers: tuple[tuple[str, Reader], ...], write: Callable[[dict[str, Value]], None]
    ) -> None:
        self._readers = readers
        self._write = write

    @classmethod
    def from_config(cls, config: Config, writer: LineWriter | None = None) -> AccessLog | None:
        """Return the access log, or None when it is off.

        It shares the writer that `logs.configure` made for this process unless one is given.
        """
        if not config.access_logs.enabled:
            return None
        if writer is None:
            sink = current_sink()
            writer = sink.writer if sink is not None else LineWriter(STDERR)
        readers = _select(tuple(config.access_logs.template), config)
        return cls(readers, _writing(config.log_format, writer))

    def log(self, exchange: Exchange, now: float | None = None) -> None:
        """Write the line of `exchange`; call it when the last byte of the answer has been sent.

        `now` is on the clock of `exchange.started_at`, which is `time.monotonic`.
        """
        total_ms = ((time.monotonic() if now is None else now) - exchange.started_at) * 1000.0
        fields: dict[str, Value] = {}
        for name, read in self._readers:
            value = read(exchange, total_ms)
            if value != "":
                fields[name] = value
        self._write(fields)


def _writing(log_format: str, writer: LineWriter) -> Callable[[dict[str, Value]], None]:
    if log_format == "json":
        return _JsonLine(writer).write
    line_format: LineFormat = format_named(log_format)

    def write(fields: dict[str, Value]) -> None:
        writer.write(line_format("info", "access", {"prefix": PREFIX, **fields}))

    return write


class _JsonLine:
    """The general JSON format without its generality: half the cost per line."""

    __slots__ = ("_clock", "_encode", "_writer")

    def __init__(self, writer: LineWriter) -> None:
        self._clock = rfc3339_clock()
        self._encode = msgspec.json.Encoder().encode
        self._writer = writer

    def write(self, fields: dict[str, Value]) -> None:
        head = (
            f'{{"time":"{self._clock.millisecond(time.time())}","level":"info",'
            f'"message":"access","prefix":"{PREFIX}"'
        )
        rest = escape_controls(self._encode(fields))
        # `rest` is an object: its brace becomes the comma after our head.
        comma = b"," if len(rest) > 2 else b""
        self._writer.write(b"%b%b%b\n" % (head.encode(), comma, rest[1:]))


def _select(template: tuple[str, ...], config: Config) -> tuple[tuple[str, Reader], ...]:
    readers = _readers(config)
    if not template:
        return tuple(readers.items())
    unknown = [name for name in template if name not in readers and name not in _NEVER_KNOWN]
    for name in unknown:
        get_logger(PREFIX).warning("unknown field in access_logs.template", field=name)
    return tuple((name, readers[name]) for name in dict.fromkeys(template) if name in readers)


def _readers(config: Config) -> dict[str, Reader]:
    """Every field, in the order of a full line."""
    return {
        "request_id": lambda exchange, _: exchange.id,
        "api_id": _api_id,
        "api_name": _api_name,
        "org_id": _org_id,
        "api_type": _api_type,
        "api_key": _plain_key if config.enable_key_logging else _obfuscated_key,
        "method": lambda exchange, _: exchange.request.method,
        "host": lambda exchange, _: exchange.request.host,
        "original_path": lambda exchange, _: exchange.request.request_uri.partition("?")[0],
        "path": lambda exchange, _: exchange.request.path,
        "protocol": lambda exchange, _: "HTTP/" + exchange.request.http_version,
        "status": _status,
        "bytes": lambda exchange, _: exchange.bytes_sent,
        "client_ip": lambda exchange, _: exchange.client_ip or exchange.request.peer_host,
        "remote_addr": lambda exchange, _: exchange.request.peer_host,
        "user_agent": _user_agent,
        "latency_total": lambda _, total_ms: _thousandths(total_ms),
        "latency_gateway": lambda exchange, total_ms: _thousandths(
            max(total_ms - exchange.upstream_seconds * 1000.0, 0.0)
        ),
        "upstream_latency": lambda exchange, _: _thousandths(exchange.upstream_seconds * 1000.0),
        "upstream_addr": lambda exchange, _: exchange.upstream_address,
        "upstream_status": _upstream_status,
        "hooks": _hooks,
        "response_flag": lambda exchange, _: _flag(exchange)[0],
        "response_code_details": lambda exchange, _: _flag(exchange)[1],
        "error": _error,
    }


def _api_id(exchange: Exchange, _: float) -> str:
    return exchange.definition.api_id if exchange.definition is not None else ""


def _api_name(exchange: Exchange, _: float) -> str:
    return exchange.definition.name if exchange.definition is not None else ""


def _org_id(exchange: Exchange, _: float) -> str:
    return exchange.definition.org_id if exchange.definition is not None else ""


def _api_type(exchange: Exchange, _: float) -> str:
    if exchange.definition is None:
        return ""
    return "oas" if exchange.definition.is_oas else "classic"


def _plain_key(exchange: Exchange, _: float) -> str:
    return exchange.session.key_id if exchange.session is not None else ""


def _obfuscated_key(exchange: Exchange, _: float) -> str:
    key = exchange.session.key_id if exchange.session is not None else ""
    if not key:
        return ""
    return "****" + key[-4:] if len(key) > 4 else "----"


def _status(exchange: Exchange, _: float) -> int:
    """The status sent, or what stands for a client that left before there was one."""
    if exchange.response is not None:
        return exchange.response.status
    return CLIENT_CLOSED_REQUEST if exchange.client_gone else 0


def _upstream_status(exchange: Exchange, _: float) -> Value:
    if exchange.upstream_address and exchange.refusal is None and exchange.response is not None:
        return exchange.response.status
    return ""


def _user_agent(exchange: Exchange, _: float) -> str:
    value = exchange.request.headers.get(b"User-Agent")
    return value.decode("latin-1") if value is not None else ""


def _hooks(exchange: Exchange, _: float) -> Value:
    if not exchange.hook_timings:
        return ""
    return [
        {
            "name": timing.hook,
            "ms": _thousandths(timing.seconds * 1000.0),
            "outcome": timing.outcome,
        }
        for timing in exchange.hook_timings
    ]


def _thousandths(milliseconds: float) -> float:
    """Round to microseconds; `round(x, 3)` costs five times as much, five times a line."""
    return int(milliseconds * 1000.0 + 0.5) / 1000.0


def _error(exchange: Exchange, _: float) -> str:
    refusal = exchange.refusal
    if refusal is None:
        return ""
    if isinstance(refusal, Refusal):
        return refusal.reason or refusal.message
    return f"{type(refusal).__name__}: {refusal}"


def _flag(exchange: Exchange) -> tuple[str, str]:
    """Classify what went wrong; two empty strings when nothing did."""
    if exchange.client_gone:
        return "CDC", "client_disconnected"
    refusal = exchange.refusal
    if isinstance(refusal, Refusal):
        return _FLAGS.get(refusal.message, _NO_FLAG)
    if exchange.response is None or exchange.response.status < 400:
        return _NO_FLAG
    if exchange.definition is None and exchange.response.status == 404:
        return "NRH", "no_route"
    if exchange.upstream_address and exchange.response.status >= 500:
        return "URS", "upstream_response_status"
    return _NO_FLAG


# nginx's number, which Tyk records as well (gateway-core 3.12).
CLIENT_CLOSED_REQUEST = 499

_NO_FLAG = ("", "")
