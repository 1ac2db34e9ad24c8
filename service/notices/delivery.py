"""The outbox → people: leases, attempts, back-off.

A process takes a channel with a lease, counts the attempt, and sends outside every transaction. So a channel has one
sender at a time and its notices keep their order; a process that dies leaves the channel to others when the lease ends,
and the notice that it was sending goes out again with the same id: at most once more for each crash.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts.vault import Vault
from inkgate.service.db import clock as clocks
from inkgate.service.db import work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import ConfigurationError
from inkgate.service.notices import repository, robots, texts, webhook
from inkgate.service.notices.email import Mailer
from inkgate.service.notices.evaluation import ACTOR
from inkgate.service.notices.kinds import ChannelKind, Kind, State
from inkgate.service.notices.models import ERROR_CHARACTERS, ChannelRow, NoticeRow
from inkgate.service.notices.outbound import Outbound
from inkgate.service.notices.outgoing import ChannelConfig, DeliveryFailed, OutgoingNotice
from inkgate.service.settings import Notices

CHANNELS_AT_ONCE = 8
PACE_SECONDS = 3.0  # between two notices on one channel: robots take 20 a minute
LEASE_STEPS = 12  # time limits that one attempt can use up: an SMTP session has so many steps at most
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 3600.0
_JITTER = 0.2

Observe = Callable[[str, str, str], None]
"""Receives (kind of notice, kind of channel, outcome): "sent", "retried", "failed"."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A notice that this process sends, on a channel that it has leased; `attempt` counts from 1."""

    notice: NoticeRow
    channel: ChannelRow
    attempt: int


def _ignore(_kind: str, _channel: str, _outcome: str) -> None:
    """Used without metrics."""


class Sender:
    """Sends what waits. Raises ConfigurationError when a file of authorities cannot be read."""

    def __init__(
        self,
        engine: AsyncEngine,
        vault: Vault,
        settings: Notices,
        observe: Observe = _ignore,
        *,
        pace: float = PACE_SECONDS,
        clock: Clock = database_clock,
    ) -> None:
        self._engine, self._vault, self._settings, self._observe = engine, vault, settings, observe
        self._pace, self._clock = timedelta(seconds=pace), clock
        self._outbound, self._mailer = Outbound(settings), Mailer(settings)

    async def run_once(self) -> int:
        """Send at most one notice on each of some channels; returns how many were tried. Raises SQLAlchemyError."""
        async with work.read_session(self._engine) as session:
            due = await repository.due_channels(session, await clocks.now(session, self._clock), CHANNELS_AT_ONCE)
        jobs = [job for job in [await self._take(channel_id) for channel_id in due] if job is not None]
        await asyncio.gather(*(self._run(job) for job in jobs))
        return len(jobs)

    async def backlog_seconds(self) -> float:
        """Age of the notice that has waited longest, 0 without one."""
        async with work.read_session(self._engine) as session:
            oldest = await repository.oldest_waiting(session)
            return max(0.0, (await clocks.now(session, self._clock) - oldest).total_seconds()) if oldest else 0.0

    async def _take(self, channel_id: str) -> Job | None:
        """Lease a channel and begin an attempt at its next notice; None when there is none any more."""
        lease = timedelta(seconds=self._settings.timeout * LEASE_STEPS)
        async with work.unit_of_work(self._engine, ACTOR, self._clock) as unit:
            now = await unit.now()
            if not await repository.lease_channel(unit.session, channel_id, now, now + lease):
                return None
            channel = await repository.channel(unit.session, channel_id)
            notice = await repository.next_notice(unit.session, channel_id, now)
            if (
                channel is None
                or notice is None
                or not await repository.begin_attempt(unit.session, notice, now + lease)
            ):
                await repository.release_channel(unit.session, channel_id, now)
                return None
            return Job(notice, channel, notice.attempts + 1)

    async def _run(self, job: Job) -> None:
        problem, remark = None, ""
        try:
            remark = await self._send(job)
        except DeliveryFailed as error:
            problem = str(error)
        except Exception as error:  # an unforeseen fault of one channel must not hold the others
            log.exception("a notice could not be sent", extra={"channel": job.channel.kind})
            problem = type(error).__name__
        await self._finish(job, problem, remark)

    async def _send(self, job: Job) -> str:
        """Send; returns a remark on the delivery, "" as a rule. Raises DeliveryFailed."""
        config = open_config(self._vault, job.channel)
        kind = Kind(job.notice.kind)
        text = texts.render(kind, job.notice.params, job.channel.language, job.notice.began_at)
        notice = OutgoingNotice(
            job.notice.id,
            kind,
            job.channel.language,
            text,
            job.notice.params,
            job.notice.account_id,
            job.notice.began_at,
        )
        way, customer = ChannelKind(job.channel.kind), job.channel.account_id is not None
        if way is ChannelKind.EMAIL:
            return await self._mailer.send(config, notice)
        if way is ChannelKind.WEBHOOK:
            await webhook.send(self._outbound, config, notice, customer=customer)
        else:
            await robots.send(self._outbound, way, config, notice, customer=customer)
        return ""

    async def _finish(self, job: Job, problem: str | None, remark: str) -> None:
        """Write the outcome and give the channel back."""
        gave_up = problem is not None and job.attempt >= self._settings.attempts
        async with work.unit_of_work(self._engine, ACTOR, self._clock) as unit:
            now = await unit.now()
            if problem is None:
                outcome: str = "sent"
                values: dict[str, object] = {
                    "state": State.SENT.value,
                    "ended_at": now,
                    "error": remark[:ERROR_CHARACTERS],
                }
            elif gave_up:
                outcome, values = "failed", {"state": State.FAILED.value, "ended_at": now}
            else:
                outcome, values = "retried", {"next_at": now + backoff(job.attempt)}
            if problem is not None:
                values["error"] = problem[:ERROR_CHARACTERS]
            await repository.end_attempt(unit.session, job.notice.id, job.attempt, **values)
            await repository.release_channel(unit.session, job.channel.id, now + self._pace)
        self._observe(job.notice.kind, job.channel.kind, outcome)
        if problem is not None:
            log.warning(
                "a notice was not delivered",
                extra={
                    "notice": job.notice.id,
                    "channel": job.channel.kind,
                    "attempt": job.attempt,
                    "problem": problem,
                },
            )


def backoff(attempt: int, random_number: Callable[[], float] = random.random) -> timedelta:
    """The pause after a failed attempt: 30 s, 2 min, 8 min … one hour, each up to a fifth longer or shorter."""
    seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 4.0 ** min(attempt - 1, 16))
    return timedelta(seconds=seconds * (1 - _JITTER + 2 * _JITTER * random_number()))


def open_config(vault: Vault, channel: ChannelRow) -> ChannelConfig:
    """The secret part of a channel. Raises DeliveryFailed when the vault has not its key."""
    try:
        found = json.loads(vault.open(channel.sealed_config, config_context(channel.id)))
    except ConfigurationError as error:
        raise DeliveryFailed(str(error)) from None
    found["addresses"] = tuple(found["addresses"])
    return ChannelConfig(**found)


def config_context(channel_id: str) -> str:
    """The context under which a channel's configuration is encrypted."""
    return f"notice_channel.config:{channel_id}"
