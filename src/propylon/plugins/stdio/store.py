"""What plugins keep with `StoreData`: a bounded map with expiry, in the process of the child.

Bounds hold without a background task: expired entries go when they are met or when room is needed.
"""

from __future__ import annotations

from propylon.errors import PluginError

_MAX_ENTRIES = 10_000
_MAX_TOTAL_BYTES = 64 * 1024 * 1024


class PluginStore:
    """Text by key. `now` is a monotonic time in seconds, handed in by the caller."""

    __slots__ = ("_bytes", "_entries")

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, float | None]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, value: str, ttl: float, now: float) -> None:
        """Keep `value` for `ttl` seconds, for good with 0 or less; refuse what does not fit."""
        self.delete(key)
        size = len(key) + len(value)
        if not self._has_room(size):
            self._drop_expired(now)
            if not self._has_room(size):
                raise PluginError(
                    f"the plugin store is full ({_MAX_ENTRIES} keys, {_MAX_TOTAL_BYTES} bytes)"
                )
        self._entries[key] = (value, now + ttl if ttl > 0 else None)
        self._bytes += size

    def get(self, key: str, now: float) -> str | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, expires_at = entry
        if expires_at is not None and expires_at <= now:
            self.delete(key)
            return None
        return value

    def delete(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(key) + len(entry[0])

    def _has_room(self, size: int) -> bool:
        return len(self._entries) < _MAX_ENTRIES and self._bytes + size <= _MAX_TOTAL_BYTES

    def _drop_expired(self, now: float) -> None:
        for key, (_, expires_at) in list(self._entries.items()):
            if expires_at is not None and expires_at <= now:
                self.delete(key)
