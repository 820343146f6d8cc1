"""Length-prefixed messages between the gateway and its JavaScript processes."""

from __future__ import annotations

import struct

import msgspec

from propylon.plugins.javascript.program import HookRef, Program
from propylon.plugins.javascript.runtime import Answer

HEADER = struct.Struct("!I")

# Programs a process keeps loaded; both sides count alike, so the gateway knows which to resend.
MAX_PROGRAMS = 64


class CallMessage(msgspec.Struct, frozen=True, tag="call"):
    """Run a hook. `program` is sent the first time a process meets this `key`."""

    key: str
    ref: HookRef
    pending: str
    seconds: float
    memory_bytes: int
    stack_bytes: int
    program: Program | None = None


class ReplyMessage(msgspec.Struct, frozen=True, tag="reply"):
    """`failure` is empty, `timeout`, `memory` or `script`; `seconds` is what the script took."""

    failure: str = ""
    message: str = ""
    answer: Answer | None = None
    seconds: float = 0.0


def frame(message: CallMessage | ReplyMessage) -> bytes:
    data = msgspec.msgpack.encode(message)
    return HEADER.pack(len(data)) + data


decode_call = msgspec.msgpack.Decoder(CallMessage).decode
decode_reply = msgspec.msgpack.Decoder(ReplyMessage).decode
