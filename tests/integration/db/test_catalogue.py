"""The first products of capabilities: those of the built-in ones are in the schema, others are added by a migration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy import text

from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL
from inkgate.service.contract.capability import PackPrice
from inkgate.service.db import catalogue, migrate
from inkgate.service.db import engine as engines
from inkgate.service.settings import Database


async def products(url: str, *changes: str) -> list[tuple[object, ...]]:
    """Id, capability, units, price and sale state of every product, after some changes."""
    engine = engines.create(Database(url=url))
    try:
        async with engine.begin() as connection:
            for change in changes:
                await connection.execute(text(change))
            found = await connection.execute(
                text("SELECT id, capability, units, price_fen, on_sale FROM product ORDER BY capability, units")
            )
            return [(*row[:4], bool(row[4])) for row in found]
    finally:
        await engine.dispose()


def listed(*capabilities: str) -> list[tuple[object, ...]]:
    rows = [
        (f"{name}-{pack.size}", name, pack.units, pack.price_fen, True)
        for name in capabilities
        for pack in CAPABILITIES[name].packs
    ]
    return sorted(rows, key=lambda row: (row[1], row[2]))


async def test_the_schema_brings_the_list_prices_of_the_built_in_ones(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ink.db"
    await migrate.upgrade_async(url)
    assert await products(url) == listed(*CAPABILITIES)


async def test_a_migration_adds_what_an_added_capability_sells_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ink.db"
    await migrate.upgrade_async(url)
    added = replace(GENERAL, name="qr", packs=(PackPrice("10k", 10_000, 9_900), PackPrice("1m", 1_000_000, 0)))
    free = replace(GENERAL, name="gift", packs=(), commercial=False)
    registry = {**CAPABILITIES, "qr": added, "gift": free}
    monkeypatch.setattr(catalogue, "CAPABILITIES", MappingProxyType(registry))
    await migrate.upgrade_async(url)
    new = [("qr-10k", "qr", 10_000, 9_900, True), ("qr-1m", "qr", 1_000_000, 0, True)]
    assert [row for row in await products(url) if row[1] not in CAPABILITIES] == new
    changed = await products(
        url,
        "UPDATE product SET price_fen = 5, on_sale = false WHERE id = 'qr-10k'",
        "DELETE FROM product WHERE id = 'qr-1m'",
    )
    await migrate.upgrade_async(url)
    assert await products(url) == changed  # changes of the operator are kept
