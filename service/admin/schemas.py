"""Request and response bodies of the admin API. Money is in fen, instants are RFC 3339 with zone, secrets appear once.

The class names are the schema names of the OpenAPI description.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat

from inkgate.service.admin.fields import Id, Instant, Integer, LongText, ProductId, ShortText
from inkgate.service.importing.reading import MAX_ROWS


class AdminModel(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class NewAccount(AdminModel):
    name: LongText
    parent_id: Id | None = Field(None, description="Main account; makes this a sub-account.")


class AccountOut(AdminModel):
    id: str
    name: str
    parent_id: str | None
    suspended_at: datetime | None
    created_at: datetime


class CreatedApp(AdminModel):
    app_id: str
    name: str
    appkey: str
    secret: str = Field(description="AppSecret, shown this once.")
    enckey: str = Field(description="SM2 public key: base64 of its X.509 SPKI.")


class CreatedAccount(AccountOut):
    default_app: CreatedApp | None = Field(description="The app made with the account, with its secret; null: none.")


class Suspension(AdminModel):
    suspended: StrictBool


class KeyOut(AdminModel):
    ak: str
    created_at: datetime
    last_used_at: datetime | None
    ends_at: datetime | None
    disabled_at: datetime | None


class NewKey(AdminModel):
    ak: str
    sk: str = Field(description="Shown this once.")


class Rotation(AdminModel):
    overlap_hours: StrictFloat = Field(24.0, ge=0, le=24 * 365)


class Disabling(AdminModel):
    disabled: StrictBool


class NewApp(AdminModel):
    name: LongText = Field(
        description="Unique within the account; 4-15 characters: 汉字, letters, digits, underscores; begins with a "
        "letter or 汉字."
    )
    description: LongText = ""


class Opened(AdminModel):
    capability: str
    qps: float | None = Field(None, description="Requests per second; null: the installation's default.")
    allowed: list[str] = Field(default_factory=list, description="Networks that may call; empty: every address.")


class AppOut(AdminModel):
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


class Opening(AdminModel):
    qps: StrictFloat | None = None


class Networks(AdminModel):
    networks: list[ShortText] = Field(max_length=1000)


class NewPack(AdminModel):
    capability: ShortText
    units: Integer
    app_id: Id | None = Field(None, description="Bind the pack to this app.")


class PackOut(AdminModel):
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


class ProductOut(AdminModel):
    id: str
    capability: str
    units: int
    price_fen: int
    on_sale: bool


class ProductIn(AdminModel):
    capability: ShortText
    units: Integer
    price_fen: Integer
    on_sale: StrictBool = True


class NewOrder(AdminModel):
    quantities: dict[ProductId, Integer] = Field(max_length=100, description="Product id → quantity.")
    app_id: Id | None = None
    voucher: LongText | None = None


class OrderOut(AdminModel):
    number: str
    account_id: str
    app_id: str | None
    state: str
    amount_fen: int
    discount_fen: int
    ordered_at: datetime
    payment: str | None = Field(description="balance, voucher or offline; null before the payment.")
    paid_at: datetime | None
    voucher_number: str | None
    decided_at: datetime | None
    decided_by: str | None


class NewVoucher(AdminModel):
    kind: ShortText = Field(description="credit (fen), percent, or goods.")
    value: Integer = 1
    product_id: ProductId | None = None
    account_id: Id | None = None
    ends_at: Instant | None = Field(None, description="Later than now; null: in a year.")
    name: ShortText = Field("", description="Shown to the customer; at most 40 characters.")


class VoucherCode(AdminModel):
    code: str = Field(description="Shown this once.")


class VoucherOut(AdminModel):
    number: str
    kind: str
    value: int
    name: str
    product_id: str | None
    account_id: str | None
    starts_at: datetime
    ends_at: datetime
    used: bool


class BalanceChange(AdminModel):
    amount_fen: Integer = Field(description="Above 0 a top-up, below 0 a withdrawal.")
    note: LongText = Field("", description="At most 200 characters.")


class BalanceEntryOut(AdminModel):
    seq: int
    kind: str
    amount_fen: int
    balance_fen: int
    note: str
    entered_at: datetime
    entered_by: str


class BalanceOut(AdminModel):
    balance_fen: int
    entries: list[BalanceEntryOut] = Field(description="The latest first.")


class Rejection(AdminModel):
    note: LongText = Field("", description="The reason, which the customer sees.")


class NewRefund(AdminModel):
    pack_id: Id
    reason: LongText = ""


class RefundOut(AdminModel):
    id: str
    pack_id: str
    account_id: str
    state: str
    amount_fen: int
    reason: str
    requested_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    note: str


class UsageOut(AdminModel):
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


class EventOut(AdminModel):
    at: datetime
    actor: str
    action: str
    subject: str
    account_id: str | None
    detail: dict[str, Any]
    result: str | None = Field(description="done, refused or failed; null in events of a release before the chain.")
    surface: str | None = Field(description="console, admin, cli or system.")
    address: str | None
    session: str | None
    subject_name: str | None
    account_name: str | None
    sequence: int | None = Field(description="The place in the chain, without gaps.")
    hash: str | None


class AuditKeyOut(AdminModel):
    id: str
    public_key: str = Field(description="Base64 of an X.509 SubjectPublicKeyInfo for SM2.")
    created_at: datetime


class FindingOut(AdminModel):
    kind: str
    where: str
    what: str


class AuditProof(AdminModel):
    sound: bool
    events: int
    checkpoints: int
    findings: list[FindingOut]


class Proof(AdminModel):
    sound: bool
    lines: int
    findings: list[FindingOut]


class Import(AdminModel):
    records: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MAX_ROWS,
        description="As in a file of `inkgate account import`; `inkgate account import --template --json` prints one.",
    )
    apply: StrictBool = Field(False, description="Write it. Without this the import is only tried.")


class ImportProblem(AdminModel):
    row: int = Field(description="Place in `records`, from 1.")
    field: str = Field(description="Empty when it concerns the whole record.")
    code: str
    detail: str


class SealingAppOut(AdminModel):
    app: str
    account: str
    own_key: bool = Field(description="Whether its SM2 key pair came along.")
    enckey: str = Field(description="The public key that its clients need; empty in a dry run.")


class ImportOut(AdminModel):
    applied: bool
    counts: dict[str, int] = Field(description="Kind of record → number in the request.")
    sealing: list[SealingAppOut] = Field(description="Apps whose clients seal bodies.")


class ImportRefusal(AdminModel):
    detail: str
    code: str
    params: dict[str, int]
    problems: list[ImportProblem] = Field(description="At most 200 of them, in order of rows.")
