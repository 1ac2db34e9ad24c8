"""Pack selection: which packs a call may use, how units are deducted, which code refuses it. Pure; for both databases.

Rules: CONTRACT D4 and M3-M5. Packs are used in order of purchase, not of expiry; one call may span packs; a call is
covered completely or refused; a time is inside a pack's validity when start <= time < end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from inkgate.service.contract.capabilities import CAPABILITIES

COMMERCIAL = tuple(name for name, each in CAPABILITIES.items() if each.commercial)
FREE_CAPABILITIES = frozenset(name for name, each in CAPABILITIES.items() if not each.commercial)
"""Free of charge (manual 2.1): no pack is required once the capability is opened; usage is recorded."""

NEVER_BOUGHT = 51002
NONE_VALID = 51001
INSUFFICIENT = 51003


@dataclass(slots=True)
class Pack:
    """A pack, read under the meter's lock. `app_id` None: any app of the account may use it."""

    id: str
    app_id: str | None
    total: int
    used: int
    starts_at: datetime
    ends_at: datetime

    def serves(self, app_id: str) -> bool:
        """Whether this app may use the pack."""
        return self.app_id is None or self.app_id == app_id

    def valid(self, now: datetime) -> bool:
        """Whether `now` lies in its validity period; remaining units are not considered."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class Deduction:
    """`units` deducted from one pack, after the `first_unit` units used before."""

    pack_id: str
    first_unit: int
    units: int


def deduct(packs: Sequence[Pack], app_id: str, units: int, now: datetime) -> list[Deduction] | None:
    """Deduct `units` (> 0) for an app from `packs` (in order of purchase); updates their `used`.

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
    """The code that refuses a call of `units`, or None when it is covered. `packs`: all that were not refunded.

    `units` 0 checks only that any units are left.
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
