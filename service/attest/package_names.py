"""Names of packages. The parts list is written and compared by these; the standard library alone."""

from __future__ import annotations

import re


def normalised(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
