"""TLS settings become `ssl.SSLContext`s, for listener and upstreams (gateway-core 1.5, 3.10).

Go numbers versions 769 to 772 and names cipher suites as IANA does; both are translated here.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from propylon.errors import ConfigError
from propylon.observe.logs import get_logger
from propylon.pipeline.target import UpstreamTrust

log = get_logger("tls")

# The numbers of Go's crypto/tls. Versions below 1.2 are accepted where the operator asks for them
# and the local OpenSSL still has them.
_VERSIONS = {
    769: ssl.TLSVersion.TLSv1,
    770: ssl.TLSVersion.TLSv1_1,
    771: ssl.TLSVersion.TLSv1_2,
    772: ssl.TLSVersion.TLSv1_3,
}
DEFAULT_MIN = 771
DEFAULT_MAX = 772


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain and its key, for one SNI name or as the default."""

    cert_file: str
    key_file: str
    domain_name: str = ""


def upstream_context(trust: UpstreamTrust) -> ssl.SSLContext:
    """Make the context for connections to upstreams; verification is on unless switched off."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if trust.ca_file:
        try:
            context.load_verify_locations(cafile=trust.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{trust.ca_file!r} cannot be used as a CA file: {error}",
                path="$.proxy_ssl_ca_file",
            ) from error
    if trust.skips_verification:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _limit_versions(context, trust.min_version, trust.max_version)
    _choose_ciphers(context, trust.ciphers)
    return context


def listener_context(
    pairs: Sequence[CertificatePair],
    *,
    min_version: int = 0,
    max_version: int = 0,
    ciphers: Sequence[str] = (),
) -> ssl.SSLContext:
    """Make the context of a TLS listener; the first pair that loads is the default certificate.

    A pair that cannot be loaded is logged and skipped; with none left, raises `ConfigError`.
    """
    by_name: dict[str, ssl.SSLContext] = {}
    default: ssl.SSLContext | None = None
    for pair in pairs:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(pair.cert_file, pair.key_file or None)
        except (OSError, ssl.SSLError) as error:
            log.error("certificate skipped", cert_file=pair.cert_file, reason=str(error))
            continue
        _limit_versions(context, min_version, max_version)
        _choose_ciphers(context, ciphers)
        context.set_alpn_protocols(["http/1.1"])
        default = default or context
        if pair.domain_name:
            by_name[pair.domain_name.lower()] = context
    if default is None:
        raise ConfigError(
            "use_ssl is true but no certificate could be loaded: expected a readable "
            "cert_file and key_file",
            path="$.http_server_options.certificates",
        )
    if by_name:
        default.sni_callback = _choose_by_name(by_name)
    return default


def _choose_by_name(
    by_name: dict[str, ssl.SSLContext],
) -> Callable[[ssl.SSLObject, str, ssl.SSLContext], None]:
    def choose(socket: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        context = _find_name(by_name, name.lower()) if name else None
        if context is not None:
            socket.context = context

    return choose


def _find_name(by_name: dict[str, ssl.SSLContext], name: str) -> ssl.SSLContext | None:
    exact = by_name.get(name)
    return exact if exact is not None else by_name.get("*." + name.partition(".")[2])


def _limit_versions(context: ssl.SSLContext, min_version: int, max_version: int) -> None:
    context.minimum_version = _VERSIONS.get(min_version or DEFAULT_MIN, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = _VERSIONS.get(max_version or DEFAULT_MAX, ssl.TLSVersion.TLSv1_3)


def _choose_ciphers(context: ssl.SSLContext, names: Sequence[str]) -> None:
    """Set the suites for TLS 1.2 and below; unknown names are logged and skipped."""
    if not names:
        return
    known = []
    for name in names:
        openssl = _openssl_name(name)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(openssl)
        except ssl.SSLError:
            log.warning("unknown cipher suite skipped", cipher=name)
        else:
            known.append(openssl)
    if known:
        context.set_ciphers(":".join(known))


def _openssl_name(name: str) -> str:
    """Translate `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` into OpenSSL's own spelling."""
    text = name.removeprefix("TLS_").replace("_WITH_", "_")
    if text.startswith("RSA_"):
        text = text.removeprefix("RSA_")
    text = text.replace("AES_128", "AES128").replace("AES_256", "AES256")
    text = text.replace("_CBC_SHA", "_SHA").replace("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305")
    return text.replace("_", "-")


def read_pem_pairs(paths: Sequence[str]) -> list[CertificatePair]:
    """Return the pairs of `ssl_certificates`: PEM files that hold key and certificate together."""
    pairs = []
    for path in paths:
        if Path(path).is_file():
            pairs.append(CertificatePair(cert_file=path, key_file=""))
        else:
            log.error("certificate skipped", cert_file=path, reason="no such file")
    return pairs
