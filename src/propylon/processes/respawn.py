"""When a dead worker is replaced: at once, unless its predecessors in this slot died young too."""

from __future__ import annotations

# A worker that served this long was not killed by its own start.
YOUNG_SECONDS = 10.0
FIRST_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 30.0


class RespawnPolicy:
    """Counts the young deaths of one slot in a row."""

    def __init__(self) -> None:
        self._young_deaths = 0

    def __repr__(self) -> str:
        return f"<RespawnPolicy young_deaths={self._young_deaths}>"

    def delay_after_death(self, lived_seconds: float) -> float:
        """Return how long to wait before the replacement starts: 0, 0.1, 0.2, 0.4 ... 30."""
        if lived_seconds >= YOUNG_SECONDS:
            self._young_deaths = 0
            return 0.0
        self._young_deaths += 1
        if self._young_deaths == 1:
            return 0.0
        # The exponent is bounded so that a slot that dies for days does not grow a huge integer.
        doublings = min(self._young_deaths - 2, 16)
        return min(FIRST_DELAY_SECONDS * 2.0**doublings, MAX_DELAY_SECONDS)
