"""TLS on both sides: the listener's certificates and versions, and whom an upstream must be."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.gateway_process import GatewayProcess, keyless
from support.raw_client import RawClient
from support.upstream import Upstream


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure_origin(authority: trustme.CA) -> Iterator[Upstream]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Upstream(tls=context) as server:
        yield server


@pytest.fixture(scope="module")
def secure_gateway(
    authority: trustme.CA, secure_origin: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("tls")
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    pairs = [_write_pair(authority, folder, name) for name in ("localhost", "other.test")]
    skips: Any = {"transport": {"ssl_insecure_skip_verify": True}}
    wrong_name = secure_origin.url.replace("127.0.0.1", "localhost")
    definitions = [
        keyless(secure_origin.url),
        keyless(wrong_name, api_id="wrong", listen_path="/wrong/"),
        keyless(wrong_name, api_id="skips", listen_path="/skips/", proxy=skips),
    ]
    options = {"use_ssl": True, "certificates": pairs, "min_version": 771, "read_timeout": 2}
    config = {
        "http_server_options": options,
        "proxy_ssl_ca_file": str(ca_file),
        "http_limits": {"header_timeout_s": 2},
    }
    with GatewayProcess(folder, definitions, config=config) as process:
        yield process


def _write_pair(authority: trustme.CA, folder: Path, name: str) -> dict[str, str]:
    issued = authority.issue_cert(name)
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return {"domain_name": name, "cert_file": str(cert), "key_file": str(key)}


def _client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize("name", ["localhost", "other.test"])
def test_certificate_by_name(
    authority: trustme.CA, secure_gateway: GatewayProcess, name: str
) -> None:
    context = _client_context(authority)
    with RawClient(secure_gateway.port, tls=context, name=name) as raw:
        assert raw.get("/plain/echo").status == 200
        assert raw.get("/plain/chunked").body == b"hello world"


@pytest.mark.parametrize(("path", "status"), [("plain", 200), ("wrong", 500), ("skips", 200)])
def test_upstream_is_verified_unless_switched_off(
    authority: trustme.CA, secure_gateway: GatewayProcess, path: str, status: int
) -> None:
    with RawClient(secure_gateway.port, tls=_client_context(authority)) as raw:
        assert raw.get(f"/{path}/echo").status == status


def test_minimum_version(authority: trustme.CA, secure_gateway: GatewayProcess) -> None:
    context = _client_context(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with RawClient(secure_gateway.port, tls=context) as raw:
        assert raw.get("/plain/echo").status == 200
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        RawClient(secure_gateway.port, tls=old)


def test_plain_http_on_a_tls_port(secure_gateway: GatewayProcess) -> None:
    with RawClient(secure_gateway.port) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.is_closed()


def test_big_bodies_and_early_answers(
    authority: trustme.CA, secure_gateway: GatewayProcess
) -> None:
    body = b"x" * 5_000_000
    context = _client_context(authority)
    with RawClient(secure_gateway.port, tls=context) as raw:
        head = f"POST /plain/body HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.send(head.encode() + body)
        assert raw.answer().body == body
        raw.send(b"POST /plain/early HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nabc")
        assert raw.answer().body == b"no"
        assert raw.is_closed()


def test_answer_that_breaks_off(authority: trustme.CA, secure_gateway: GatewayProcess) -> None:
    with RawClient(secure_gateway.port, tls=_client_context(authority)) as raw:
        assert not raw.get("/plain/die").is_complete


def test_client_that_leaves(
    authority: trustme.CA, secure_gateway: GatewayProcess, secure_origin: Upstream
) -> None:
    count = len(secure_origin.heads)
    with RawClient(secure_gateway.port, tls=_client_context(authority)) as raw:
        raw.send(b"GET /plain/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        secure_origin.wait_for_requests(count + 1)
    secure_origin.wait_for_disconnect()


def test_silence_instead_of_a_handshake_ends_the_connection(secure_gateway: GatewayProcess) -> None:
    with RawClient(secure_gateway.port) as raw:
        assert raw.is_closed()
