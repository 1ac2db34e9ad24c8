"""The seam between the gateway and the ledger: admission (no write), then settle (one durable write per call).

Rules: manual 2.1 and 7.1, CONTRACT sections D1-D4 and 8. Time comes from the database, never from the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Settlement:
    """One call that reached its capability, as it is written to the ledger.

    `units` is what the policy table makes of the outcome (0 for calls that are recorded and not charged). `code` is
    the statusCode answered: 0, a business code, or an integer gateway code. `call_id` is ours (UUIDv7), never the
    client's request id.
    """

    call_id: str
    account_id: str
    app_id: str
    capability: str
    units: int
    images: int
    failed_images: int
    code: int
    body_bytes: int
    duration_ms: int
    client_ip: str
    request_id: str


class Ledger(Protocol):
    """Money. Fails closed: an error from `settle` means that nothing was counted and nothing may be answered."""

    async def admit(self, account_id: str, app_id: str, capability: str, units: int) -> None:
        """Refuse a call that cannot be paid for. `units` 0 asks only whether anything is left.

        Raises errors.Refused with 51002 (never bought), 51001 (none valid any more), 51003 (too little left).
        Writes nothing. Free capabilities need no pack. Raises errors.DatabaseDown and errors.LedgerUnavailable
        (PayerUnknown, ClockSuspect) where settling would.
        """

    async def settle(self, settlement: Settlement) -> bool:
        """Record the call and deduct its units, durably, before returning. Idempotent by call_id.

        True when the call was recorded now, False when it had been recorded before. After SettlementUnconfirmed the
        outcome may be unknown (a commit whose confirmation was lost): to find out, settle the same call_id again.

        Raises errors.Refused as `admit` when the packs do not cover the units, errors.DatabaseDown when the database
        is out of reach, and errors.LedgerUnavailable: SettlementUnconfirmed, LedgerBusy, PayerUnknown or ClockSuspect.
        """

    async def start(self) -> None: ...

    async def close(self) -> None: ...
