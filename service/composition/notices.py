"""The notices of a gateway."""

from __future__ import annotations

from inkgate.service.background import Background
from inkgate.service.broker.interface import Broker
from inkgate.service.composition.database import OpenDatabase
from inkgate.service.notices.conditions import Check
from inkgate.service.notices.delivery import Sender
from inkgate.service.notices.evaluation import Evaluator
from inkgate.service.notices.kinds import Kind
from inkgate.service.notices.runner import NoticeRunner
from inkgate.service.notices.watch import AuditWatch, CertificateWatch, FleetWatch
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
    checks[Kind.AUDIT_FAILED] = AuditWatch(database.engine).check
    evaluator = Evaluator(database.engine, notices, checks, clock=database.clock)
    sender = Sender(database.engine, database.vault, notices, metrics.notice)
    return NoticeRunner(evaluator, sender, notices.interval, metrics.notice_age, background)
