"""How long to wait before a child that ended is started again. Time and chance come in."""

from __future__ import annotations

from propylon.plugins.stdio.settings import RestartSettings

# So many starts in a row that never became ready are shown as `failed`, not as `backoff`.
_FAILED_AFTER = 5


class Backoff:
    """Counts the failures in a row; a run of `reset_after_s` in readiness forgets them."""

    __slots__ = ("_settings", "_starts_without_ready", "failures")

    def __init__(self, settings: RestartSettings) -> None:
        self._settings = settings
        self.failures = 0
        self._starts_without_ready = 0

    @property
    def is_failed(self) -> bool:
        return self._starts_without_ready >= _FAILED_AFTER

    def next_delay(self, ready_for: float | None, chance: float) -> float:
        """Return the seconds to wait.

        `ready_for` is how long the child that ended had served (None: it never got ready);
        `chance` between 0 and 1 spreads the delay by the jitter, so that gateways that failed
        together do not come back together.
        """
        settings = self._settings
        self._starts_without_ready = self._starts_without_ready + 1 if ready_for is None else 0
        if ready_for is not None and ready_for >= settings.reset_after_s:
            self.failures = 0
        # The exponent is bounded so that a long outage does not overflow the power.
        growth = settings.factor ** min(self.failures, 64)
        self.failures += 1
        delay = min(settings.initial_ms * growth, settings.max_ms) / 1000
        return delay * (1 + settings.jitter * (2 * chance - 1))
