"""`inkgate notices …`: what was sent and what waits, and the channels that it goes out on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer

from inkgate.service.audit import trail
from inkgate.service.cli._common import JSON, LIMIT, CommandContext, find_account, print_fields, print_table, run
from inkgate.service.cli.ledger import Since, beijing
from inkgate.service.db import ids
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.notices import channels as channel_changes
from inkgate.service.notices import repository, texts
from inkgate.service.notices.kinds import Kind, State
from inkgate.service.notices.models import ChannelRow, NoticeRow
from inkgate.service.notices.repository import Wanted

app = typer.Typer(help="Notices 通知: what was sent, channels, tests.", invoke_without_command=True)
COLUMNS = ("created", "state", "kind", "channel", "account", "title", "attempts", "error", "id")
CHANNEL_COLUMNS = ("name", "kind", "target", "account", "paused", "created", "id")
OPERATORS = "-"  # in the column account: a channel of the operators
LANGUAGE = "en"  # of titles; the notice itself goes out in the language of its channel

Account = Annotated[str, typer.Option(help="Only the channels of this main account.")]
Operators = Annotated[bool, typer.Option("--operators", help="Only the channels of the operators.")]
NoticeId = Annotated[str, typer.Argument(help="Id of the notice.")]
ChannelName = Annotated[str, typer.Argument(help="Channel: its id, or its name where only one has it.")]


@app.callback()
def notices(
    context: typer.Context,
    account: Account = "",
    operators: Operators = False,
    state: Annotated[str, typer.Option(help="Only waiting, sent, failed or cancelled.")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind, as in low_balance.")] = "",
    channel: Annotated[str, typer.Option(help="Only this channel: its id, or its name.")] = "",
    since: Since = None,
    limit: int = LIMIT,
    as_json: bool = JSON,
) -> None:
    """Show what was sent and what waits, newest first."""
    if context.invoked_subcommand is not None:
        return
    if state and state not in set(State):
        raise Misuse("notice.state_unknown", state=state[:24], choices=tuple(each.value for each in State))
    if kind and kind not in set(Kind):
        raise Misuse("notice.kind_unknown", kind=kind[:24], choices=tuple(each.value for each in Kind))

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner_id = await _owner(unit, account, operators=operators)
            channel_id = (await _channel(unit, channel)).id if channel else ""
            wanted = Wanted(
                owner_id, everything=not (account or operators), state=state, kind=kind, channel_id=channel_id,
                since=beijing(since),
            )  # fmt: skip
            rows = await repository.matching(unit.session, wanted, limit)
            names = await _names(unit, [each.owner_id for each in rows])
            await trail.record_look(unit, "cli.view", "notices", owner_id)
            return [_row(each, names, as_json=as_json) for each in rows]

    print_table(COLUMNS, run(action), as_json=as_json)


@app.command()
def show(notice: NoticeId, as_json: bool = JSON) -> None:
    """Show one notice: its text, where it goes, and how sending went."""

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            row = await _notice(unit, notice)
            channel = await repository.channel(unit.session, row.channel_id)
            language = channel.language if channel is not None else LANGUAGE
            text = texts.render(Kind(row.kind), row.params, language, row.began_at)
            names = await _names(unit, [row.owner_id])
            await trail.record_look(unit, "cli.view", f"notice {row.id}", row.owner_id)
            return {
                "NOTICE": row.id,
                "KIND": row.kind,
                "CHANNEL": row.channel_name,
                "CHANNEL_KIND": row.channel_kind,
                "CHANNEL_REMOVED": "yes" if channel is None else "no",
                "ACCOUNT": names.get(row.owner_id or "", OPERATORS),
                "STATE": row.state,
                "ATTEMPTS": row.attempts,
                "BEGAN": _time(row.began_at),
                "CREATED": _time(row.created_at),
                "NEXT": _time(row.next_at) if row.state == State.WAITING.value else "",
                "ENDED": _time(row.ended_at) if row.ended_at is not None else "",
                "ERROR": row.error,
                "TITLE": text.title,
                "TEXT": " ".join(text.lines),
            }

    print_fields(run(action), as_json=as_json)


@app.command()
def retry(notice: NoticeId) -> None:
    """Send a failed notice again; a gateway does it within seconds."""

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            row = await _notice(unit, notice)
            await channel_changes.retry(unit, row.id, row.owner_id)

    run(action)


@app.command("channels")
def channels_(account: Account = "", operators: Operators = False, as_json: bool = JSON) -> None:
    """List channels; without options those of the operators and of all accounts."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner_id = await _owner(unit, account, operators=operators)
            rows = await repository.every_channel(unit.session)
            if account or operators:
                rows = [each for each in rows if each.account_id == owner_id]
            names = await _names(unit, [each.account_id for each in rows])
            await trail.record_look(unit, "cli.view", "notice channels", owner_id)
            return [
                (
                    each.name, each.kind, each.target, names.get(each.account_id or "", OPERATORS), each.paused_at,
                    each.created_at, each.id,
                )
                for each in rows
            ]  # fmt: skip

    print_table(CHANNEL_COLUMNS, run(action), as_json=as_json)


@app.command()
def test(channel: ChannelName) -> None:
    """Queue a test notice on a channel, at most one a minute; prints its id, for `inkgate notices show`."""

    async def action(context: CommandContext) -> str:
        async with context.begin() as unit:
            row = await _channel(unit, channel)
            return await channel_changes.test(unit, row.id, row.account_id)

    typer.echo(run(action))


@app.command()
def pause(channel: ChannelName) -> None:
    """Pause a channel: notices that come meanwhile are not sent on it."""
    run(_changing(channel, lambda unit, row: channel_changes.pause(unit, row.id, row.account_id, paused=True)))


@app.command()
def resume(channel: ChannelName) -> None:
    """Resume a paused channel."""
    run(_changing(channel, lambda unit, row: channel_changes.pause(unit, row.id, row.account_id, paused=False)))


@app.command()
def remove(channel: ChannelName) -> None:
    """Remove a channel; what waits on it is not sent."""
    run(_changing(channel, lambda unit, row: channel_changes.remove(unit, row.id, row.account_id)))


def _changing(
    name: str, change: Callable[[UnitOfWork, ChannelRow], Awaitable[None]]
) -> Callable[[CommandContext], Awaitable[None]]:
    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            await change(unit, await _channel(unit, name))

    return action


async def _owner(unit: UnitOfWork, account: str, *, operators: bool) -> str | None:
    """The main account whose channels are meant; None: the operators', or all. Raises Misuse."""
    if account and operators:
        raise Misuse("command.notices_one_owner")
    return (await find_account(unit, account)).id if account else None


async def _channel(unit: UnitOfWork, name: str) -> ChannelRow:
    """The channel with this id, or the only one with this name. Raises Misuse."""
    found = await repository.channel(unit.session, name) if ids.is_canonical_uuid(name) else None
    if found is not None:
        return found
    named = [each for each in await repository.every_channel(unit.session) if each.name == name]
    if len(named) > 1:
        raise Misuse("notice.channel_ambiguous", name=name, ids=tuple(each.id for each in named))
    if not named:
        raise Misuse("notice.channel_not_found")
    return named[0]


async def _notice(unit: UnitOfWork, notice_id: str) -> NoticeRow:
    row = await repository.notice(unit.session, notice_id) if ids.is_canonical_uuid(notice_id) else None
    if row is None:
        raise Misuse("notice.not_found")
    return row


async def _names(unit: UnitOfWork, owners: list[str | None]) -> dict[str, str]:
    """Names of accounts by id."""
    wanted = sorted({each for each in owners if each})
    return await repository.account_names(unit.session, wanted)


def _row(row: NoticeRow, names: dict[str, str], *, as_json: bool) -> tuple[object, ...]:
    title = texts.render(Kind(row.kind), row.params, LANGUAGE, row.began_at).title
    owner = names.get(row.owner_id or "", OPERATORS)
    created = row.created_at.isoformat() if as_json else row.created_at
    return (created, row.state, row.kind, row.channel_name, owner, title, row.attempts, row.error, row.id)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
