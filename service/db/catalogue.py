"""The first products of capabilities that the catalogue has none of: what an added distribution sells.

Products of the built-in capabilities come with the schema; a product that is there already is the operator's business,
whatever its price and whether or not it is on sale.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from inkgate.service.contract.capabilities import CAPABILITIES

_COLUMNS = ("id", "capability", "units", "price_fen", "on_sale")
_PRODUCT = sa.table("product", *(sa.column(name) for name in _COLUMNS))


def add_products(connection: Connection) -> None:
    """Add the list prices of every commercial capability without a product, inside the caller's transaction."""
    listed = set(connection.scalars(sa.select(_PRODUCT.c.capability).distinct()))
    rows = [
        {
            "id": f"{capability.name}-{pack.size}",
            "capability": capability.name,
            "units": pack.units,
            "price_fen": pack.price_fen,
            "on_sale": True,
        }
        for capability in CAPABILITIES.values()
        if capability.commercial and capability.name not in listed
        for pack in capability.packs
    ]
    if rows:
        connection.execute(sa.insert(_PRODUCT), rows)
