"""The notices of a gateway."""

from __future__ import annotations

from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import verify
from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.composition.database import OpenDatabase
from inkgate.service.notices.conditions import Check
from inkgate.service.notices.delivery import Sender
from inkgate.service.notices.evaluation import Evaluator
from inkgate.service.notices.kinds import Condition, Kind
from inkgate.service.notices.runner import NoticeRunner
from inkgate.service.notices.watch import CertificateWatch, FleetWatch
from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics


def notice_runner(
    settings: Settings, database: OpenDatabase, broker: Broker, metrics: Metrics, background: Background
) -> NoticeRunner:
    """The runner, not started. Raises ConfigurationError."""
    notices = settings.notices

    async def live_workers() -> int:
        return (await broker.state()).workers

    checks: dict[Kind, Check] = {Kind.WORKERS_DOWN: FleetWatch(live_workers, notices.workers_seconds).check}
    files, hosts = settings.telemetry.certificates, notices.certificate_hosts
    if files or hosts:
        checks[Kind.CERTIFICATE_ENDING] = CertificateWatch(files, hosts, notices.certificate_days).check
    checks[Kind.AUDIT_FAILED] = partial(_audit_failed, database.engine)
    evaluator = Evaluator(database.engine, notices, checks, clock=database.clock)
    sender = Sender(database.engine, database.vault, notices, metrics.notice)
    return NoticeRunner(evaluator, sender, notices.interval, metrics.notice_age, background)


async def _audit_failed(engine: AsyncEngine) -> list[Condition]:
    """The first event of the audit trail that does not verify."""
    found = await verify.check(engine)
    if not found:
        return []
    problem = f"{found[0].where}: {found[0].what}"
    return [Condition("audit_failed", Kind.AUDIT_FAILED, None, {"problem": problem})]
