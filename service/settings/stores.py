"""Where the data and the queue are."""

from __future__ import annotations

from pydantic import Field

from inkgate.service.settings._group import SettingsGroup, secret


class Database(SettingsGroup):
    """Where accounts, packs and records live."""

    url: str = Field(
        "sqlite+aiosqlite:///inkgate.db",
        description="SQLAlchemy URL: sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/DB; with TLS "
        "…?sslmode=verify-full&sslrootcert=FILE.",
        json_schema_extra=secret("gateway", "console", "migrate"),
    )
    pool_size: int = Field(4, ge=1, description="Connections kept per gateway process (Postgres).")


class Redis(SettingsGroup):
    """The queue between gateways and workers. Empty URL: the embedded broker of one process tree."""

    url: str = Field(
        "",
        description="redis://[USER:PASSWORD@]HOST:PORT/DB; with TLS rediss://…?ssl_ca_certs=FILE; empty: embedded.",
        json_schema_extra=secret("gateway", "worker", "console"),
    )
    namespace: str = Field("inkgate", description="Prefix of every key.")
    lease: float = Field(1.5, gt=0.2, description="Seconds of silence after which a worker's task goes to another.")
