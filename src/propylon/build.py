"""The build flow: configuration and definition files become a `Snapshot`.

A build loads plugins and may take its time, in slices, while the old snapshot serves. A definition
that cannot be read or built, or whose hooks cannot run, is named; on a reload the version that
served before goes on serving: the API itself where this worker still has it, else one built from
the text of it. Anything else that fails ends the build and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from propylon.apis.definition import ApiDefinition
from propylon.apis.load import LoadedDefinitions, load_definitions
from propylon.apis.source_files import DefinitionFile
from propylon.chain import Chain, build_chain
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


# Said of a definition that failed while its API is served all the same.
STILL_SERVES = " (the version loaded before goes on serving)"
REFUSES = " (its hooks refuse every request)"


class _Built:
    """One API and what has to be given back when no snapshot uses it any more."""

    __slots__ = ("api", "hooks", "host", "users")

    def __init__(self, api: Api, hooks: LoadedHooks, host: PluginHost | None) -> None:
        self.api = api
        self.hooks = hooks
        self.host = host
        self.users = 0
        "Living snapshots that serve it; a reload may carry it over."

    def __repr__(self) -> str:
        return f"<_Built {self.api.definition.api_id} users={self.users}>"


class _Draft:
    """A snapshot in the making: which text of each file is tried, and what came of it."""

    def __init__(self, files: Sequence[DefinitionFile], pages: ErrorPages) -> None:
        self.files = {file.source: file for file in files}
        self.pages = pages
        self.built: dict[str, _Built] = {}
        self.refused: dict[str, LoadFailure] = {}
        "What building found; reading has its own failures."
        self.kept: set[str] = set()
        "Files in whose place the API that serves is carried over."

    def try_last_good(self, source: str, failure: LoadFailure) -> bool:
        """Go back to the text that served before, if this was not it already."""
        file = self.files.get(source)
        if file is None or file.problem or file.last_good in (None, file.text):
            return False
        self.files[source] = msgspec.structs.replace(file, problem=failure.message)
        return True

    def failures(self, found: LoadedDefinitions) -> tuple[LoadFailure, ...]:
        read = {
            each.source: LoadFailure(each.source, each.api_id, each.name, each.message)
            for each in found.failures
        }
        for source, failure in self.refused.items():
            # What reading found comes first; a refusal of ours that reading repeats knows more.
            if source not in read or read[source].message == failure.message:
                read[source] = failure
        return tuple(self._told(each, found) for each in read.values())

    def _told(self, failure: LoadFailure, found: LoadedDefinitions) -> LoadFailure:
        """Say what serves in spite of the failure."""
        built = self.built.get(failure.source)
        if built is None:
            return failure
        is_old = failure.source in self.kept or failure.source in found.kept
        said = STILL_SERVES if is_old else ""
        if built.hooks.problems:
            said += REFUSES
        return replace(failure, message=failure.message + said)


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
        self._built: dict[int, tuple[_Built, ...]] = {}
        "What each living snapshot uses, by its identity."
        self._serving: dict[str, _Built] = {}
        "What serves, by the file of its definition."

    async def build(self, files: Sequence[DefinitionFile]) -> Snapshot:
        """Build a snapshot beside the one that serves. After `ConfigError` nothing has changed."""
        draft = _Draft(files, ErrorPages.load(self._config))
        try:
            return self._finish(draft, await self._build_all(draft))
        except BaseException:
            self._free([built for built in draft.built.values() if not built.users])
            raise

    def serves(self, snapshot: Snapshot) -> None:
        """`snapshot` answers requests now: remember its APIs, tell the plugin hosts."""
        self._serving = {built.api.definition.source: built for built in self._built[id(snapshot)]}
        for driver, host in self._hosts.items():
            mine = [
                definition
                for definition in snapshot.definitions
                if driver_of(definition, discover_hooks(definition, self._config), self._config)
                == driver
            ]
            host.snapshot_changed(tuple(mine))

    def discard(self, snapshot: Snapshot) -> None:
        """No request uses `snapshot` any more: free what no other snapshot uses."""
        unused = []
        for built in self._built.pop(id(snapshot), ()):
            built.users -= 1
            if not built.users:
                unused.append(built)
        self._free(unused)

    # -- a snapshot --------------------------------------------------------------------------------

    async def _build_all(self, draft: _Draft) -> LoadedDefinitions:
        """Read and build until no file has to go back to the text that served before."""
        while True:
            found = await asyncio.to_thread(
                load_definitions, self._config, self._environ, tuple(draft.files.values())
            )
            slice_end = asyncio.get_running_loop().time() + SLICE_SECONDS
            is_settled = True
            for definition in found.definitions:
                is_settled = self._build_one(definition, draft) and is_settled
                if asyncio.get_running_loop().time() > slice_end:
                    await asyncio.sleep(0)
                    slice_end = asyncio.get_running_loop().time() + SLICE_SECONDS
            if is_settled:
                return found

    def _finish(self, draft: _Draft, found: LoadedDefinitions) -> Snapshot:
        for notice in found.notices:
            log.warning(notice)
        # In the order of the definitions, which is the order in which routes are tried.
        sources = [definition.source for definition in found.definitions]
        used = tuple(draft.built[source] for source in sources if source in draft.built)
        self._free([b for b in draft.built.values() if b not in used and not b.users])
        draft.built = {built.api.definition.source: built for built in used}
        apis = tuple(built.api for built in used)
        router = build_router([Route(api.definition, api) for api in apis], self._config)
        snapshot = Snapshot(apis, router, draft.pages, draft.failures(found))
        for built in used:
            built.users += 1
            for warning in built.hooks.warnings:
                definition = built.api.definition
                log.warning(warning, api_id=definition.api_id, api_name=definition.name)
        self._built[id(snapshot)] = used
        return snapshot

    def _build_one(self, definition: ApiDefinition, draft: _Draft) -> bool:
        """Build one API of the draft; False when its file has to be read again in an older text."""
        source = definition.source
        earlier = draft.built.get(source)
        if earlier is not None:
            if earlier.api.definition == definition:
                return True
            self._drop(source, draft)
        try:
            built: _Built | None = self._build_api(definition, draft.pages)
            problems = "; ".join(built.hooks.problems) if built is not None else ""
            failure = _failure(definition, ConfigError(problems)) if problems else None
        except ConfigError as error:
            built, failure = None, _failure(definition, error)
        if built is not None:
            draft.built[source] = built
        if failure is None:
            return True
        # What was said first is about the file as it is now.
        draft.refused.setdefault(source, failure)
        serving = self._serving.get(source)
        if serving and serving.api.definition == definition and not serving.hooks.problems:
            self._drop(source, draft)
            draft.built[source] = serving
            draft.kept.add(source)
            return True
        if draft.try_last_good(source, failure):
            self._drop(source, draft)
            return False
        return True

    def _drop(self, source: str, draft: _Draft) -> None:
        built = draft.built.pop(source, None)
        if built is not None and not built.users:
            self._free([built])

    def _free(self, unused: Sequence[_Built]) -> None:
        for built in unused:
            if built.host is not None:
                built.host.unload(built.hooks)
        self._pools.forget([target for built in unused for target in built.api.targets])

    # -- one API -----------------------------------------------------------------------------------

    def _build_api(self, definition: ApiDefinition, pages: ErrorPages) -> _Built:
        # Alone in a router, so that what no router takes is this definition's own failure.
        build_router([Route(definition, None)], self._config)
        trust = _trust(definition, self._config)
        targets = _targets(definition, trust)
        overrides = _overrides(definition, trust)
        host, hooks = self._load_hooks(definition)
        try:
            self._pools.prepare([*targets, *overrides.values()])
            chain = build_chain(definition, self._config, hooks)
            api = self._make_api(definition, chain, pages, Balancer(targets), overrides)
        except BaseException:
            if host is not None:
                host.unload(hooks)
            self._pools.forget([*targets, *overrides.values()])
            raise
        return _Built(api, hooks, host)

    def _make_api(
        self,
        definition: ApiDefinition,
        chain: Chain,
        pages: ErrorPages,
        balancer: Balancer,
        overrides: Mapping[str, Target],
    ) -> Api:
        config = self._config
        options = config.http_server_options
        listen_path = ListenPath.compile(definition.proxy.listen_path)
        return Api(
            definition=definition,
            steps=chain.steps,
            response_steps=chain.response_steps,
            skips_options=chain.skips_options,
            error_pages=pages,
            strip=listen_path.strip if definition.proxy.strip_listen_path else _keep,
            balancer=balancer,
            overrides=overrides,
            rules=_rules(definition, config),
            response_seconds=config.proxy_default_timeout or 30.0,
            max_body_bytes=options.max_request_body_size or config.http_limits.max_body_bytes,
        )

    def _load_hooks(self, definition: ApiDefinition) -> tuple[PluginHost | None, LoadedHooks]:
        hooks = discover_hooks(definition, self._config)
        if not hooks:
            return None, LoadedHooks()
        driver = driver_of(definition, hooks, self._config)
        host = self._hosts.get(driver) or UnavailableHost(driver)
        return host, host.load(definition, hooks)


def _failure(definition: ApiDefinition, error: ConfigError) -> LoadFailure:
    return LoadFailure(
        definition.source,
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
