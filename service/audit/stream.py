"""Sends the trail to a receiver: from the database, by a cursor, each event at least once and in order.

A lease on the cursor's row lets one process send at a time. The cursor advances after the receiver has the events;
after a crash between the two they are sent again, with the same sequences.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import chain, repository, syslog
from inkgate.service.audit.keeper import CURSOR
from inkgate.service.background import Background, backoff_seconds
from inkgate.service.db import ids, work
from inkgate.service.db.clock import Clock, database_clock
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Audit

ACTOR = "system:audit"
BATCH = 100  # events sent together
POLL_SECONDS = 2.0
MAX_BACKOFF_SECONDS = 60.0
LEASE = timedelta(seconds=90)  # longer than sending a batch can take
FILE_MODE = 0o640

Event = Mapping[str, Any]
log = logging.getLogger(__name__)


class Target(Protocol):
    """Where events are sent. `send` blocks, and raises OSError unless all of them have arrived."""

    def send(self, events: Sequence[Event]) -> None: ...


class SyslogTarget:
    """A syslog receiver over TLS. Raises ConfigurationError for files that cannot be used."""

    def __init__(self, receiver: syslog.Receiver) -> None:
        self._receiver, self._host, self._process = receiver, socket.gethostname(), str(os.getpid())
        try:
            self._context = receiver.context()
        except OSError as error:
            raise ConfigurationError(
                "INKGATE_AUDIT__SYSLOG_CA_FILE", f"the TLS files of the syslog receiver cannot be used: {error}",
                "Name PEM files: the authority, the certificate and its key",
            ) from None  # fmt: skip

    def send(self, events: Sequence[Event]) -> None:
        messages = [syslog.message(each, self._host, self._process) for each in events]
        syslog.send(self._receiver, self._context, messages)


class LineTarget:
    """Standard output, or a file that is appended to and synchronised: one JSON object a line."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def send(self, events: Sequence[Event]) -> None:
        text = "".join(json.dumps({"audit": each}, ensure_ascii=False, separators=(",", ":")) + "\n" for each in events)
        if self._path is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())


def target_of(settings: Audit) -> Target | None:
    """The receiver that the settings name, None for none. Raises ConfigurationError."""
    if settings.stream == "off":
        return None
    if settings.stream == "stdout":
        return LineTarget()
    if settings.stream == "file":
        if settings.file is None:
            raise ConfigurationError("INKGATE_AUDIT__FILE", "is empty, and the stream goes to a file", "Name the file")
        return LineTarget(settings.file)
    if not settings.syslog:
        raise ConfigurationError(
            "INKGATE_AUDIT__SYSLOG", "is empty, and the stream goes to syslog", "Set it to HOST[:PORT]"
        )
    host, port = settings.syslog_address
    return SyslogTarget(
        syslog.Receiver(host, port, settings.syslog_ca_file, settings.syslog_cert_file, settings.syslog_key_file)
    )


class AuditStream:
    """Sends events to `target` until it is closed; after an error again, with back-off."""

    def __init__(
        self,
        engine: AsyncEngine,
        target: Target,
        *,
        poll: float = POLL_SECONDS,
        clock: Clock = database_clock,
        background: Background | None = None,
    ) -> None:
        self._engine, self._target, self._poll, self._clock = engine, target, poll, clock
        self._holder = ids.new()
        self._task = (background or Background()).task("audit-stream", self._run)

    async def start(self) -> None:
        """Start the background task."""
        self._task.start()

    async def close(self) -> None:
        """Cancel the task; events of a batch in progress may be sent again."""
        await self._task.close()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                sent, failures = await self.send_batch(), 0
            except (SQLAlchemyError, OSError) as error:
                sent, failures = 0, failures + 1
                log.error("audit events wait for their receiver: %s", error, extra={"attempt": failures})
            if sent < BATCH:
                await asyncio.sleep(backoff_seconds(failures + 1, self._poll, MAX_BACKOFF_SECONDS))

    async def send_batch(self) -> int:
        """Send the next events, at most BATCH; returns how many. Raises OSError, SQLAlchemyError."""
        begin = await self._hold()
        if begin is None:
            return 0
        async with work.read_session(self._engine) as session:
            last = (await repository.head(session))[0]
            rows = await repository.chained(session, begin + 1, last, BATCH)
        if not rows:
            return 0
        await asyncio.to_thread(self._target.send, [chain.members(row) for row in rows])
        async with work.unit_of_work(self._engine, ACTOR, self._clock) as unit:
            until = await unit.now() + LEASE
            last_sent = rows[-1].sequence or 0
            if not await repository.advance_cursor(unit.session, CURSOR, self._holder, last_sent, until):
                log.warning("another process sends audit events meanwhile; some were sent twice")
        return len(rows)

    async def _hold(self) -> int | None:
        """Where to go on; None when there is nothing to send, or another process sends."""
        async with work.read_session(self._engine) as session:
            cursor = await repository.cursor(session, CURSOR)
            if cursor is not None and cursor.sequence >= (await repository.head(session))[0]:
                return None
        async with work.unit_of_work(self._engine, ACTOR, self._clock) as unit:
            now = await unit.now()
            return await repository.hold_cursor(unit.session, CURSOR, self._holder, now, now + LEASE)
