"""Channels of accounts and operators: made, tried, paused, removed. Their secrets are sealed and never shown again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

from inkgate.service.accounts.vault import Vault
from inkgate.service.audit import trail
from inkgate.service.db import ids
from inkgate.service.db.changes import add
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.notices import repository
from inkgate.service.notices.delivery import config_context
from inkgate.service.notices.evaluation import notice_row
from inkgate.service.notices.kinds import CUSTOMER_KINDS, OPERATOR_KINDS, ChannelKind, Condition, Kind
from inkgate.service.notices.models import TARGET_CHARACTERS, ChannelRow
from inkgate.service.notices.outbound import UrlRefused, parse_url
from inkgate.service.notices.outgoing import Algorithm, ChannelConfig
from inkgate.service.settings import MAIL_ADDRESS, Notices

MAX_CHANNELS = 10  # of one account, or of the operators
MAX_ADDRESSES = 10
MAX_NAME_CHARACTERS = 40
MAX_SECRET_CHARACTERS = 200
SECRET_BYTES = 24
TEST_PAUSE = timedelta(minutes=1)
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel as typed. `addresses` of e-mail are separated by commas, blanks or lines; `url` and `secret` are those
    of a webhook or robot. `kinds` empty: every kind. `language` empty: that of the settings."""

    kind: ChannelKind
    name: str
    addresses: str = ""
    url: str = ""
    secret: str = ""
    algorithm: Algorithm = "sha256"
    language: str = ""
    kinds: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MadeChannel:
    """A new channel, and the secret made for it: "" when the user gave one, or it has none."""

    row: ChannelRow
    secret: str


async def create(
    work: UnitOfWork, vault: Vault, settings: Notices, account_id: str | None, new: NewChannel
) -> MadeChannel:
    """A channel of a main account, or of the operators (`account_id` None). Raises Misuse."""
    if len(await repository.channels(work.session, account_id)) >= MAX_CHANNELS:
        raise Misuse("notice.too_many_channels", most=MAX_CHANNELS)
    name = new.name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise Misuse("notice.name_invalid", most=MAX_NAME_CHARACTERS)
    _check_kinds(new.kinds, account_id)
    language = new.language or settings.language
    if language not in LANGUAGES:
        raise Misuse("notice.language_unknown", language=language[:8])
    config, made = _config(new, settings, customer=account_id is not None)
    channel_id = ids.new()
    row = ChannelRow(
        id=channel_id,
        account_id=account_id,
        kind=new.kind.value,
        name=name,
        target=_target(config),
        language=language,
        kinds=list(new.kinds),
        sealed_config=vault.seal(json.dumps(asdict(config)).encode(), config_context(channel_id)),
        created_at=await work.now(),
        paused_at=None,
        filled_at=None,
        busy_until=None,
    )
    await add(work.session, row)
    await trail.record(work, "notice.channel_create", f"channel {channel_id}", account_id, kind=row.kind, name=name)
    return MadeChannel(row, made)


def _check_kinds(kinds: Sequence[str], account_id: str | None) -> None:
    known = OPERATOR_KINDS if account_id is None else CUSTOMER_KINDS
    for each in kinds:
        if each not in known:
            raise Misuse("notice.kind_unknown", kind=each[:24], choices=tuple(kind.value for kind in known))


def _config(new: NewChannel, settings: Notices, *, customer: bool) -> tuple[ChannelConfig, str]:
    """The secret part of a channel, and the secret if it was made here. Raises Misuse."""
    if new.kind is ChannelKind.EMAIL:
        return ChannelConfig(addresses=_addresses(new.addresses)), ""
    try:
        parse_url(new.url.strip(), settings, customer=customer)
    except UrlRefused as refused:
        raise _url_problem(refused, new.url, settings) from None
    secret = new.secret.strip()
    if len(secret) > MAX_SECRET_CHARACTERS or not secret.isprintable():
        raise Misuse("notice.secret_invalid", most=MAX_SECRET_CHARACTERS)
    config = ChannelConfig(url=new.url.strip(), secret=secret, algorithm=new.algorithm)
    if new.kind is ChannelKind.WEBHOOK and not secret:
        made = secrets.token_hex(SECRET_BYTES)
        return replace(config, secret=made), made
    return config, ""


def _addresses(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text.replace(",", " ").replace("，", " ").replace(";", " ").split()))
    if not 1 <= len(found) <= MAX_ADDRESSES:
        raise Misuse("notice.addresses_missing", most=MAX_ADDRESSES)
    for each in found:
        if not MAIL_ADDRESS.fullmatch(each):
            raise Misuse("notice.address_invalid", address=each[:80])
    return found


def _url_problem(refused: UrlRefused, url: str, settings: Notices) -> Misuse:
    if refused.reason == "not_https":
        return Misuse("notice.url_not_https")
    if refused.reason == "host_not_allowed":
        host = (urlsplit(url.strip()).hostname or "")[:100]
        return Misuse("notice.url_host_not_allowed", host=host, choices=settings.customer_hosts or ("-",))
    return Misuse("notice.url_invalid")


def _target(config: ChannelConfig) -> str:
    """The part of a configuration that may be shown: addresses, or the host without path and query."""
    if config.addresses:
        return ", ".join(config.addresses)[:TARGET_CHARACTERS]
    parts = urlsplit(config.url)
    return f"{parts.scheme}://{parts.netloc}/…"[:TARGET_CHARACTERS]


async def get(work: UnitOfWork, channel_id: str, owner_id: str | None) -> ChannelRow:
    """A channel of an account, or of the operators. Raises Misuse."""
    row = await repository.channel(work.session, channel_id) if ids.is_canonical_uuid(channel_id) else None
    if row is None or row.account_id != owner_id:
        raise Misuse("notice.channel_not_found")
    return row


async def remove(work: UnitOfWork, channel_id: str, owner_id: str | None) -> None:
    """Remove a channel; what waits on it is not sent. Raises Misuse."""
    row = await get(work, channel_id, owner_id)
    await repository.remove_channel(work.session, channel_id, await work.now())
    await trail.record(work, "notice.channel_remove", f"channel {channel_id}", owner_id, kind=row.kind, name=row.name)


async def pause(work: UnitOfWork, channel_id: str, owner_id: str | None, *, paused: bool) -> None:
    """Pause or resume a channel. Notices that come meanwhile are not posted on it. Raises Misuse."""
    await get(work, channel_id, owner_id)
    if not await repository.pause(work.session, channel_id, await work.now() if paused else None):
        raise Misuse("notice.already_so")
    action = "notice.channel_pause" if paused else "notice.channel_resume"
    await trail.record(work, action, f"channel {channel_id}", owner_id)


async def test(work: UnitOfWork, channel_id: str, owner_id: str | None) -> str:
    """Post a test notice, which goes the way of every other; returns its id. Raises Misuse."""
    row = await get(work, channel_id, owner_id)
    now = await work.now()
    if row.paused_at is not None:
        raise Misuse("notice.channel_paused")
    if await repository.last_test(work.session, channel_id, now - TEST_PAUSE):
        raise Misuse("notice.test_too_soon", seconds=round(TEST_PAUSE.total_seconds()))
    made = notice_row(row, Condition(f"test:{ids.new()}", Kind.TEST, owner_id, {}), now, now)
    await repository.post(work.session, [made])
    await trail.record(work, "notice.test", f"channel {channel_id}", owner_id)
    return str(made["id"])


async def retry(work: UnitOfWork, notice_id: str, owner_id: str | None) -> None:
    """Send a failed notice again. Raises Misuse."""
    row = await repository.notice(work.session, notice_id) if ids.is_canonical_uuid(notice_id) else None
    if row is None or row.owner_id != owner_id:
        raise Misuse("notice.not_found")
    if not await repository.retry(work.session, notice_id, await work.now()):
        raise Misuse("notice.not_failed")
    await trail.record(work, "notice.retry", f"notice {notice_id}", owner_id)
