"""Fixtures of the stdio tests; what they are made of is in `stdio_kit`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from stdio_kit import StartedGateways


@pytest.fixture
async def start() -> AsyncIterator[StartedGateways]:
    async with AsyncExitStack() as stack:
        yield StartedGateways(stack)
