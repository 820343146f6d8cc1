"""Why a gateway could not start, apart from its configuration."""

from __future__ import annotations

from propylon.errors import PropylonError

EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits.h: something we need is not to be had
EXIT_SOFTWARE = 70  # EX_SOFTWARE: the fault is ours


class StartError(PropylonError):
    """The start failed; the message is the one line that the operator sees."""

    def __init__(self, message: str, *, exit_code: int = EXIT_UNAVAILABLE) -> None:
        super().__init__(message)
        self.exit_code = exit_code
