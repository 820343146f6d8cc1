"""What a plugin writes to stderr: line by line into the gateway's log, bounded in rate and size.

Reading never stops, so a plugin that floods stderr is not blocked by it; what is over the rate is
counted, not logged.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Any

from propylon.observe.logs import get_logger

log = get_logger("coprocess")

MAX_LINE_BYTES = 64 * 1024
TAIL_LINES = 20

# A log line costs the gateway some 50 us; a plugin shall not spend more than a hundredth of a core.
_LINES_PER_SECOND = 100
_BURST_LINES = 400

_LEVELS = {
    b"DEBUG": "debug",
    b"INFO": "info",
    b"WARN": "warning",
    b"WARNING": "warning",
    b"ERROR": "error",
    b"FATAL": "error",
    b"CRITICAL": "error",
}


class LineLog:
    """Logs lines within a rate; shared by stderr and `Log` notifications of one child."""

    __slots__ = ("_budget", "_filled_at", "_suppressed", "plugin")

    def __init__(self, plugin: str) -> None:
        self.plugin = plugin
        self._budget = float(_BURST_LINES)
        self._filled_at = monotonic()
        self._suppressed = 0

    def has_room(self) -> bool:
        """Tell whether a line may be logged now; says so when lines were suppressed before."""
        now = monotonic()
        earned = (now - self._filled_at) * _LINES_PER_SECOND
        self._budget = min(self._budget + earned, _BURST_LINES)
        self._filled_at = now
        # Whole tenths of the burst, so that a flood is not logged one line at a time.
        if self._suppressed and self._budget < _BURST_LINES / 10:
            return False
        if self._budget < 1:
            return False
        if self._suppressed:
            log.warning("plugin output suppressed", plugin=self.plugin, lines=self._suppressed)
            self._suppressed = 0
        return True

    def write(self, level: str, message: str, fields: dict[str, Any] | None = None) -> None:
        """Log one line, or count it."""
        if not self.has_room():
            self._suppressed += 1
            return
        self._budget -= 1
        if fields:
            getattr(log, level)(message, plugin=self.plugin, fields=fields)
        else:
            getattr(log, level)(message, plugin=self.plugin)

    def skip(self, lines: int) -> None:
        self._suppressed += lines


class StderrLog:
    """Cuts stderr into lines. `tail` holds the last ones, for the report of an exit."""

    __slots__ = ("_lines", "_rest", "tail")

    def __init__(self, lines: LineLog) -> None:
        self._lines = lines
        self._rest = b""
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)

    def feed(self, data: bytes) -> None:
        chunk = self._rest + data
        if len(chunk) > MAX_LINE_BYTES and not self._lines.has_room():
            chunk = self._skip_flood(chunk)
        *lines, self._rest = chunk.split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            if line.strip():
                self._take(line[:MAX_LINE_BYTES])

    def finish(self) -> None:
        """Take the last line, which had no newline."""
        if self._rest.strip():
            self._take(self._rest)
        self._rest = b""

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self.tail.append(text)
        self._lines.write(level_of(line), text)

    def _skip_flood(self, chunk: bytes) -> bytes:
        """Count all but the last lines of a flood without looking at each."""
        cut = len(chunk)
        for _ in range(TAIL_LINES):
            found = chunk.rfind(b"\n", 0, cut)
            if found < 0:
                return chunk
            cut = found
        self._lines.skip(chunk.count(b"\n", 0, cut))
        return chunk[cut + 1 :]


def level_of(line: bytes) -> str:
    """Return the log level that a line names at its start, else `info`."""
    words = line[:16].split(maxsplit=1)
    return _LEVELS.get(words[0].strip(b"[]:").upper(), "info") if words else "info"
