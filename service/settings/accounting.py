"""What an account begins with; what is charged, ordered and kept in the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from inkgate.service.contract.app_names import APP_NAME
from inkgate.service.settings._group import SettingsGroup


class Accounts(SettingsGroup):
    """What a new account begins with (ADR 0090)."""

    default_app: str = Field(
        "默认应用",
        description="Name of the app that a new account or sub-account gets (manual 4.2); empty: none. Imported "
        "accounts have the apps of their file.",
    )

    @field_validator("default_app")
    @classmethod
    def _app_name(cls, name: str) -> str:
        if name and APP_NAME.fullmatch(name) is None:
            raise ValueError("must be 4 to 15 characters: 汉字, letters, digits, underscores; a letter or 汉字 first")
        return name


class Billing(SettingsGroup):
    """Units per event; the default is the manual's rule (7.1) as docs/adr/0003-billing.md reads it."""

    image_read: int = Field(1, ge=0, le=1, description="An image that was read.")
    image_fault: int = Field(1, ge=0, le=1, description="An image refused for its own fault (base64, format, size …).")
    request_fault: int = Field(1, ge=0, le=1, description="A request-level business error.")
    internal_fault: int = Field(0, ge=0, le=1, description="Our own error on an image (5000, 500001).")
    seal_fault: int = Field(0, ge=0, le=1, description="A sealed body that cannot be opened (40017 to 40020).")


class Orders(SettingsGroup):
    """How orders and refunds are decided (docs/adr/0033-orders.md)."""

    approval: Literal["operator", "immediate", "voucher"] = Field(
        "operator",
        description="Who makes an order's packs: an operator, the order itself (at once), a voucher that covers it.",
    )
    refunds: Literal["operator", "automatic"] = Field(
        "operator", description="Who decides a refund that the rules allow: an operator, or the rules alone (at once)."
    )
    payments: tuple[Literal["balance", "voucher", "offline"], ...] = Field(
        ("balance", "voucher", "offline"),
        min_length=1,
        description="How customers pay in the console: their balance, vouchers, or outside the service; see approval.",
    )
    agreement_file: Path | None = Field(
        None, description="Text file of the service agreement that customers accept; empty: the built-in text."
    )


class Ledger(SettingsGroup):
    """Keeping the ledger (docs/adr/0032-retention.md)."""

    retention_days: int = Field(400, ge=0, description="Days for which single lines are kept; 0 keeps them for ever.")
    housekeeping_minutes: float = Field(15.0, gt=0, description="Minutes between two rounds of housekeeping.")
    recheck_days: int = Field(
        30, ge=1, le=3650, description="Days within which housekeeping reads every line again, to see old ones changed."
    )
    clock_jump_minutes: float = Field(
        5.0, gt=0, le=1440, description="Minutes a clock may be off before nothing is settled by it (ADR 0036)."
    )
