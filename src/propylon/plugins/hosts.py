"""The plugin hosts of one worker, by driver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from propylon import __version__
from propylon.config.model import Config
from propylon.plugins.hook import PluginHost
from propylon.plugins.javascript import JavaScriptHost
from propylon.plugins.stdio.host import StdioHost
from propylon.plugins.stdio.owner import StdioOwner


@dataclass(frozen=True, slots=True)
class Hosts:
    """Every host once; two driver names may share one."""

    by_driver: Mapping[str, PluginHost]
    owner: StdioOwner | None
    "Owns the stdio child when this worker is the only one; else the supervisor does."

    async def start(self) -> None:
        if self.owner is not None:
            await self.owner.start()
        for host in self._distinct():
            await host.start()

    async def stop(self) -> None:
        for host in self._distinct():
            await host.stop()
        if self.owner is not None:
            await self.owner.stop()

    def status(self) -> Mapping[str, object] | None:
        """Return the state of the stdio child that this worker owns."""
        return None if self.owner is None else self.owner.status()

    def _distinct(self) -> list[PluginHost]:
        return list({id(host): host for host in self.by_driver.values()}.values())


def make_hosts(config: Config, plugin_socket: str | None, worker_slot: int) -> Hosts:
    """Make the hosts; the stdio child is reached over `plugin_socket`, else owned here."""
    options = config.coprocess_options
    owner = None
    if plugin_socket is None and options.enable_coprocess and options.coprocess_command:
        owner = StdioOwner(options, __version__, None)
    javascript = JavaScriptHost(config)
    stdio = StdioHost(config, plugin_socket or owner or "", worker_slot)
    return Hosts(
        {"otto": javascript, "javascript": javascript, "jsonrpc": stdio, "stdio": stdio}, owner
    )
