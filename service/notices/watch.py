"""Checks of conditions that no query finds: live workers, certificates, the audit trail."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from inkgate.service.audit import repository as trail
from inkgate.service.audit import verify
from inkgate.service.audit.verify import Finding
from inkgate.service.db import work
from inkgate.service.notices import repository
from inkgate.service.notices.kinds import Condition, Kind, Value

HOST_TIMEOUT_SECONDS = 5.0
MAX_HOSTS = 50
AUDIT_KEY = "audit_failed"
MAX_GAP_SECONDS = 7200.0  # twice the longest interval between two rounds


@dataclass(slots=True)
class FleetWatch:
    """Whether workers are alive, as this process has seen it. `count` returns their number and may raise."""

    count: Callable[[], Awaitable[int]]
    grace: float  # seconds
    clock: Callable[[], float] = time.monotonic
    _down_since: float | None = field(default=None)
    _checked_at: float = field(default=0.0)

    async def check(self) -> Sequence[Condition] | None:
        """See inkgate.service.notices.conditions.Check. An unreachable queue says nothing about workers."""
        alive = await self.count() > 0
        now = self.clock()
        if alive or now - self._checked_at > MAX_GAP_SECONDS:  # after a gap nothing is known of the time between
            self._down_since = None
        self._checked_at = now
        if alive:
            return []
        if self._down_since is None:
            self._down_since = now
        seconds = now - self._down_since
        if seconds < self.grace:
            return None  # a notice that was sent is not ended by the restart of a gateway
        return [Condition("workers_down", Kind.WORKERS_DOWN, None, {"seconds": round(seconds)})]


@dataclass(slots=True)
class AuditWatch:
    """Whether the audit trail verifies: its end in each round, and the whole of it piece by piece, again and again.

    An event that was found broken is looked at again while the condition holds, by whichever gateway runs the round:
    the end of the trail moves on, and the condition would end without a cure.
    """

    engine: AsyncEngine
    piece: int = 500  # events per round: some 20 ms of CPU time
    _next: int = field(default=1)

    async def check(self) -> Sequence[Condition] | None:
        """See inkgate.service.notices.conditions.Check. Raises SQLAlchemyError."""
        async with work.snapshot_session(self.engine) as session:
            found = (await verify.verify_database(session, recent=True)).findings
            found = found or await self._known(session) or await self._piece(session)
        if not found:
            return []
        problem, sequence = f"{found[0].where}: {found[0].what}", found[0].sequence
        return [Condition(AUDIT_KEY, Kind.AUDIT_FAILED, None, {"problem": problem, "sequence": sequence})]

    async def _known(self, session: AsyncSession) -> list[Finding]:
        """What is still wrong with the event of the condition that holds."""
        held = await repository.open_condition(session, AUDIT_KEY)
        sequence = held.params.get("sequence") if held is not None else None
        return await verify.verify_piece(session, sequence, sequence + 1) if isinstance(sequence, int) else []

    async def _piece(self, session: AsyncSession) -> list[Finding]:
        """What is wrong with the next piece; after the last one the first follows."""
        first, (head, _) = self._next, await trail.head(session)
        if first > head:
            first = 1
        self._next = first + self.piece
        return await verify.verify_piece(session, first, first + self.piece - 1)


@dataclass(frozen=True, slots=True)
class CertificateWatch:
    """Certificates in files, and of TLS servers given as HOST:PORT."""

    files: Sequence[Path]
    hosts: Sequence[str]
    days: int

    async def check(self) -> Sequence[Condition] | None:
        """See inkgate.service.notices.conditions.Check. A certificate that cannot be read is left out: metrics and the
        readiness of what uses it tell of that."""
        found: list[Condition] = []
        now = datetime.now(UTC)
        for name, ends_at in [*await asyncio.to_thread(self._of_files), *await self._of_hosts()]:
            if ends_at - now <= timedelta(days=self.days):
                digest = hashlib.sha256(name.encode()).hexdigest()[:16]
                key = f"certificate_ending:{digest}:{ends_at:%Y%m%d%H%M%S}"
                params: dict[str, Value] = {"name": name[:100], "ends_at": ends_at.isoformat()}
                found.append(Condition(key, Kind.CERTIFICATE_ENDING, None, params))
        return found

    def _of_files(self) -> list[tuple[str, datetime]]:
        """Name and end of the first certificate of each file."""
        found = []
        for file in self.files:
            try:
                found.append((str(file), x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc))
            except (OSError, ValueError):
                continue
        return found

    async def _of_hosts(self) -> list[tuple[str, datetime]]:
        ends = await asyncio.gather(*(server_certificate_end(each) for each in self.hosts[:MAX_HOSTS]))
        return [(host, end) for host, end in zip(self.hosts, ends, strict=False) if end is not None]


async def server_certificate_end(host_and_port: str) -> datetime | None:
    """When the certificate of a TLS server ends; None when it cannot be asked. The certificate is read, not trusted:
    one that has ended, or is of an unknown authority, is announced too."""
    host, _, port = host_and_port.rpartition(":")
    name = host.strip("[]")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(HOST_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(name, int(port), ssl=context, server_hostname=name)
    except (OSError, TimeoutError, ValueError, ssl.SSLError):
        return None
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        encoded = connection.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(encoded).not_valid_after_utc if encoded else None
    except ValueError:
        return None
    finally:
        writer.transport.abort()
