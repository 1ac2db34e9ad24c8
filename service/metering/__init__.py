"""Money: admission, settling, packs. `SqlLedger` is the ledger of `interface` on SQLite and Postgres."""

from service.metering.ledger import SqlLedger

__all__ = ["SqlLedger"]
