"""A part of an evidence pack: what was looked at, whether it passed, and its files. Pure."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["passed", "failed", "not_asked"]
MAX_REASON = 300  # characters

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `reason` says why it failed or was left out. `facts` are shown on the page; names in Chinese and
    English by `report.py`."""

    name: str
    state: State
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The part in `summary.json`."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "facts": dict(self.facts),
            "files": sorted(self.files),
        }


def collect(name: str, make: Callable[[], Part], mask: Callable[[str], str] = str) -> Part:
    """The part, or a failed one with the reason: whatever goes wrong in one part is said in the pack, and the others
    are made all the same. `mask` takes secrets out of the reason."""
    try:
        return make()
    except Exception as error:  # any fault of a part is its result
        log.debug("part %s of the evidence pack failed", name, exc_info=True)
        return failed(name, mask(f"{type(error).__name__}: {error}"))


def failed(name: str, reason: str) -> Part:
    """A part that could not be made."""
    return Part(name, "failed", " ".join(reason.split())[:MAX_REASON])


def json_file(document: object) -> bytes:
    """A document as a file that people can read."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
