"""One process that runs JavaScript calls which may take long: `python -m` this module.

It reads calls on stdin and answers on stdout, one at a time. It ends with its stdin, and the
kernel's alarm ends it when a native operation outlives the deadline, parent or no parent.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import OrderedDict
from typing import BinaryIO

from propylon.plugins.javascript.engine import EngineLimits, OutOfMemory, ScriptTimeout
from propylon.plugins.javascript.runtime import ProgramRunner, RuntimeShelf
from propylon.plugins.javascript.wire import (
    HEADER,
    MAX_PROGRAMS,
    CallMessage,
    ReplyMessage,
    decode_call,
    frame,
)

# The gateway kills at its own deadline; this is for a process whose gateway is gone.
_ALARM_GRACE_SECONDS = 1.0


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the gateway
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    runners: OrderedDict[str, ProgramRunner] = OrderedDict()
    shelf = RuntimeShelf(MAX_PROGRAMS)
    while message := _read(source):
        signal.setitimer(signal.ITIMER_REAL, message.seconds + _ALARM_GRACE_SECONDS)
        reply = _serve(message, runners, shelf)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sink.write(frame(reply))
        sink.flush()


def _read(source: BinaryIO) -> CallMessage | None:
    head = source.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    (size,) = HEADER.unpack(head)
    data = source.read(size)
    return decode_call(data) if len(data) == size else None


def _serve(
    message: CallMessage, runners: OrderedDict[str, ProgramRunner], shelf: RuntimeShelf
) -> ReplyMessage:
    runner = runners.get(message.key)
    if runner is None:
        assert message.program is not None, "the gateway knows what this process has loaded"
        limits = EngineLimits(message.memory_bytes, message.stack_bytes)
        runner = runners[message.key] = ProgramRunner(
            message.program, limits, shelf, is_guarded=False
        )
        if len(runners) > MAX_PROGRAMS:
            runners.popitem(last=False)[1].close()
    started = time.monotonic()
    try:
        answer = runner.call(message.ref, message.pending, message.seconds)
    except ScriptTimeout:
        return ReplyMessage(failure="timeout")
    except OutOfMemory:
        return ReplyMessage(failure="memory")
    except Exception as error:  # the edge of this process: one call fails, the next ones go on
        runner.close()
        return ReplyMessage(failure="script", message=str(error))
    return ReplyMessage(answer=answer, seconds=time.monotonic() - started)


if __name__ == "__main__":
    main()
