"""How the long-running commands say that they can take work."""

from __future__ import annotations

import logging
import sys

from rich.console import Console

log = logging.getLogger(__name__)


def announce(part: str, address: str) -> None:
    """A green line for a person at a terminal; elsewhere a log line, like everything on stderr there."""
    if sys.stderr.isatty():
        Console(stderr=True, highlight=False).print(f"[green]{part}[/green] is ready at {address}")
    else:
        log.info("%s is ready at %s", part, address)
