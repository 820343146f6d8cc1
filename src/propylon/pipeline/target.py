"""Where an API's requests go: its targets, and the URL that a request becomes there.

Pure text work (gateway-core 3.7, 3.9). All of it that does not depend on the request is done when
the snapshot is built.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from propylon.errors import DefinitionError

_DEFAULT_PORTS = {"http": 80, "https": 443}
# ws and wss are HTTP requests that end in an upgrade (gateway-core 3.7).
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class UpstreamTrust:
    """How an upstream's certificate is verified; equal values share one TLS context.

    Versions are Go's numbers (771 is TLS 1.2), 0 for the default.
    """

    skips_verification: bool = False
    ca_file: str = ""
    min_version: int = 0
    max_version: int = 0
    ciphers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One upstream base URL, taken apart.

    Compared by identity: it is the key under which its connections are found for each request.
    """

    scheme: str
    host: str
    port: int
    authority: str
    "What the Host field says: the URL's own spelling, port included if it was written."
    path: str
    query: str
    trust: UpstreamTrust = UpstreamTrust()

    @classmethod
    def parse(
        cls,
        url: str,
        trust: UpstreamTrust = UpstreamTrust(),
        *,
        path: str = "$.proxy.target_url",
    ) -> Target:
        """Read a target URL; `path` names its place in the definition for the error message."""
        text = url if "://" in url else f"http://{url}"
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise DefinitionError(f"{url!r} is not a URL: {error}", path=path) from error
        scheme = _SCHEMES.get(parts.scheme.lower())
        if scheme is None:
            raise DefinitionError(
                f"{url!r}: expected a target with http, https, ws or wss", path=path
            )
        if not parts.hostname:
            raise DefinitionError(f"{url!r} names no host", path=path)
        if not url.isascii() or any(c in url for c in " \r\n\t"):
            raise DefinitionError(f"{url!r}: write the URL percent-encoded", path=path)
        return cls(
            scheme=scheme,
            host=parts.hostname,
            port=port or _DEFAULT_PORTS[scheme],
            authority=parts.netloc.rpartition("@")[2],
            path=parts.path,
            query=parts.query,
            trust=trust,
        )

    def join(self, path: str, query: str, *, keeps_slash: bool) -> str:
        """Return the request target at this upstream for a path whose listen path is stripped.

        The table of gateway-core 3.7: base without its last slash, rest without its first.
        `keeps_slash` is `disable_strip_slash`: an empty rest leaves the target's path as written.
        """
        if keeps_slash and path in ("", "/"):
            joined = self.path or "/"
        else:
            base = self.path.removesuffix("/")
            rest = path.removeprefix("/")
            joined = f"{base}/{rest}" if rest or not base else base
        if self.query:
            query = f"{self.query}&{query}" if query else self.query
        return f"{joined}?{query}" if query else joined


class Balancer:
    """Round robin over the targets of an API (gateway-core 3.9)."""

    __slots__ = ("_turns", "targets")

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self._turns = itertools.cycle(self.targets)

    def pick(self) -> Target:
        return next(self._turns)
