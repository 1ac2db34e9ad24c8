"""Money: admission, settling, packs. `SqlLedger` is the ledger of `interface` on SQLite and Postgres."""

from inkgate.service.metering.ledger import SqlLedger

__all__ = ["SqlLedger"]
