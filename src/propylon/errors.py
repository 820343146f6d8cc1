"""The error tree: every failure the gateway knows by name.

`ConfigError` and its kin stop a build and say which file, path and value; `Refusal` ends one
request with the documented status and message. Everything else that escapes is a bug and becomes
a 500 at the outermost edge of the request.
"""

from __future__ import annotations

from collections.abc import Sequence


class PropylonError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(PropylonError):
    """A configuration that cannot be used.

    `source` names the file or environment variable, `path` the JSON path inside it (`$.proxy`),
    and the message says the offending value and what was expected.
    """

    exit_code = 78  # EX_CONFIG of sysexits.h

    def __init__(self, message: str, *, source: str = "", path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.path = path

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.source, self.path) if part)
        return f"{where}: {self.message}" if where else self.message


class DefinitionError(ConfigError):
    """An API definition that cannot be served; the other definitions are not concerned."""


class Refusal(PropylonError):  # noqa: N818 - it is an answer, not a fault
    """End this request with an error answer, rendered by the error templates (gateway-core 3.13).

    `headers` are set on the answer before the template's own; `keep_content_type` keeps a
    `Content-Type` given there. `reason` is for the log only and never reaches the client.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        keep_content_type: bool = False,
        reason: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        self.keep_content_type = keep_content_type
        self.reason = reason


class PluginError(PropylonError):
    """A plugin failed: it threw, timed out, died or answered nonsense.

    The steps that call plugins translate it into the `Refusal` their driver documents. The message
    is for the plugin's author: file, line, hook, API and what to do.
    """
