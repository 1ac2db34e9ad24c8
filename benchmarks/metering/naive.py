"""The baseline: one transaction per call, directly on asyncpg. Correct, and limited by the commit rate."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg

from inkgate.service.metering.interface import Settlement

FIND = """
SELECT id, used, total FROM pack
WHERE account_id = $1 AND capability = $2 AND state = 'active' AND used < total AND ends_at > clock_timestamp()
ORDER BY ordered_at, id LIMIT 1 FOR UPDATE
"""
RECORD = """
INSERT INTO usage_record (call_id, line, seq, settled_at, account_id, app_id, capability, pack_id, first_unit, units,
    images, failed_images, code, body_bytes, duration_ms, client_ip, request_id)
VALUES ($1, 0, 0, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10, $11, $12)
"""
USE = """
UPDATE pack SET used = used + $2, exhausted_at = CASE WHEN used + $2 = total THEN clock_timestamp() END WHERE id = $1
"""


class NaiveLedger:
    """Settles each call in its own transaction: lock the pack, insert the usage record, update the pack, commit."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, connections: int) -> NaiveLedger:
        parts = urlsplit(url)
        dsn = urlunsplit(parts._replace(scheme="postgresql"))
        return cls(await asyncpg.create_pool(dsn, min_size=1, max_size=connections))

    async def settle(self, call: Settlement) -> bool:
        account, app = UUID(call.account_id), UUID(call.app_id)
        async with self._pool.acquire() as connection, connection.transaction():
            pack = await connection.fetchrow(FIND, account, call.capability)
            await connection.execute(
                RECORD,
                UUID(call.call_id),
                account,
                app,
                call.capability,
                pack["id"],
                pack["used"],
                call.units,
                call.images,
                call.body_bytes,
                call.duration_ms,
                call.client_ip,
                call.request_id,
            )
            await connection.execute(USE, pack["id"], call.units)
        return True

    async def close(self) -> None:
        await self._pool.close()
