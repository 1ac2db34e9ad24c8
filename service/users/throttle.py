"""Limits sign-ins per address and login, and attempts at the set-up code, counted in the database: for all processes of
the console together.

A window begins with the first attempt of its key. The number of rows is bounded by the rate of password checks, each of
which is slow on purpose; rows of old windows are deleted at sign-ins.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Literal

from inkgate.service.audit import trail
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import repository

WINDOW = timedelta(minutes=15)
MAX_SETUPS_OF_ADDRESS = 10  # attempts at the set-up code per window and address; an IPv6 /64 counts as one address
MAX_SETUPS = 100  # attempts at it per window from all addresses, so that no more rows are made either
Kind = Literal["address", "login", "setup address", "setup"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that must not proceed: seconds to wait, and how many were refused in this window."""

    kind: Kind
    seconds: int
    refused: int


async def register(work: UnitOfWork, network: str, login: str, limits: tuple[int, int]) -> Refusal | None:
    """Count an attempt before it is decided; None when it may proceed. `network` is that of the address, `limits` are
    the attempts per address and per login in a window, 0 for no limit.

    Refusals are written to the audit trail as the first one, the tenth, the hundredth … of a key and window.
    """
    keys: tuple[tuple[Kind, str, int], ...] = (("address", network, limits[0]), ("login", login, limits[1]))
    now = await work.now()
    for kind, value, limit in keys:
        if not limit:
            continue
        row = await repository.attempt(work.session, _key(kind, value), now, now - WINDOW)
        if row.count < limit:
            await repository.count_attempt(work.session, row.key, allowed=True)
            continue
        await repository.count_attempt(work.session, row.key, allowed=False)
        refusal = Refusal(kind, _seconds_left(row.begun_at, now), row.refused + 1)
        if _is_power_of_ten(refusal.refused):
            await _record(work, refusal, login)
        return refusal
    return None


async def register_setup(work: UnitOfWork, network: str) -> Refusal | None:
    """Count an attempt at the set-up code before it is decided; None when it may proceed. Refused attempts of one
    address do not count for all, or a single guesser would lock out the operator."""
    now = await work.now()
    rows = []
    limits: tuple[tuple[Kind, str, int], ...] = (
        ("setup", "", MAX_SETUPS),
        ("setup address", network, MAX_SETUPS_OF_ADDRESS),
    )
    for kind, value, limit in limits:
        row = await repository.attempt(work.session, _key(kind, value), now, now - WINDOW)
        if row.count >= limit:
            await repository.count_attempt(work.session, row.key, allowed=False)
            refusal = Refusal(kind, _seconds_left(row.begun_at, now), row.refused + 1)
            if _is_power_of_ten(refusal.refused):
                await _record(work, refusal, "")
            return refusal
        rows.append(row)
    for row in rows:
        await repository.count_attempt(work.session, row.key, allowed=True)
    return None


async def forgive(work: UnitOfWork, network: str, login: str, attempts: int) -> None:
    """Take back counted attempts that made up a good sign-in; delete the rows of old windows."""
    keys = [_key("address", network), _key("login", login)]
    await repository.take_back_attempts(work.session, keys, attempts)
    await repository.delete_old_attempts(work.session, await work.now() - WINDOW)


async def _record(work: UnitOfWork, refusal: Refusal, login: str) -> None:
    subject, account_id = "sign-ins" if refusal.kind == "address" else "set-up code", None
    if refusal.kind == "login":
        user = await repository.user_named(work.session, login)
        subject, account_id = (f"user {user.login}", user.account_id) if user else ("unknown user", None)
    await trail.record(
        work, "user.throttle", subject, account_id, result="refused", by=refusal.kind, count=refusal.refused,
        wait_seconds=refusal.seconds,
    )  # fmt: skip


def network_of(client: str) -> str:
    """The key of an address: the IPv4 address, or the /64 network of an IPv6 address, since one customer owns it."""
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{int(address) >> 64:x}"
    return str(address)


def _key(kind: Kind, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode("utf-8", "replace")).hexdigest()


def _seconds_left(begun_at: datetime, now: datetime) -> int:
    return max(1, math.ceil((begun_at + WINDOW - now).total_seconds()))


def _is_power_of_ten(number: int) -> bool:
    return str(number).strip("0") == "1"
