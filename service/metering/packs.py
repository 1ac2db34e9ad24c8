"""Which packs a call may draw on, how it draws, and which code refuses it. Pure; both databases use it.

Rules: CONTRACT D4 and M3-M5. Packs are taken in order of purchase, not of expiry; one call may span packs; a call is
covered whole or not at all; an instant is inside a pack's validity when start <= instant < end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from inkgate.service.contract.capabilities import CAPABILITIES

COMMERCIAL = tuple(name for name, each in CAPABILITIES.items() if each.commercial)
FREE_CAPABILITIES = frozenset(name for name, each in CAPABILITIES.items() if not each.commercial)
"""Free for now (manual 2.1): opening is enough, no pack is asked for; usage is recorded all the same."""

NEVER_BOUGHT = 51002
NONE_VALID = 51001
INSUFFICIENT = 51003


@dataclass(slots=True)
class Pack:
    """A pack as it stands under the meter's lock. `app_id` None serves every app of the account."""

    id: str
    app_id: str | None
    total: int
    used: int
    starts_at: datetime
    ends_at: datetime

    def serves(self, app_id: str) -> bool:
        """Whether this app may draw on it."""
        return self.app_id is None or self.app_id == app_id

    def valid(self, now: datetime) -> bool:
        """Whether `now` lies in its year, whatever is left in it."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Deduction:
    """Units taken from one pack: `first_unit` had been used before, `units` follow."""

    pack_id: str
    first_unit: int
    units: int


def deduct(packs: Sequence[Pack], app_id: str, units: int, now: datetime) -> list[Deduction] | None:
    """Take `units` (> 0) for an app from `packs`, which stand in order of purchase, changing their `used`.

    None, with nothing changed, when they do not cover the units.
    """
    usable = [pack for pack in packs if pack.serves(app_id) and pack.valid(now) and pack.used < pack.total]
    if sum(pack.total - pack.used for pack in usable) < units:
        return None
    deductions = []
    for pack in usable:
        taken = min(units, pack.total - pack.used)
        deductions.append(Deduction(pack.id, pack.used, taken))
        pack.used += taken
        units -= taken
        if units == 0:
            break
    return deductions


def refusal_code(packs: Iterable[Pack], app_id: str, units: int, now: datetime) -> int | None:
    """The code that refuses a call of `units`, or None when it is covered. `packs` holds all that were not refunded.

    `units` 0 asks only whether anything is left.
    """
    serving = [pack for pack in packs if pack.serves(app_id)]
    if not serving:
        return NEVER_BOUGHT
    valid = [pack for pack in serving if pack.valid(now)]
    if not valid:
        return NONE_VALID
    if sum(pack.total - pack.used for pack in valid) < max(units, 1):
        return INSUFFICIENT
    return None
