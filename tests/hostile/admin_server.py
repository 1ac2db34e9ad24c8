"""The admin API alone on loopback over an empty database: python -m tests.hostile.admin_server FOLDER URL

Writes FOLDER/ready with the address and a token of every scope, and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn

from inkgate.service.accounts.vault import Vault
from inkgate.service.admin import tokens
from inkgate.service.admin.app import create_admin
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, work
from inkgate.service.settings import Database, Settings


async def main(folder: Path, url: str) -> None:
    database = Database(url=url)
    await asyncio.to_thread(migrate.upgrade, database.url)
    engine = databases.create(database)
    async with work.unit_of_work(engine, "test") as unit:
        token = await tokens.create_token(unit, "everything", tokens.SCOPES)
    app = create_admin(engine, Vault([bytes(32)]), Settings(database=database))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    (folder / "ready.tmp").write_text(f"http://127.0.0.1:{port} {token}")
    (folder / "ready.tmp").rename(folder / "ready")
    await serving


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
