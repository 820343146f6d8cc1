"""One request and its answer, from the first byte in to the last byte out.

Everything a step or a plugin host may know about the request hangs here; the API's chain does not,
because steps are built per API and hold what they need. The lease keeps the snapshot alive under
which the exchange began, so a reload never changes the rules for a request in flight.
"""

from __future__ import annotations

from typing import Protocol

from propylon.apis.definition import ApiDefinition
from propylon.http.message import Request, Response
from propylon.pipeline.session import Session


class Lease(Protocol):
    """What keeps the snapshot of an exchange alive; released exactly once, at its end."""

    def release(self) -> None: ...


class HookTiming:
    """How long one hook took and how it ended, for the access log and traces."""

    __slots__ = ("hook", "outcome", "seconds")

    def __init__(self, hook: str, seconds: float, outcome: str) -> None:
        self.hook = hook
        self.seconds = seconds
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"{self.hook}={self.seconds * 1000:.3f}ms({self.outcome})"


class Exchange:
    """The state of one request. Made by the client connection, owned by it until it is answered.

    `id` identifies the request in logs and for plugins. `session` is None until an authentication
    step sets it; `is_ignored` is set where authentication is waived (3.6 `ignored`).
    `rewritten_url` is a target parked by a rewrite for the proxy step (absolute or origin form),
    `target_override` is another upstream for this version, `upstream_timeout` the seconds it has.
    `version` is the key in `version_data.versions` that the version check chose.
    `client_headers` are set on whatever answer leaves (CORS, version expiry).
    """

    __slots__ = (
        # from the connection, for the whole life
        "id",
        "request",
        "lease",
        "started_at",
        # set once by the router
        "definition",
        "matched_prefix",
        # set by steps for later steps
        "client_headers",
        "client_ip",
        "is_ignored",
        "rewritten_url",
        "session",
        "target_override",
        "upstream_timeout",
        "version",
        # set while answering
        "response",
        # observation
        "bytes_sent",
        "client_gone",
        "hook_timings",
        "refusal",
        "upstream_address",
        "upstream_seconds",
    )

    def __init__(self, request: Request, *, id: str, started_at: float) -> None:  # noqa: A002
        self.id = id
        self.request = request
        self.lease: Lease | None = None
        self.started_at = started_at

        self.definition: ApiDefinition | None = None
        self.matched_prefix = ""

        self.client_headers: list[tuple[bytes, bytes]] | None = None
        self.client_ip: str | None = None
        self.is_ignored = False
        self.rewritten_url: str | None = None
        self.session: Session | None = None
        self.target_override: str | None = None
        self.upstream_timeout: float | None = None
        self.version = ""

        self.response: Response | None = None

        self.bytes_sent = 0
        self.client_gone = False
        self.hook_timings: list[HookTiming] | None = None
        self.refusal: Exception | None = None
        self.upstream_address = ""
        self.upstream_seconds = 0.0

    def __repr__(self) -> str:
        return f"<Exchange {self.id} {self.request!r} -> {self.response!r}>"

    def set_client_header(self, name: bytes, value: bytes) -> None:
        """Put a header on the answer to the client, whoever makes that answer."""
        if self.client_headers is None:
            self.client_headers = []
        self.client_headers.append((name, value))

    def record_hook(self, hook: str, seconds: float, outcome: str) -> None:
        """Note what one hook call took; `outcome` is `ok`, `answered`, `failed` or `timeout`."""
        if self.hook_timings is None:
            self.hook_timings = []
        self.hook_timings.append(HookTiming(hook, seconds, outcome))
