"""Tables of what mirrored calls have shown: sums by day, and some different values."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier

MEASURE_CHARACTERS = 80
FIELD_CHARACTERS = 40
VALUE_CHARACTERS = 200


class FigureRow(Base):
    """A sum over the observed calls of an app to a capability on one day (Beijing time; `day` is its start).

    `measure` names the sum (`inkgate.service.takeover.measures`). Rows are added to by every gateway.
    """

    __tablename__ = "takeover_figure"
    __table_args__ = (Index("ix_takeover_figure_day", "day"), {"sqlite_with_rowid": False})

    app_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    day: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    measure: Mapped[str] = mapped_column(String(MEASURE_CHARACTERS), primary_key=True)
    account_id: Mapped[str] = mapped_column(identifier())
    count: Mapped[int] = mapped_column(BigInteger)


class DifferenceRow(Base):
    """Two different values of a field, cut at VALUE_CHARACTERS, and how often the pair came on one day.

    `slot` is derived from the two values; a pair whose slot is taken is not stored. So the number of rows of a field
    and day has a bound that no gateway has to enforce. Personal values are here only while the operator allows it.
    """

    __tablename__ = "takeover_difference"
    __table_args__ = (Index("ix_takeover_difference_day", "day"), {"sqlite_with_rowid": False})

    app_id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    capability: Mapped[str] = mapped_column(String(16), primary_key=True)
    day: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    field: Mapped[str] = mapped_column(String(FIELD_CHARACTERS), primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    account_id: Mapped[str] = mapped_column(identifier())
    personal: Mapped[bool]
    cloud: Mapped[str] = mapped_column(String(VALUE_CHARACTERS))
    local: Mapped[str] = mapped_column(String(VALUE_CHARACTERS))
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(Integer)
