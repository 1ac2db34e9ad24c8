"""Tables of users and sessions. Passwords are stored as Argon2id hashes, session tokens as SHA-256."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from inkgate.service.db.base import Base, UtcDateTime, identifier
from inkgate.service.permissions.roles import CUSTOMER_KIND, OPERATOR_KIND, Role, role_of

OPERATOR = OPERATOR_KIND
CUSTOMER = CUSTOMER_KIND


class UserRow(Base):
    """A person who may sign in. `role` is operator (no account) or customer (of `account_id`); `duty` is the role in
    the sense of `permissions.Role`, None for the one that may do everything.

    `login_key` is the login in lower case, unique; None for logins that differed by case only before there was a key.
    `sealed_factor` is the key of the second factor, confirmed at `factor_at`; `factor_step` is the last time step whose
    code was used.
    """

    __tablename__ = "console_user"
    __table_args__ = (
        CheckConstraint("(role = 'customer') = (account_id IS NOT NULL)", name="role"),
        Index("uq_console_user_login_key", "login_key", unique=True),
    )

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
    duty: Mapped[str | None] = mapped_column(String(16))
    login_key: Mapped[str | None] = mapped_column(String(64))
    password_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sealed_factor: Mapped[bytes | None] = mapped_column(
        LargeBinary, info={"sealed_context": "console_user.factor:{id}"}
    )
    factor_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    factor_step: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def held_role(self) -> Role | None:
        """The role; None when the columns do not fit, which may do nothing."""
        return role_of(self.role, self.duty)


class SessionRow(Base):
    """A signed-in browser. `csrf` is the token that its forms must carry; `proved_at` is the last password entered.
    `method` is how the user signed in: "password", "ldap", "oidc"; `address` and `browser` are those of the sign-in.
    """

    __tablename__ = "console_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("console_user.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    proved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str | None] = mapped_column(String(45))
    browser: Mapped[str | None] = mapped_column(String(200))
    method: Mapped[str | None] = mapped_column(String(16))


class RecoveryCodeRow(Base):
    """A recovery code that has not been used, as its SHA-256: it replaces one code of the second factor."""

    __tablename__ = "console_recovery_code"

    user_id: Mapped[str] = mapped_column(ForeignKey("console_user.id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class OldPasswordRow(Base):
    """The hash of a password that a user had before, kept while the rules refuse its reuse."""

    __tablename__ = "console_old_password"

    user_id: Mapped[str] = mapped_column(ForeignKey("console_user.id"), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(128))


class AttemptRow(Base):
    """Attempts to sign in of an address or a login, in a window of time that began with the first of them. `key` is a
    SHA-256: what was typed as a login may be a password."""

    __tablename__ = "console_attempt"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    count: Mapped[int] = mapped_column(Integer)
    refused: Mapped[int] = mapped_column(Integer)


class FormUseRow(Base):
    """A form that a session has sent. `location` is the page that its answer named, None until it has been answered.

    `key` is the SHA-256 of session, form token, path and fields, see `forms.key_of`. The row ends with its session.
    """

    __tablename__ = "console_form_use"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    session: Mapped[str] = mapped_column(ForeignKey("console_session.token_hash", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    location: Mapped[str | None] = mapped_column(Text)


class ShownSecretRow(Base):
    """A secret that a session may see on one page until `expires_at`. The row ends with its session.

    `page` is the path below the console; `sealed_secret` is JSON, see `shown_secrets`.
    """

    __tablename__ = "console_shown_secret"

    id: Mapped[str] = mapped_column(identifier(), primary_key=True)
    session: Mapped[str] = mapped_column(ForeignKey("console_session.token_hash", ondelete="CASCADE"), index=True)
    page: Mapped[str] = mapped_column(String(200))
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary, info={"sealed_context": "console_shown_secret:{id}"})
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
