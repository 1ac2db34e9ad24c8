"""Tables of products, orders, vouchers and refunds. Amounts are integers in fen 分."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier

NUMBER_CHARACTERS = 12
"""Of the hash of a voucher's code, in its number."""


class ProductRow(Base):
    """One size of pack in the catalogue, for example `general-100k`."""

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint("units > 0", name="units"),
        CheckConstraint("price_fen >= 0", name="price"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16))
    units: Mapped[int] = mapped_column(BigInteger)
    price_fen: Mapped[int] = mapped_column(BigInteger)
    on_sale: Mapped[bool] = mapped_column(default=True)


class OrderRow(Base):
    """An order 订单 of an account.

    `state`: unpaid, pending (awaits an operator), active (its packs exist), rejected or cancelled. `payment`: balance,
    voucher or offline; None before the payment. `voucher_number` is kept when the voucher is released.
    """

    __tablename__ = "pack_order"
    __table_args__ = (
        CheckConstraint("0 <= discount_fen AND discount_fen <= amount_fen", name="discount"),
        Index("ix_pack_order_account", "account_id", "ordered_at"),
        Index("ix_pack_order_state", "state", "ordered_at"),
        Index("ix_pack_order_decided", "account_id", "decided_at"),
        Index("ix_pack_order_own_state", "account_id", "state", "ordered_at"),
        Index("ix_pack_order_paid", "account_id", "state", "decided_at", "amount_fen", "discount_fen"),
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    app_id: Mapped[str | None] = mapped_column(ForeignKey("app.id"))  # None: packs for all apps
    state: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    discount_fen: Mapped[int] = mapped_column(BigInteger)
    ordered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    payment: Mapped[str | None] = mapped_column(String(16))
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    voucher_number: Mapped[str | None] = mapped_column(String(12))


class OrderLineRow(Base):
    """A product and its quantity, at the price at the time of the order."""

    __tablename__ = "pack_order_line"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    order_id: Mapped[str] = mapped_column(ForeignKey("pack_order.id"), primary_key=True)
    line: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("product.id"))
    capability: Mapped[str] = mapped_column(String(16))
    units: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[int]
    price_fen: Mapped[int] = mapped_column(BigInteger)


class VoucherRow(Base):
    """A voucher 卡券, identified by the SHA-256 of its code.

    `kind`: credit 代金券 (fen off), percent 优惠券 (percent off), goods 提货券 (one pack of `product_id` free).
    """

    __tablename__ = "voucher"
    __table_args__ = (
        CheckConstraint("value > 0", name="value"),
        Index("ix_voucher_account", "account_id", "ends_at"),
        Index("ix_voucher_order", "order_id"),
        Index("ix_voucher_ends_at", "ends_at"),
    )

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[int] = mapped_column(BigInteger)
    product_id: Mapped[str | None] = mapped_column(ForeignKey("product.id"))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"))  # None: any account with the code
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("pack_order.id"))  # the order that used it
    name: Mapped[str] = mapped_column(String(40), default="", server_default="")

    @property
    def number(self) -> str:
        """The number 券号 that pages and the audit trail show; it does not redeem the voucher."""
        return self.code_hash[:NUMBER_CHARACTERS]

    @property
    def used(self) -> bool:
        """Whether an order used it."""
        return self.order_id is not None


class RefundRow(Base):
    """A request to refund a whole, unused pack.

    `state`: pending, approved, rejected, failed (it was used) or withdrawn (by the customer). `note` is the reason that
    an operator gives for a rejection.
    """

    __tablename__ = "refund"
    __table_args__ = (
        Index(
            "uq_refund_pending",
            "pack_id",
            unique=True,
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_refund_account", "account_id", "requested_at"),
        Index("ix_refund_state", "state", "requested_at"),
        Index("ix_refund_decided", "account_id", "state", "decided_at", "amount_fen"),
    )

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    pack_id: Mapped[str] = mapped_column(ForeignKey("pack.id"))
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    state: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, default="", server_default="")


class BalanceEntryRow(Base):
    """One change of the balance 账户余额 of a main account. Entries are only added; the last one holds the balance.

    `seq` counts the entries of the account from 1. `kind`: top-up, withdrawal, payment (of `order_id`) or refund (of
    `refund_id`); each order is paid at most once, each refund returned at most once.
    """

    __tablename__ = "balance_entry"
    __table_args__ = (
        CheckConstraint("balance_fen >= 0", name="balance"),
        CheckConstraint("amount_fen <> 0", name="amount"),
        CheckConstraint("(kind IN ('top-up', 'refund')) = (amount_fen > 0)", name="sign"),
        UniqueConstraint("order_id", name="uq_balance_entry_order"),
        UniqueConstraint("refund_id", name="uq_balance_entry_refund"),
    )

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    balance_fen: Mapped[int] = mapped_column(BigInteger)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("pack_order.id"))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey("refund.id"))
    note: Mapped[str] = mapped_column(Text)
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    entered_by: Mapped[str] = mapped_column(String(64))
