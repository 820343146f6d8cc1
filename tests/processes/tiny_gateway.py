"""A gateway program for tests: the real supervisor with the tiny worker; the config is argv[1]."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from propylon.config.model import Config
from propylon.observe.logs import configure
from propylon.processes.errors import StartError
from propylon.processes.supervisor import run_gateway

if __name__ == "__main__":
    config = msgspec.json.decode(sys.argv[1], type=Config)
    writer = configure(config)
    worker = (sys.executable, "-P", str(Path(__file__).with_name("tiny_worker.py")))
    try:
        code = run_gateway(config, worker_command=worker)
    except StartError as error:
        print(error, file=sys.stderr)
        code = error.exit_code
    writer.close()
    sys.exit(code)
