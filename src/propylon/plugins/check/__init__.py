"""The conformance kit for stdio plugins, behind `propylon plugin check -- COMMAND...`.

It runs a plugin program as the gateway would and says which cases of the protocol it passes.
"""

from __future__ import annotations

from propylon.plugins.check.report import CheckReport, Outcome, Verdict
from propylon.plugins.check.run import main, run_check

__all__ = ["CheckReport", "Outcome", "Verdict", "main", "run_check"]
