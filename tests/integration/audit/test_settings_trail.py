"""Settings at start: recorded when they are others than at the last start, without secrets. On both databases."""

from __future__ import annotations

from inkgate.service.audit import repository
from inkgate.service.composition.database import OpenDatabase
from inkgate.service.composition.settings_trail import record_settings
from inkgate.service.db import work
from inkgate.service.db.clock import CheckedClock
from inkgate.service.settings import Settings
from tests.ledger_data import CustomerData

SECRET = "a-secret-of-sixteen-characters"


async def test_changed_settings_are_recorded_at_start(customer: CustomerData) -> None:
    database = OpenDatabase(customer.engine, customer.vault, CheckedClock())
    first = {"limits": {"qps": 9.0}, "console": {"wall_key": SECRET}, "redis": {"url": f"redis://u:{SECRET}@r/0"}}
    second = first | {"limits": {"qps": 12.0}, "audit": {"retention_days": 200}}
    for given in (first, first, second, second, first):
        await record_settings(database, Settings(**given), "gateway")  # type: ignore[arg-type]
    await record_settings(database, Settings(**first), "console")  # type: ignore[arg-type]
    async with work.read_session(customer.engine) as session:
        events = list(reversed(await repository.events(session, action="settings.start")))
    assert [each.subject for each in events] == ["settings of the gateway"] * 3 + ["settings of the console"]
    assert events[0].detail["after"]["INKGATE_CONSOLE__WALL_KEY"] == "set" and "before" not in events[0].detail
    assert events[1].detail["before"] == {"INKGATE_AUDIT__RETENTION_DAYS": None, "INKGATE_LIMITS__QPS": "9.0"}
    assert events[1].detail["after"]["INKGATE_AUDIT__RETENTION_DAYS"] == "200"
    assert SECRET not in str([each.detail for each in events])
