"""The order in which the steps of an API run: every rule of it is a row of the two tables below.

Row numbers are those of gateway-core 4.1 and 4.4. A row gives the steps that this API needs; one
that is off for the API gives none and costs nothing. Numbers without a row are elements this
release does not have; a definition that asks for one that protects or changes traffic is refused.
`docs/discussion/chain-order.md` tells why the order is what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from propylon.apis.definition import ApiDefinition
from propylon.config.model import Config
from propylon.errors import DefinitionError
from propylon.observe.logs import get_logger
from propylon.pipeline.step import ResponseStep, Step
from propylon.plugins.hook import LoadedHooks
from propylon.steps import (
    auth_token,
    cors,
    ip_lists,
    request_headers,
    response_headers,
    response_urls,
    session_checks,
    size_limit,
    strip_auth,
    timeouts,
    version_check,
)

log = get_logger("chain")


@dataclass(frozen=True, slots=True)
class Chain:
    """The steps of one API in running order."""

    steps: tuple[Step, ...]
    response_steps: tuple[ResponseStep, ...]
    skips_options: bool
    "OPTIONS requests meet no step at all (CORS `options_passthrough`)."


@dataclass(frozen=True, slots=True)
class Inputs:
    """What decides whether a row has steps."""

    definition: ApiDefinition
    config: Config
    hooks: LoadedHooks


@dataclass(frozen=True, slots=True)
class Row:
    """One element of the request chain: its number, when it is there, and what it is."""

    number: str
    condition: str
    steps: Callable[[Inputs], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class ResponseRow:
    number: str
    condition: str
    steps: Callable[[Inputs], tuple[ResponseStep, ...]]


def build_chain(definition: ApiDefinition, config: Config, hooks: LoadedHooks) -> Chain:
    """Build the steps of one API. Raises `DefinitionError` for what this release cannot serve."""
    inputs = Inputs(definition, config, hooks)
    _refuse_missing_auth(inputs)
    _report_unknown_processors(definition)
    return Chain(
        steps=tuple(step for row in REQUEST_ORDER for step in row.steps(inputs)),
        response_steps=tuple(step for row in RESPONSE_ORDER for step in row.steps(inputs)),
        skips_options=cors.skips_options(definition),
    )


def _built_in(
    build: Callable[[ApiDefinition, Config], Step | None],
) -> Callable[[Inputs], tuple[Step, ...]]:
    """Make a row of a built-in step, which knows itself whether the API needs it."""

    def steps(inputs: Inputs) -> tuple[Step, ...]:
        step = build(inputs.definition, inputs.config)
        return () if step is None else (step,)

    return steps


def _built_in_response(
    build: Callable[[ApiDefinition, Config], ResponseStep | None],
) -> Callable[[Inputs], tuple[ResponseStep, ...]]:
    def steps(inputs: Inputs) -> tuple[ResponseStep, ...]:
        step = build(inputs.definition, inputs.config)
        return () if step is None else (step,)

    return steps


def _pre_hooks(inputs: Inputs) -> tuple[Step, ...]:
    return inputs.hooks.pre


def _plugin_auth(inputs: Inputs) -> tuple[Step, ...]:
    step = inputs.hooks.auth_check
    return () if step is None or not _has_plugin_auth(inputs.definition) else (step,)


def _post_key_auth_hooks(inputs: Inputs) -> tuple[Step, ...]:
    return () if inputs.definition.use_keyless else inputs.hooks.post_key_auth


def _post_hooks(inputs: Inputs) -> tuple[Step, ...]:
    return inputs.hooks.post


def _response_hooks(inputs: Inputs) -> tuple[ResponseStep, ...]:
    return inputs.hooks.response


REQUEST_ORDER: tuple[Row, ...] = (
    Row("1", "always", _built_in(version_check.build)),
    Row("2", "CORS.enable", _built_in(cors.build)),
    Row("3", "pre hooks, keyless and ignored requests too", _pre_hooks),
    Row("5", "enable_ip_whitelisting", _built_in(ip_lists.build_allow)),
    Row("6", "enable_ip_blacklisting", _built_in(ip_lists.build_block)),
    Row("9", "global_size_limit or size_limits", _built_in(size_limit.build)),
    Row("12", "not keyless, a plugin authenticates", _plugin_auth),
    Row("12", "not keyless, auth token or nothing else", _built_in(auth_token.build)),
    Row("13", "post_key_auth hooks, not keyless", _post_key_auth_hooks),
    Row("14", "strip_auth_data, not keyless", _built_in(strip_auth.build)),
    Row("15", "not keyless", _built_in(session_checks.build_key_expired)),
    Row("16", "not keyless", _built_in(session_checks.build_access_rights)),
    Row("17", "not keyless", _built_in(session_checks.build_granular_access)),
    Row("25", "global_headers or transform_headers", _built_in(request_headers.build)),
    Row("33", "post hooks, last before the proxy", _post_hooks),
    Row("34", "global_enforce_timeout or hard_timeouts", _built_in(timeouts.build)),
)

RESPONSE_ORDER: tuple[ResponseRow, ...] = (
    ResponseRow(
        "2, 3",
        "response headers, endpoint or global, and header_injector",
        _built_in_response(response_headers.build),
    ),
    ResponseRow("3", "header_transform", _built_in_response(response_urls.build)),
    ResponseRow("4", "response hooks", _response_hooks),
)


# Ways of authenticating that have no step. Loading refuses them with more words; this is the second
# lock, because a chain without its authentication is an open API.
_MISSING_AUTH = (
    "use_basic_auth",
    "use_oauth2",
    "use_openid",
    "enable_jwt",
    "enable_signature_checking",
    "use_mutual_tls_auth",
)

# Processors that other parts of the definition stand for, or that have a row above.
_KNOWN_PROCESSORS = frozenset(
    {
        "header_injector",
        "header_transform",
        "response_body_transform",
        "response_body_transform_jq",
    }
)


def _has_plugin_auth(definition: ApiDefinition) -> bool:
    return (
        not definition.use_keyless
        and definition.has_plugin_auth
        and not definition.custom_middleware.auth_check.disabled
    )


def _refuse_missing_auth(inputs: Inputs) -> None:
    definition = inputs.definition
    # Client certificates are checked for keyless APIs too (row 7).
    if definition.use_mutual_tls_auth:
        raise DefinitionError("not supported yet, expected false", path="$.use_mutual_tls_auth")
    if definition.use_keyless:
        return
    for field in _MISSING_AUTH:
        if getattr(definition, field):
            raise DefinitionError("not supported yet, expected false", path=f"$.{field}")
    if definition.external_oauth.enabled:
        raise DefinitionError("not supported yet, expected false", path="$.external_oauth.enabled")
    if _has_plugin_auth(definition) and inputs.hooks.auth_check is None:
        raise DefinitionError(
            "a plugin authenticates this API, but no auth_check hook is loaded",
            path="$.custom_middleware.auth_check",
        )


def _report_unknown_processors(definition: ApiDefinition) -> None:
    for index, processor in enumerate(definition.response_processors):
        if processor.name not in _KNOWN_PROCESSORS:
            log.error(
                "unknown response processor skipped",
                api_id=definition.api_id,
                processor=processor.name,
                field=f"$.response_processors[{index}].name",
            )
