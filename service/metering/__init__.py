"""Accounting: admission, settlement, packs. `SqlLedger` implements `interface.Ledger` on SQLite and Postgres."""

from inkgate.service.metering.ledger import SqlLedger

__all__ = ["SqlLedger"]
