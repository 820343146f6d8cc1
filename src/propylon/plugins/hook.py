"""The five places of the chain where code of our users runs, and what a host needs to fill one."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Protocol

from propylon.apis.definition import ApiDefinition
from propylon.pipeline.step import ResponseStep, Step


class HookType(enum.Enum):
    """Where a hook runs. The value is the name under which rich plugins know it."""

    PRE = "Pre"
    AUTH_CHECK = "CustomKeyCheck"
    POST_KEY_AUTH = "PostKeyAuth"
    POST = "Post"
    RESPONSE = "Response"


@dataclass(frozen=True, slots=True)
class Hook:
    """One entry of `custom_middleware`, in the order in which it runs within its type."""

    type: HookType
    name: str
    path: str = ""
    code: str = ""
    "Base64 source, JavaScript only; wins over `path`."
    require_session: bool = False
    raw_body_only: bool = False

    @property
    def label(self) -> str:
        """Name the hook in logs and timings: `pre:AddHeader`; the API stands beside it."""
        return f"{self.type.name.lower()}:{self.name}"


@dataclass(frozen=True, slots=True)
class LoadedHooks:
    """The steps that a host made for one API, ready to be put into its chain in list order."""

    pre: tuple[Step, ...] = ()
    auth_check: Step | None = None
    post_key_auth: tuple[Step, ...] = ()
    post: tuple[Step, ...] = ()
    response: tuple[ResponseStep, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    "What the plugin's author should know though the API loads; logged and shown in `/hello`."
    problems: tuple[str, ...] = ()
    "Why hooks of this API refuse every request; a reload keeps what served without any instead."


class PluginHost(Protocol):
    """One driver. It lives as long as its worker and serves every snapshot in turn.

    `load` is called for each API while a snapshot is built and may block; whatever it prepares for
    this API is freed by `unload`, when the last request on that snapshot is done. A hook that
    cannot work (missing file, syntax error, driver switched off) is still a step: one that refuses
    every request with the documented error, never one that lets it through. Only what the spec
    names as a load failure raises `DefinitionError`.
    """

    def load(self, definition: ApiDefinition, hooks: tuple[Hook, ...]) -> LoadedHooks: ...

    def unload(self, loaded: LoadedHooks) -> None: ...

    async def start(self) -> None:
        """Begin whatever the driver runs beside the gateway; called once, before any load."""
        ...

    def snapshot_changed(self, definitions: tuple[ApiDefinition, ...]) -> None:
        """A new snapshot serves now; `definitions` are those of this driver."""
        ...

    async def stop(self) -> None:
        """End everything the host owns; called once, after the last request."""
        ...
