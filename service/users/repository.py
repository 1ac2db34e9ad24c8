"""Queries over users and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CursorResult, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.db import ids, upsert
from inkgate.service.db.changes import guarded_update, set_or_clear
from inkgate.service.users.models import (
    OPERATOR,
    AttemptRow,
    FormUseRow,
    OldPasswordRow,
    RecoveryCodeRow,
    SessionRow,
    ShownSecretRow,
    UserRow,
)


async def has_users(session: AsyncSession) -> bool:
    """Whether there is any user; False on a new installation."""
    return bool(await session.scalar(select(func.count()).select_from(UserRow)))


async def lock_user_creation(session: AsyncSession) -> None:
    """Lock the creation of users until this transaction ends (SQLite has one writer anyway)."""
    if upsert.dialect_of(session) == "postgresql":
        await session.execute(text("LOCK TABLE console_user IN SHARE ROW EXCLUSIVE MODE"))


async def user(session: AsyncSession, user_id: str) -> UserRow | None:
    return await session.get(UserRow, user_id) if ids.is_canonical_uuid(user_id) else None


async def user_named(session: AsyncSession, login: str, *, lock: bool = False) -> UserRow | None:
    """A user by login, whatever its case; `lock` reads its current state and locks the row.

    Of logins from before they were unique in lower case, the exact spelling comes first.
    """
    query = select(UserRow).where(or_(UserRow.login == login, UserRow.login_key == login_key(login)))
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    found = list(await session.scalars(query.order_by(UserRow.id).limit(2)))
    return next((each for each in found if each.login == login), found[0] if found else None)


async def is_login_taken(session: AsyncSession, login: str) -> bool:
    """Whether there is a user whose login differs by case at most."""
    query = select(UserRow.id).where(func.lower(UserRow.login) == login_key(login)).limit(1)
    return await session.scalar(query) is not None


def login_key(login: str) -> str:
    """The key that makes a login unique: logins are ASCII, whose case both databases fold alike."""
    return login.lower()


async def lock_operators(session: AsyncSession) -> list[tuple[str, str | None]]:
    """(id, duty) of the operators who may sign in; their rows are locked until this transaction ends."""
    query = (
        select(UserRow.id, UserRow.duty)
        .where(UserRow.role == OPERATOR, UserRow.disabled_at.is_(None))
        .order_by(UserRow.id)
    )
    return [(row.id, row.duty) for row in await session.execute(query.with_for_update(key_share=True))]


async def disable(session: AsyncSession, user_id: str, at: datetime | None) -> bool:
    """Disable a user (`at` None: enable again); False when the user is in that state already."""
    return await set_or_clear(session, UserRow.disabled_at, at, UserRow.id == user_id)


async def change_password(session: AsyncSession, user_id: str, old_hash: str, new_hash: str, at: datetime) -> bool:
    """A user's own new password; False when `old_hash` is not current or the user is disabled."""
    change = update(UserRow).where(
        UserRow.id == user_id, UserRow.password_hash == old_hash, UserRow.disabled_at.is_(None)
    )
    return await guarded_update(session, change.values(password_hash=new_hash, must_change=False, password_at=at))


async def reset_password(session: AsyncSession, user_id: str, new_hash: str, at: datetime) -> bool:
    """Set a password that the user must change, and end a lock. False when there is no such user."""
    change = update(UserRow).where(UserRow.id == user_id)
    return await guarded_update(
        session,
        change.values(password_hash=new_hash, must_change=True, failures=0, locked_until=None, password_at=at),
    )


async def old_passwords(session: AsyncSession, user_id: str, limit: int) -> list[str]:
    """The hashes of the passwords that a user had before, latest first."""
    query = select(OldPasswordRow.password_hash).where(OldPasswordRow.user_id == user_id)
    return list(await session.scalars(query.order_by(OldPasswordRow.ended_at.desc()).limit(limit)))


async def keep_old_password(session: AsyncSession, user_id: str, password_hash: str, at: datetime, keep: int) -> None:
    """Remember a password that ended now, and forget all but the latest `keep`."""
    session.add(OldPasswordRow(user_id=user_id, ended_at=at, password_hash=password_hash))
    await session.flush()
    kept = select(OldPasswordRow.ended_at).where(OldPasswordRow.user_id == user_id)
    ends = list(await session.scalars(kept.order_by(OldPasswordRow.ended_at.desc()).limit(keep)))
    await session.execute(
        delete(OldPasswordRow).where(OldPasswordRow.user_id == user_id, OldPasswordRow.ended_at.not_in(ends))
    )


async def set_pending_factor(session: AsyncSession, user_id: str, sealed: bytes) -> bool:
    """Store the key of a second factor that is not confirmed; False when the user has a confirmed one."""
    change = update(UserRow).where(UserRow.id == user_id, UserRow.factor_at.is_(None))
    return await guarded_update(session, change.values(sealed_factor=sealed, factor_step=None))


async def add_recovery_codes(session: AsyncSession, user_id: str, hashes: list[str]) -> None:
    session.add_all(RecoveryCodeRow(user_id=user_id, code_hash=each) for each in hashes)
    await session.flush()


async def use_recovery_code(session: AsyncSession, user_id: str, code_hash: str) -> bool:
    """Remove a recovery code; False when there is no such code any more."""
    used = delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id, RecoveryCodeRow.code_hash == code_hash)
    result = await session.execute(used)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def delete_recovery_codes(session: AsyncSession, user_id: str) -> None:
    await session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id))


async def count_recovery_codes(session: AsyncSession, user_id: str) -> int:
    query = select(func.count()).select_from(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id)
    return int(await session.scalar(query) or 0)


async def touch(session: AsyncSession, token_hash: str, now: datetime, seen_before: datetime) -> bool:
    """Update `seen_at` if it is older than `seen_before`. False when it is not, or the session has ended."""
    change = update(SessionRow).where(SessionRow.token_hash == token_hash, SessionRow.seen_at < seen_before)
    return await guarded_update(session, change.values(seen_at=now))


async def mark_password_proved(session: AsyncSession, token_hash: str, now: datetime) -> bool:
    """Set `proved_at` of a session; False when it has ended."""
    change = update(SessionRow).where(SessionRow.token_hash == token_hash).values(proved_at=now)
    return await guarded_update(session, change)


async def users(
    session: AsyncSession, account_id: str | None = None, *, limit: int = 200, offset: int = 0
) -> list[UserRow]:
    """Users of an account, or all, ordered by login."""
    query = select(UserRow).order_by(UserRow.login).limit(limit).offset(offset)
    if account_id is not None:
        query = query.where(UserRow.account_id == account_id)
    return list(await session.scalars(query))


async def first_users(session: AsyncSession, account_ids: Sequence[str], limit: int) -> dict[str, list[UserRow]]:
    """Account id → at most `limit` of its users, ordered by login."""
    place = func.row_number().over(partition_by=UserRow.account_id, order_by=UserRow.login).label("place")
    ranked = select(UserRow.id, place).where(UserRow.account_id.in_(account_ids)).subquery()
    query = select(UserRow).join(ranked, ranked.c.id == UserRow.id).where(ranked.c.place <= limit)
    found: dict[str, list[UserRow]] = {}
    for row in await session.scalars(query.order_by(UserRow.login)):
        found.setdefault(row.account_id or "", []).append(row)
    return found


async def count_users(session: AsyncSession, account_id: str) -> int:
    query = select(func.count()).select_from(UserRow).where(UserRow.account_id == account_id)
    return await session.scalar(query) or 0


async def operators(session: AsyncSession, *, limit: int = 200, offset: int = 0) -> list[UserRow]:
    """The operators, including disabled ones, ordered by login."""
    query = select(UserRow).where(UserRow.role == OPERATOR).order_by(UserRow.login).limit(limit).offset(offset)
    return list(await session.scalars(query))


async def signed_in(session: AsyncSession, token_hash: str) -> tuple[SessionRow, UserRow] | None:
    query = select(SessionRow, UserRow).join(UserRow, UserRow.id == SessionRow.user_id)
    row = (await session.execute(query.where(SessionRow.token_hash == token_hash))).one_or_none()
    return (row[0], row[1]) if row is not None else None


async def sessions(
    session: AsyncSession,
    seen_since: datetime,
    begun_since: datetime,
    *,
    user_id: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[tuple[SessionRow, UserRow]]:
    """Live sessions with their users, last seen first; of one user if one is given."""
    query = (
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.seen_at >= seen_since, SessionRow.created_at >= begun_since)
        .order_by(SessionRow.seen_at.desc(), SessionRow.token_hash)
    )
    if user_id is not None:
        query = query.where(SessionRow.user_id == user_id)
    return [(row[0], row[1]) for row in await session.execute(query.limit(limit).offset(offset))]


async def end_session(session: AsyncSession, prefix: str, user_id: str | None) -> UserRow | None:
    """Delete the session whose token hash begins with `prefix`; its user, or None when there is none."""
    query = (
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.token_hash.startswith(prefix, autoescape=True))
    )
    if user_id is not None:
        query = query.where(SessionRow.user_id == user_id)
    found = (await session.execute(query.limit(1))).one_or_none()
    if found is None:
        return None
    await session.execute(delete(SessionRow).where(SessionRow.token_hash == found[0].token_hash))
    return found[1]


async def delete_sessions(session: AsyncSession, user_id: str, *, but: str = "") -> None:
    """End the sessions of a user, all but the one with the token hash `but`."""
    await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.token_hash != but))


async def delete_session(session: AsyncSession, token_hash: str) -> None:
    await session.execute(delete(SessionRow).where(SessionRow.token_hash == token_hash))


async def delete_expired_sessions(session: AsyncSession, seen_before: datetime, begun_before: datetime) -> None:
    expired = or_(SessionRow.seen_at < seen_before, SessionRow.created_at < begun_before)
    await session.execute(delete(SessionRow).where(expired))


async def attempt(session: AsyncSession, key: str, now: datetime, expired: datetime) -> AttemptRow:
    """The attempts of a key, locked until the transaction ends; a window that began by `expired` begins again."""
    first = {"key": key, "begun_at": now, "count": 0, "refused": 0}
    await session.execute(upsert.insert_or_ignore(upsert.dialect_of(session), AttemptRow), first)
    query = select(AttemptRow).where(AttemptRow.key == key).with_for_update()
    row = (await session.scalars(query.execution_options(populate_existing=True))).one()
    if expired < row.begun_at <= now:
        return row
    change = update(AttemptRow).where(AttemptRow.key == key).values(begun_at=now, count=0, refused=0)
    await session.execute(change.execution_options(synchronize_session=False))
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def count_attempt(session: AsyncSession, key: str, *, allowed: bool) -> None:
    """Count an attempt of a key, as one that may proceed or as a refused one."""
    column = AttemptRow.count if allowed else AttemptRow.refused
    change = update(AttemptRow).where(AttemptRow.key == key).values({column: column + 1})
    await session.execute(change.execution_options(synchronize_session=False))


async def take_back_attempts(session: AsyncSession, keys: Sequence[str], attempts: int) -> None:
    """Subtract attempts of some keys, in the order of keys, so that two transactions cannot wait for each other."""
    for key in keys:
        change = update(AttemptRow).where(AttemptRow.key == key, AttemptRow.count >= attempts)
        change = change.values(count=AttemptRow.count - attempts)
        await session.execute(change.execution_options(synchronize_session=False))


async def delete_old_attempts(session: AsyncSession, expired: datetime) -> None:
    """Delete the rows whose window began by `expired`, those in use by another transaction left out."""
    old = select(AttemptRow.key).where(AttemptRow.begun_at <= expired).with_for_update(skip_locked=True)
    change = delete(AttemptRow).where(AttemptRow.key.in_(old))
    await session.execute(change.execution_options(synchronize_session=False))


async def claim_form(session: AsyncSession, key: str, of_session: str, at: datetime) -> bool:
    """Insert the use of a form; False when there is one with this key."""
    values = {"key": key, "session": of_session, "created_at": at}
    result = await session.execute(upsert.insert_or_ignore(upsert.dialect_of(session), FormUseRow), values)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def form_use(session: AsyncSession, key: str) -> FormUseRow | None:
    """The use of a form as it is now."""
    return await session.get(FormUseRow, key, populate_existing=True)


async def answer_form(session: AsyncSession, key: str, location: str) -> None:
    await session.execute(update(FormUseRow).where(FormUseRow.key == key).values(location=location))


async def release_form(session: AsyncSession, key: str) -> None:
    await session.execute(delete(FormUseRow).where(FormUseRow.key == key))


async def forget_old_forms(session: AsyncSession, of_session: str, keep: int) -> None:
    """Delete the uses of a session but for the latest `keep`."""
    latest = select(FormUseRow.created_at).where(FormUseRow.session == of_session)
    oldest = latest.order_by(FormUseRow.created_at.desc()).offset(keep).limit(1).scalar_subquery()
    await session.execute(delete(FormUseRow).where(FormUseRow.session == of_session, FormUseRow.created_at <= oldest))


async def add_shown_secret(session: AsyncSession, row: ShownSecretRow, keep: int) -> None:
    """Store a secret, and delete the secrets of its session but for the latest `keep`."""
    session.add(row)
    await session.flush()
    kept = select(ShownSecretRow.id).where(ShownSecretRow.session == row.session)
    ids_kept = list(
        await session.scalars(kept.order_by(ShownSecretRow.created_at.desc(), ShownSecretRow.id.desc()).limit(keep))
    )
    await session.execute(
        delete(ShownSecretRow).where(ShownSecretRow.session == row.session, ShownSecretRow.id.not_in(ids_kept))
    )


async def shown_secrets(session: AsyncSession, of_session: str, page: str, now: datetime) -> list[ShownSecretRow]:
    """The secrets that a session may see on a page, latest first."""
    query = select(ShownSecretRow).where(
        ShownSecretRow.session == of_session, ShownSecretRow.page == page, ShownSecretRow.expires_at > now
    )
    return list(await session.scalars(query.order_by(ShownSecretRow.created_at.desc(), ShownSecretRow.id.desc())))


async def forget_shown_secret(session: AsyncSession, of_session: str, secret_id: str) -> str | None:
    """Delete a secret of a session; the page it was on, None when there is no such secret."""
    row = await session.get(ShownSecretRow, secret_id) if ids.is_canonical_uuid(secret_id) else None
    if row is None or row.session != of_session:
        return None
    await session.delete(row)
    return row.page


async def delete_expired_secrets(session: AsyncSession, now: datetime) -> None:
    await session.execute(delete(ShownSecretRow).where(ShownSecretRow.expires_at <= now))
