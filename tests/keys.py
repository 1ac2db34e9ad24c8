"""An account's keys in a database, and the master key that seals them, for tests that start gateways as processes."""

from __future__ import annotations

from inkgate.service.accounts.vault import load
from inkgate.service.db import engine as databases
from inkgate.service.provision import Keys, provision
from inkgate.service.settings import Database, Security

MASTER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


async def provisioned(url: str) -> Keys:
    """Keys of a new account, in a database of the newest schema, with a rate limit that no test reaches."""
    engine = databases.create(Database(url=url))
    try:
        vault = load(Security(master_key=MASTER_KEY), Database(url=url))  # type: ignore[arg-type]
        return await provision(engine, vault, 1000.0, refused=False)
    finally:
        await engine.dispose()
