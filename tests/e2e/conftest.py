"""One upstream and one gateway per test file: starting them is the dear part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.gateway_process import GatewayProcess, keyless
from support.raw_client import RawClient
from support.upstream import Upstream


@pytest.fixture(scope="module")
def origin() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(origin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with short time limits; `/plain/` is the origin."""
    host = keyless(origin.url + "/base?fixed=1", api_id="joined", listen_path="/joined/")
    kept = keyless(
        origin.url,
        api_id="kept",
        listen_path="/kept/",
        proxy={"preserve_host_header": True, "strip_listen_path": False},
    )
    config = {
        "proxy_default_timeout": 2,
        "http_server_options": {
            "enable_websockets": True,
            "read_timeout": 1,
            "write_timeout": 1,
            "skip_url_cleaning": False,
        },
        "http_limits": {"header_timeout_s": 1, "idle_timeout_s": 2, "max_head_bytes": 8192},
    }
    folder = tmp_path_factory.mktemp("gateway")
    definitions = [keyless(origin.url), host, kept]
    with GatewayProcess(folder, definitions, config=config) as process:
        yield process


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[RawClient]:
    with RawClient(gateway.port) as raw:
        yield raw
