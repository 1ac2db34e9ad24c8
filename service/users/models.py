"""Tables of users and sessions. Passwords are stored as Argon2id hashes, session tokens as SHA-256."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier

OPERATOR = "operator"
CUSTOMER = "customer"


class UserRow(Base):
    """A person who may sign in. `role` is operator (no account) or customer (of `account_id`)."""

    __tablename__ = "console_user"
    __table_args__ = (CheckConstraint("(role = 'customer') = (account_id IS NOT NULL)", name="role"),)

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.id"), index=True)
    failures: Mapped[int] = mapped_column(default=0)  # wrong passwords in a row
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    must_change: Mapped[bool] = mapped_column(default=False)  # the password was set by another user
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """A signed-in browser. `csrf` is the token that its forms must carry; `proved_at` is the last password entered."""

    __tablename__ = "console_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("console_user.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    proved_at: Mapped[datetime] = mapped_column(UtcDateTime)
