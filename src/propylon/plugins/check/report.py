"""What a check found, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """`WARN` is a departure that the gateway copes with; only `FAIL` fails the check."""

    PASS = "pass"  # noqa: S105 - not a password
    WARN = "warn"
    FAIL = "FAIL"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one case; `reason` says what the plugin's author should know."""

    case: str
    outcome: Outcome
    reason: str = ""

    def __str__(self) -> str:
        line = f"{self.outcome.value:4}  {self.case}"
        return f"{line}: {self.reason}" if self.reason else line


@dataclass(frozen=True, slots=True)
class CheckReport:
    command: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    stderr_tail: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not any(each.outcome is Outcome.FAIL for each in self.verdicts)

    def count(self, outcome: Outcome) -> int:
        return sum(each.outcome is outcome for each in self.verdicts)

    def render(self) -> str:
        """Return the report as lines of text."""
        lines = [str(each) for each in self.verdicts]
        if not self.passed and self.stderr_tail:
            lines += ["", "last lines of the plugin's stderr:"]
            lines += [f"    {line}" for line in self.stderr_tail]
        counts = ", ".join(
            f"{self.count(outcome)} {word}"
            for outcome, word in (
                (Outcome.PASS, "passed"),
                (Outcome.WARN, "warned"),
                (Outcome.FAIL, "failed"),
                (Outcome.SKIP, "skipped"),
            )
        )
        return "\n".join([*lines, "", counts])
