"""The build flow: configuration and definition files become a `Snapshot`.

A build reads files, loads plugins and may take its time, in slices, while the old snapshot serves.
A definition that is broken is left out and named; on a reload the version that served before goes
on serving. Anything else that fails ends the build and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition
from propylon.apis.load import LoadedDefinitions, load_definitions
from propylon.chain import build_chain
from propylon.config.model import Config
from propylon.errors import ConfigError
from propylon.net.upstream_pool import UpstreamPools
from propylon.observe.logs import get_logger
from propylon.pipeline.api import Api
from propylon.pipeline.error_pages import ErrorPages
from propylon.pipeline.listen_path import ListenPath
from propylon.pipeline.proxy_request import ProxyRules
from propylon.pipeline.router_build import Route, build_router
from propylon.pipeline.snapshot import LoadFailure, Snapshot
from propylon.pipeline.target import Balancer, Target, UpstreamTrust
from propylon.plugins.discover import discover_hooks, driver_of
from propylon.plugins.hook import LoadedHooks, PluginHost
from propylon.plugins.unavailable import UnavailableHost

log = get_logger("main")

# How long a build may hold the event loop before requests get a turn.
SLICE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The hooks of one API and the host that will unload them."""

    host: PluginHost
    hooks: LoadedHooks


class Builder:
    """Builds snapshots for one worker. `hosts` are its plugin hosts by driver."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        hosts: Mapping[str, PluginHost],
        pools: UpstreamPools,
    ) -> None:
        self._config = config
        self._environ = environ
        self._hosts = hosts
        self._pools = pools
        self._loaded: dict[int, list[_Loaded]] = {}
        "What each living snapshot must unload, by its identity."
        self._last_good: dict[str, ApiDefinition] = {}
        "The definition that serves, by its file."

    async def build(self) -> Snapshot:
        """Build a snapshot beside the one that serves. After `ConfigError` nothing has changed."""
        found = await asyncio.to_thread(load_definitions, self._config, self._environ)
        pages = ErrorPages.load(self._config)
        for notice in found.notices:
            log.warning(notice)
        definitions, failures = self._keep_last_good(found)
        apis: list[Api] = []
        loaded: list[_Loaded] = []
        slice_end = asyncio.get_running_loop().time() + SLICE_SECONDS
        try:
            for definition in definitions:
                try:
                    apis.append(self._build_api(definition, pages, loaded))
                except ConfigError as error:
                    failures.append(_failure(definition, error))
                if asyncio.get_running_loop().time() > slice_end:
                    await asyncio.sleep(0)
                    slice_end = asyncio.get_running_loop().time() + SLICE_SECONDS
            router = build_router([Route(api.definition, api) for api in apis], self._config)
            snapshot = Snapshot(tuple(apis), router, pages, tuple(failures))
        except BaseException:
            _unload(loaded)
            self._pools.forget([target for api in apis for target in api.targets])
            raise
        self._loaded[id(snapshot)] = loaded
        return snapshot

    def serves(self, snapshot: Snapshot) -> None:
        """`snapshot` answers requests now: remember its definitions, tell the plugin hosts."""
        self._last_good = {
            api.definition.source: api.definition for api in snapshot.apis if api.definition.source
        }
        for driver, host in self._hosts.items():
            mine = [
                definition
                for definition in snapshot.definitions
                if driver_of(definition, discover_hooks(definition, self._config), self._config)
                == driver
            ]
            host.snapshot_changed(tuple(mine))

    def discard(self, snapshot: Snapshot) -> None:
        """No request uses `snapshot` any more: free its plugins and its idle connections."""
        _unload(self._loaded.pop(id(snapshot), []))
        self._pools.forget([target for api in snapshot.apis for target in api.targets])

    # -- one API -----------------------------------------------------------------------------------

    def _build_api(
        self, definition: ApiDefinition, pages: ErrorPages, loaded: list[_Loaded]
    ) -> Api:
        config = self._config
        trust = _trust(definition, config)
        targets = _targets(definition, trust)
        overrides = _overrides(definition, trust)
        self._pools.prepare([*targets, *overrides.values()])
        try:
            hooks = self._load_hooks(definition, loaded)
            chain = build_chain(definition, config, hooks)
        except BaseException:
            self._pools.forget([*targets, *overrides.values()])
            raise
        listen_path = ListenPath.compile(definition.proxy.listen_path)
        options = config.http_server_options
        return Api(
            definition=definition,
            steps=chain.steps,
            response_steps=chain.response_steps,
            skips_options=chain.skips_options,
            error_pages=pages,
            strip=listen_path.strip if definition.proxy.strip_listen_path else _keep,
            balancer=Balancer(targets),
            overrides=overrides,
            rules=_rules(definition, config),
            response_seconds=config.proxy_default_timeout or 30.0,
            max_body_bytes=options.max_request_body_size or config.http_limits.max_body_bytes,
        )

    def _load_hooks(self, definition: ApiDefinition, loaded: list[_Loaded]) -> LoadedHooks:
        hooks = discover_hooks(definition, self._config)
        if not hooks:
            return LoadedHooks()
        driver = driver_of(definition, hooks, self._config)
        host = self._hosts.get(driver) or UnavailableHost(driver)
        result = host.load(definition, hooks)
        loaded.append(_Loaded(host, result))
        for warning in result.warnings:
            log.warning(warning, api_id=definition.api_id, api_name=definition.name)
        return result

    def _keep_last_good(
        self, found: LoadedDefinitions
    ) -> tuple[list[ApiDefinition], list[LoadFailure]]:
        """Put the serving version in the place of each definition that cannot be read any more."""
        definitions = list(found.definitions)
        taken = {definition.api_id for definition in definitions}
        failures = []
        for failed in found.failures:
            message = failed.message
            old = self._last_good.get(failed.source)
            if old is not None and old.api_id not in taken:
                definitions.append(old)
                message += " (the version loaded before goes on serving)"
            failures.append(LoadFailure(failed.source, failed.api_id, failed.name, message))
        return definitions, failures


def _unload(loaded: list[_Loaded]) -> None:
    for each in loaded:
        each.host.unload(each.hooks)


def _failure(definition: ApiDefinition, error: ConfigError) -> LoadFailure:
    return LoadFailure(
        error.source or definition.source,
        definition.api_id,
        definition.name,
        f"{error.path}: {error.message}" if error.path else error.message,
    )


def _keep(path: str) -> str:
    return path


def _trust(definition: ApiDefinition, config: Config) -> UpstreamTrust:
    """Join the gateway's and the API's TLS settings; the API's win (gateway-core 3.10)."""
    transport = definition.proxy.transport
    return UpstreamTrust(
        skips_verification=(
            config.proxy_ssl_insecure_skip_verify or transport.ssl_insecure_skip_verify
        ),
        ca_file=config.proxy_ssl_ca_file,
        min_version=transport.ssl_min_version or config.proxy_ssl_min_version,
        max_version=transport.ssl_max_version or config.proxy_ssl_max_version,
        ciphers=tuple(transport.ssl_ciphers or config.proxy_ssl_ciphers),
    )


def _targets(definition: ApiDefinition, trust: UpstreamTrust) -> list[Target]:
    proxy = definition.proxy
    if proxy.enable_load_balancing and proxy.target_list:
        return [
            Target.parse(url, trust, path=f"$.proxy.target_list[{index}]")
            for index, url in enumerate(proxy.target_list)
        ]
    return [Target.parse(proxy.target_url, trust)]


def _overrides(definition: ApiDefinition, trust: UpstreamTrust) -> dict[str, Target]:
    return {
        version.override_target: Target.parse(
            version.override_target,
            trust,
            path=f"$.version_data.versions[{name!r}].override_target",
        )
        for name, version in definition.version_data.versions.items()
        if version.override_target
    }


def _rules(definition: ApiDefinition, config: Config) -> ProxyRules:
    removed = {
        name.lower()
        for version in definition.version_data.versions.values()
        if not version.global_headers_disabled
        for name in version.global_headers_remove
    }
    return ProxyRules(
        keeps_slash=definition.proxy.disable_strip_slash,
        preserves_host=definition.proxy.preserve_host_header,
        closes_connections=config.proxy_close_connections,
        appends_client="x-forwarded-for" not in removed,
    )
