"""The command line that starts a plugin so that it cannot outlive the gateway.

Linux kills a process when its parent dies if it asks for that (`PR_SET_PDEATHSIG`). The request
must come from the child and survives exec, so a small interpreter asks and then becomes the
plugin. Running Python between fork and exec of a threaded gateway would be unsafe; this is not.
It also closes what it inherited: uvloop leaves copies of the pipes open in the child, and a pipe
with a copy has no end when the plugin closes its own.
Elsewhere the plugin notices the end of its stdin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_INHERITED = ("PATH", "HOME", "LANG")
# TYK_GW_* configures the gateway and holds its secrets, which are no business of a plugin.
_OWN_PREFIX = "TYK_GW_"

_PROGRAM = f"""
import ctypes, os, signal, sys
for fd in map(int, os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ()):
    try:
        if fd > 2:
            os.close(fd)
    except OSError:
        pass  # the one that listed them
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the gateway ended before its plugin started")
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"ERROR cannot run {{sys.argv[2]!r}}: {{error.strerror}}")
"""


def launch_command(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command`, bound to the life of this process on Linux."""
    if not sys.platform.startswith("linux"):
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, str(os.getpid()), *command]


def plugin_environment(gateway: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a plugin."""
    kept = {
        name: value
        for name, value in gateway.items()
        if name in _INHERITED or (name.startswith("TYK_") and not name.startswith(_OWN_PREFIX))
    }
    return {**kept, **added}
