"""The interface between gateway and ledger: admission (no write), then settlement (one durable write per call).

Rules: manual 2.1 and 7.1, CONTRACT sections D1-D4 and 8. Time comes from the database, never from the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Settlement:
    """One call that reached its capability, as recorded in the ledger.

    `units` follow from the outcome by the policy table (0: recorded, not charged). `code` is the statusCode of the
    answer: 0, a business code, or an integer gateway code. `call_id` is generated here (UUIDv7); it is not the client's
    request id. `duration_ms` is in milliseconds.
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
    """The ledger. Fails closed: after an error of `settle` the result must not be sent to the client."""

    async def admit(self, account_id: str, app_id: str, capability: str, units: int) -> None:
        """Check that the packs cover `units`; 0 checks only that any units are left. Writes nothing.

        Raises errors.Refused with 51002 (no pack was ever bought), 51001 (no valid pack), 51003 (too few units left).
        Free capabilities need no pack. Raises errors.DatabaseDown and errors.LedgerUnavailable (PayerUnknown,
        ClockSuspect) where `settle` would.
        """

    async def settle(self, settlement: Settlement) -> bool:
        """Record the call and deduct its units, durably, before returning. Idempotent by call_id.

        True when the call was recorded now, False when it had been recorded before. After SettlementUnconfirmed the
        outcome may be unknown (the confirmation of the commit was lost): settle the same call_id again to learn it.

        Raises errors.Refused as `admit` when the packs do not cover the units, errors.DatabaseDown when the database
        cannot be reached, and errors.LedgerUnavailable (SettlementUnconfirmed, LedgerBusy, PayerUnknown, ClockSuspect).
        """

    async def start(self) -> None: ...

    async def close(self) -> None: ...
