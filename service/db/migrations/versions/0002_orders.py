"""The catalogue, orders, vouchers, refunds; where packs stand in their meter's sequence."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    product = op.create_table(
        "product",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("on_sale", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price_fen >= 0", name=op.f("ck_product_price")),
        sa.CheckConstraint("units > 0", name=op.f("ck_product_units")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
    )
    op.create_table(
        "pack_order",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("discount_fen", sa.BigInteger(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.CheckConstraint("0 <= discount_fen AND discount_fen <= amount_fen", name=op.f("ck_pack_order_discount")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_pack_order_account_id")),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_pack_order_app_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_order")),
        sa.UniqueConstraint("number", name=op.f("uq_pack_order_number")),
    )
    op.create_index("ix_pack_order_account", "pack_order", ["account_id", "ordered_at"], unique=False)

    op.create_table(
        "pack_order_line",
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("product_id", sa.String(length=32), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_pack_order_line_quantity")),
        sa.ForeignKeyConstraint(["order_id"], ["pack_order.id"], name=op.f("fk_pack_order_line_order_id")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_pack_order_line_product_id")),
        sa.PrimaryKeyConstraint("order_id", "line", name=op.f("pk_pack_order_line")),
    )
    op.create_table(
        "voucher",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.String(length=32), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint("value > 0", name=op.f("ck_voucher_value")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_voucher_account_id")),
        sa.ForeignKeyConstraint(["order_id"], ["pack_order.id"], name=op.f("fk_voucher_order_id")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_voucher_product_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_voucher")),
    )
    op.create_table(
        "refund",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("pack_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_refund_account_id")),
        sa.ForeignKeyConstraint(["pack_id"], ["pack.id"], name=op.f("fk_refund_pack_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
    )
    op.create_index("ix_refund_account", "refund", ["account_id", "requested_at"], unique=False)
    op.create_index(
        "uq_refund_pending",
        "refund",
        ["pack_id"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )

    op.add_column("pack", sa.Column("entered_seq", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("pack", sa.Column("refunded_seq", sa.BigInteger(), nullable=True))
    op.add_column("pack", sa.Column("price_fen", sa.BigInteger(), server_default="0", nullable=False))
    if op.get_bind().dialect.name == "sqlite":  # SQLite adds a foreign key only together with its column
        op.execute("ALTER TABLE pack ADD COLUMN order_id CHAR(32) REFERENCES pack_order (id)")
    else:
        op.add_column("pack", sa.Column("order_id", sa.Uuid(as_uuid=False), nullable=True))
        op.create_foreign_key(op.f("fk_pack_order_id"), "pack", "pack_order", ["order_id"], ["id"])
    op.bulk_insert(product, list(_catalogue()))


def _catalogue() -> Iterator[dict[str, object]]:
    """The sizes and prices of the manual, 2.1 and 7.1, in fen."""
    sizes = (("100k", 100_000), ("1m", 1_000_000), ("5m", 5_000_000), ("10m", 10_000_000))
    documents = (1350, 9600, 39000, 78000)
    prices = {"general": (450, 3200, 11500, 22000), "idcard": documents, "plate": documents}
    for capability, yuan in prices.items():
        for (size, units), price in zip(sizes, yuan, strict=True):
            row = {"id": f"{capability}-{size}", "capability": capability, "units": units}
            yield row | {"price_fen": price * 100, "on_sale": True}
