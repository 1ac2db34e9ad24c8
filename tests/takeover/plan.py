"""What the cloud of the tests does otherwise than this installation: changed answers and faults, at known counts.

Everything is decided by numbers: the n-th request (faults), the n-th successful answer of a capability (changes).
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What may happen to a request instead of, or to, its answer."""

    SLOW = "slow"  # the right answer, `seconds` late
    STATUS = "status"  # an HTML page with `status`, without asking the service
    RESET = "reset"  # the connection is reset before a byte of the answer
    CUT = "cut"  # the service answers; the connection is reset in the middle of the body
    GARBAGE = "garbage"  # status 200, a body that is neither JSON nor text
    NOT_HTTP = "not_http"  # bytes that are no HTTP answer
    HANG = "hang"  # no answer for `seconds`, then a reset


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault of every `every`-th request, counted from 0, beginning with number `first`."""

    kind: Fault
    every: int
    first: int = 0
    seconds: float = 0.0
    status: int = 503


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a field in the first element of every `every`-th successful answer of a capability.

    `name` is a key of the element's `detail` (of its first item where `detail` is a list). `new` takes the old value,
    None where there is none, and returns the new one; None removes the key. An answer without an item is not counted.
    """

    capability: str
    name: str
    new: Callable[[Any], Any]
    every: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class PlannedCode:
    """A business error in place of every `every`-th successful answer of a capability."""

    capability: str
    code: int
    every: int
    first: int = 0


@dataclass
class Plan:
    """Changes, codes and faults, with the counts of what was planted. May be replaced while the cloud runs."""

    changes: tuple[Change, ...] = ()
    codes: tuple[PlannedCode, ...] = ()
    faults: tuple[PlannedFault, ...] = ()
    planted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(capability, field or code) → answers changed."""
    faulty: Counter[Fault] = field(default_factory=Counter)
    """Fault → requests."""
    answered: Counter[str] = field(default_factory=Counter)
    """Capability → successful answers of the service, whether or not they were changed."""
    _requests: int = 0
    _candidates: dict[Change, int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> PlannedFault | None:
        """The fault of the next request; the first of `faults` that fits its number."""
        with self._lock:
            number, self._requests = self._requests, self._requests + 1
            for each in self.faults:
                if number >= each.first and (number - each.first) % each.every == 0:
                    self.faulty[each.kind] += 1
                    return each
        return None

    def apply(self, capability: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The changed body of a successful answer; None when nothing is changed."""
        with self._lock:
            number = self.answered[capability]
            self.answered[capability] += 1
            for code in self.codes:
                if code.capability == capability and number >= code.first and (number - code.first) % code.every == 0:
                    self.planted[capability, str(code.code)] += 1
                    return {"statusCode": code.code, "message": "error", "details": "x", "error": f"AI_OP_{code.code}"}
            changed = [each for each in self.changes if each.capability == capability and self._change(each, body)]
            return body if changed else None

    def _change(self, change: Change, body: dict[str, Any]) -> bool:
        detail = _first_detail(body)
        if detail is None:
            return False
        number = self._candidates[change]
        self._candidates[change] += 1
        if number < change.first or (number - change.first) % change.every:
            return False
        value = change.new(detail.get(change.name))
        if value is None:
            detail.pop(change.name, None)
        else:
            detail[change.name] = value
        self.planted[change.capability, change.name] += 1
        return True


def _first_detail(body: dict[str, Any]) -> dict[str, Any] | None:
    """The object with the fields of the first image; None for a failed image and one without items."""
    result = body.get("returnObj")
    element = result[0] if isinstance(result, list) and result else result
    detail = element.get("detail") if isinstance(element, dict) else None
    if isinstance(detail, list):
        detail = detail[0] if detail else None
    return detail if isinstance(detail, dict) else None
