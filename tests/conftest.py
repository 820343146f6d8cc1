"""Its folder is on the import path, which makes `support` importable; the shared fixtures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A real HTTP server on loopback; see `support.upstream` for its routes."""
    with Upstream() as server:
        yield server
