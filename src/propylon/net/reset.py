"""End a connection so that its peer can tell it from an orderly end."""

from __future__ import annotations

import asyncio
import struct
from socket import SO_LINGER, SOL_SOCKET


def reset(transport: asyncio.Transport) -> None:
    """Close at once with a TCP reset; what was not sent is dropped.

    For a body that the end of the connection would end: an end of file would make a cut one look
    whole. An abort alone is no reset, the kernel says FIN for it.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
