"""Tables of the takeover: where the calls of an app go, and the switch above all of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime


class RouteRow(Base):
    """Where the calls of an app to one capability are answered; without a row: here.

    `mode` is "mirror", "split" or "local", `percent` the share of calls answered here.
    """

    __tablename__ = "takeover_route"
    __table_args__ = (
        CheckConstraint("mode IN ('mirror', 'split', 'local')", name="mode"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
    )

    app_id: Mapped[str] = mapped_column(ForeignKey("app.id"), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    mode: Mapped[str] = mapped_column(String(8))
    percent: Mapped[int] = mapped_column(SmallInteger)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SwitchRow(Base):
    """The only row, id 1: `override` is "", "local" or "cloud"; `version` grows with every change of any route."""

    __tablename__ = "takeover_switch"
    __table_args__ = (CheckConstraint("override IN ('', 'local', 'cloud')", name="override"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    override: Mapped[str] = mapped_column(String(8))
    version: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
