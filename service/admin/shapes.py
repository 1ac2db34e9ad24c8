"""What goes in and out of the admin API. Money is in fen, instants are RFC 3339 with zone, secrets are shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from inkgate.service.admin.fields import Id, Moment, ProductId, Text, Word


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class NewAccount(Shape):
    name: Text
    parent_id: Id | None = Field(None, description="Main account; makes this a sub-account.")


class AccountOut(Shape):
    id: str
    name: str
    parent_id: str | None
    suspended_at: datetime | None
    created_at: datetime


class Suspension(Shape):
    suspended: StrictBool


class KeyOut(Shape):
    ak: str
    created_at: datetime
    last_used_at: datetime | None
    ends_at: datetime | None
    disabled_at: datetime | None


class NewKey(Shape):
    ak: str
    sk: str = Field(description="Shown this once.")


class Rotation(Shape):
    overlap_hours: StrictFloat = Field(24.0, ge=0, le=24 * 365)


class Disabling(Shape):
    disabled: StrictBool


class NewApp(Shape):
    name: Text = Field(description="4-15 characters: 汉字, letters, digits, underscores; begins with a letter or 汉字.")
    description: Text = ""


class CreatedApp(Shape):
    app_id: str
    name: str
    appkey: str
    secret: str = Field(description="AppSecret, shown this once.")
    enckey: str = Field(description="SM2 public key: base64 of its X.509 SPKI.")


class Opened(Shape):
    capability: str
    qps: float | None = Field(None, description="Requests per second; null: the installation's default.")
    allowed: list[str] = Field(default_factory=list, description="Networks that may call; empty: every address.")


class AppOut(Shape):
    id: str
    account_id: str
    name: str
    description: str
    appkey: str
    enckey: str
    extras: StrictBool
    created_at: datetime
    opened: list[Opened]
    allowed: list[str]


class Opening(Shape):
    qps: StrictFloat | None = None


class Networks(Shape):
    networks: list[Word] = Field(max_length=1000)


class NewPack(Shape):
    capability: Word
    units: StrictInt
    app_id: Id | None = Field(None, description="Bind the pack to this app.")


class PackOut(Shape):
    id: str
    capability: str
    app_id: str | None
    total: int
    used: int
    state: str = Field(description="pending, valid, exhausted, expired or refunded.")
    ordered_at: datetime
    starts_at: datetime
    ends_at: datetime
    order_id: str | None


class ProductOut(Shape):
    id: str
    capability: str
    units: int
    price_fen: int
    on_sale: bool


class ProductIn(Shape):
    capability: Word
    units: StrictInt
    price_fen: StrictInt
    on_sale: StrictBool = True


class NewOrder(Shape):
    quantities: dict[ProductId, StrictInt] = Field(max_length=100, description="Product id → quantity.")
    app_id: Id | None = None
    voucher: Text | None = None


class OrderOut(Shape):
    number: str
    account_id: str
    app_id: str | None
    state: str
    amount_fen: int
    discount_fen: int
    ordered_at: datetime
    decided_at: datetime | None
    decided_by: str | None


class NewVoucher(Shape):
    kind: Word = Field(description="credit (fen), percent, or goods.")
    value: StrictInt = 1
    product_id: ProductId | None = None
    account_id: Id | None = None
    ends_at: Moment | None = Field(None, description="Later than now; null: in a year.")


class VoucherCode(Shape):
    code: str = Field(description="Shown this once.")


class NewRefund(Shape):
    pack_id: Id
    reason: Text = ""


class RefundOut(Shape):
    id: str
    pack_id: str
    account_id: str
    state: str
    amount_fen: int
    reason: str
    requested_at: datetime
    decided_at: datetime | None
    decided_by: str | None


class UsageOut(Shape):
    key: list[str | int]
    calls: int
    images: int
    failed_images: int
    units: int
    body_bytes: int
    mean_ms: float
    refused: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class EventOut(Shape):
    at: datetime
    actor: str
    action: str
    subject: str
    account_id: str | None
    detail: dict[str, Any]


class FindingOut(Shape):
    kind: str
    where: str
    what: str


class Proof(Shape):
    sound: bool
    lines: int
    findings: list[FindingOut]
