"""Structured logging: one logger per part of the gateway, bound to its `prefix`.

`configure` chooses format and level once per process (gateway-core 10.3). Before that, and in unit
tests, structlog's own defaults apply. structlog's configuration is the one place where a process
keeps its log; nothing else is global here.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Protocol

import structlog

from propylon.observe.formats import LineFormat, format_named
from propylon.observe.line_writer import LineWriter

STDERR = 2

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

# structlog passes the method's name; logrus knows other words for some.
_LEVEL_NAMES = {"warn": "warning", "exception": "error", "critical": "fatal"}

_RAW = "_raw"


class LogSettings(Protocol):
    """The part of `Config` that concerns the log; everybody logs, so this file imports no model."""

    @property
    def log_level(self) -> str: ...

    @property
    def log_format(self) -> str: ...


def get_logger(prefix: str) -> Any:
    """Return the logger of one part of the gateway; `prefix` is what operators grep for."""
    return structlog.get_logger(prefix=prefix)


def write_raw(message: str) -> None:
    """Log `message` and a newline, nothing else: the `rawlog` of JavaScript plugins.

    No level applies. Control characters stay as the plugin wrote them, which is the contract.
    """
    structlog.get_logger().critical(message, **{_RAW: True})


def configure(config: LogSettings, *, descriptor: int = STDERR) -> LineWriter:
    """Send every log line of this process to `descriptor`, as `log_format` and `log_level` say.

    Called once per process. The caller closes the returned writer last, which flushes it; when it
    cannot, because the process ends by an uncaught exception, the exit does.
    """
    line_format = format_named(config.log_format)

    def drop_note(dropped: int) -> bytes:
        return line_format("warning", "log lines dropped", {"dropped": dropped, "prefix": "log"})

    writer = LineWriter(descriptor, drop_note=drop_note)
    atexit.register(writer.close)
    level = _LEVELS.get(config.log_level.lower(), logging.INFO)
    sink = LineSink(writer, line_format)
    structlog.configure(
        processors=[_describe_exception, _Render(line_format)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=sink,
        cache_logger_on_first_use=True,
    )
    _route_stdlib(level)
    _route_uncaught(writer)
    return writer


class LineSink:
    """Where rendered lines go; it is structlog's logger and, being shared, its factory as well."""

    def __init__(self, writer: LineWriter, line_format: LineFormat) -> None:
        self.writer = writer
        self.line_format = line_format

    def __call__(self, *_: object) -> LineSink:
        return self

    def __repr__(self) -> str:
        return f"<LineSink {self.writer!r}>"

    def msg(self, line: bytes) -> None:
        self.writer.write(line)

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


def current_sink() -> LineSink | None:
    """Return the sink that `configure` set, or None in a process without one."""
    sink = structlog.get_config()["logger_factory"]
    return sink if isinstance(sink, LineSink) else None


class _Render:
    """The last structlog processor: an event becomes one line."""

    def __init__(self, line_format: LineFormat) -> None:
        self._line_format = line_format

    def __call__(self, _: object, method: str, event: MutableMapping[str, Any]) -> bytes:
        message = str(event.pop("event", ""))
        if event.pop(_RAW, False):
            return message.encode("utf-8", "backslashreplace") + b"\n"
        return self._line_format(_LEVEL_NAMES.get(method, method), message, event)


def _describe_exception(
    _: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace `exc_info` by `error` (one line) and `traceback`."""
    exc_info = event.pop("exc_info", None)
    error = _exception_of(exc_info)
    if error is not None:
        event.setdefault("error", f"{type(error).__name__}: {error}")
        event["traceback"] = "".join(traceback.format_exception(error))
    return event


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


class _StdlibHandler(logging.Handler):
    """What libraries say through `logging` becomes a line like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log = get_logger(record.name)
            log.log(max(record.levelno, logging.DEBUG), record.getMessage(), exc_info=_info(record))
        except Exception:  # logging's own border: a bad format string ends here
            self.handleError(record)


def _info(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _route_stdlib(level: int) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _StdlibHandler):
            root.removeHandler(handler)
    root.addHandler(_StdlibHandler())
    # asyncio and others narrate at debug; their debug is of no use to an operator.
    root.setLevel(max(level, logging.INFO))
    logging.captureWarnings(True)


def _route_uncaught(writer: LineWriter) -> None:
    log = get_logger("main")

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        if writer.is_closed:
            # The log was flushed on the way out; the reason must be seen all the same.
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("uncaught exception", exc_info=error)

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        thread = args.thread.name if args.thread is not None else ""
        log.error("uncaught exception in a thread", thread=thread, exc_info=args.exc_value)

    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
