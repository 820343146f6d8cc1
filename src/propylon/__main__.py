"""`python -m propylon` is the command `propylon`."""

from __future__ import annotations

import sys

from propylon.cli import main

if __name__ == "__main__":
    sys.exit(main())
