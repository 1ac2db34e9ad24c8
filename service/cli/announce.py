"""Ready message of long-running commands."""

from __future__ import annotations

import logging
import sys

from rich.console import Console

log = logging.getLogger(__name__)


def announce(part: str, address: str) -> None:
    """Print the ready message on a terminal; log it if stderr is not a terminal."""
    if sys.stderr.isatty():
        Console(stderr=True, highlight=False).print(f"[green]{part}[/green] is ready at {address}")
    else:
        log.info("%s is ready at %s", part, address)
