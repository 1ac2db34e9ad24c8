"""Records in the audit trail which settings a process starts with, when they are others than at the last start."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr

from inkgate.service.audit import repository, trail
from inkgate.service.composition.database import OpenDatabase
from inkgate.service.db import work
from inkgate.service.settings import Settings, without_passwords

ACTION = "settings.start"
MAX_VALUE = 200  # characters of one setting
SECRET = "set"  # noqa: S105 - all that is recorded of a secret


async def record_settings(database: OpenDatabase, settings: Settings, part: str) -> None:
    """Record the settings that differ from their defaults, unless the last start of this part of the service had the
    same. `before` has the former values of those that changed; a name without one had its default."""
    subject, current = f"settings of the {part}", dict(_changed(settings))
    async with work.unit_of_work(database.engine, f"system:{part}", database.clock) as unit:
        last = await repository.latest(unit.session, ACTION, subject)
        if last is None:
            await trail.record(unit, ACTION, subject, None, after=current)
            return
        former = last.detail.get("after", {})
        names = sorted(name for name in former.keys() | current.keys() if former.get(name) != current.get(name))
        if names:
            before = {name: former.get(name) for name in names}
            await trail.record(unit, ACTION, subject, None, before=before, after=current)


def _changed(settings: Settings) -> Iterator[tuple[str, str]]:
    """The settings that differ from their defaults, by environment variable, without secrets."""
    for group in type(settings).model_fields:
        values: BaseModel = getattr(settings, group)
        for name, about in type(values).model_fields.items():
            value = getattr(values, name)
            if value != about.default:
                shown = SECRET if isinstance(value, SecretStr) else without_passwords(str(value))
                yield f"INKGATE_{group}__{name}".upper(), shown[:MAX_VALUE]
