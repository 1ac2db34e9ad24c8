"""Opens the vault of a serving process and checks its keys against the database."""

from __future__ import annotations

import logging

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import rotation, vault
from inkgate.service.db import work
from inkgate.service.settings import Settings

log = logging.getLogger(__name__)


async def open_vault(settings: Settings, engine: AsyncEngine) -> vault.Vault:
    """The vault that the settings describe, over a database of this release's schema.

    Raises ConfigurationError when a key is malformed or not given, or opens none of the stored secrets: every call
    would fail. When only some secrets cannot be opened, that is logged.
    """
    opened = vault.load(settings.security, settings.database)
    async with work.read_session(engine) as session:
        missing = await rotation.missing_keys(session, opened)
    if missing:
        log.error(
            "some stored secrets cannot be opened: give the older master keys as well",
            extra={"sealed_under": ", ".join(missing)},
        )
    return opened
