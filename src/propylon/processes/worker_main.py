"""The program `python -m propylon.processes.worker_main`: a worker that serves the gateway."""

from __future__ import annotations

import sys

from propylon.processes.gateway_service import GatewayService
from propylon.processes.worker import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(GatewayService))
