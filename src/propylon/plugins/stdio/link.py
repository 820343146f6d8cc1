"""Keeps a worker connected to the owner's socket, for as long as the worker lives."""

from __future__ import annotations

import asyncio

from propylon.observe.logs import get_logger
from propylon.plugins.stdio.client import StdioClient
from propylon.plugins.stdio.relay import PACKET_SLACK_BYTES, OwnerConnection

log = get_logger("coprocess")

# The owner is the parent of the worker: it is there, or on its way back.
_RETRY_SECONDS = 0.2


class OwnerLink:
    """Connects `client` to the socket at `path`, again whenever the connection is lost."""

    def __init__(self, client: StdioClient, path: str, max_message_bytes: int) -> None:
        self._client = client
        self._path = path
        self._max_bytes = max_message_bytes + PACKET_SLACK_BYTES
        self._lost = asyncio.Event()
        self._table: bytes | None = None
        self._connection: OwnerConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, or leave it to the retries when the owner is not there yet."""
        await self._connect()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="stdio relay")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._client.connect(None)
        if self._connection is not None:
            self._connection.close()

    def announce(self, table: bytes) -> None:
        self._table = table
        if self._connection is not None:
            self._connection.announce(table)

    async def _keep(self) -> None:
        while True:
            if self._connection is not None:
                await self._lost.wait()
                self._lost.clear()
                self._connection = None
                self._client.connect(None)
                self._client.fail_all("the owner of the plugin is gone")
                log.error("the process that owns the plugin is gone; requests are refused")
            await asyncio.sleep(_RETRY_SECONDS)
            await self._connect()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_unix_connection(
                lambda: OwnerConnection(self._client, self._lost.set, self._max_bytes), self._path
            )
        except OSError:
            return
        self._connection = connection
        self._client.connect(connection)
        if self._table is not None:
            connection.announce(self._table)
