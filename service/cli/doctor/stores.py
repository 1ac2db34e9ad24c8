"""Doctor checks of the stores: database, schema, master key, queue and workers."""

from __future__ import annotations

import time
from typing import Any

from redis.exceptions import AuthenticationError, RedisError

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import rotation
from inkgate.service.accounts.vault import key_file, load
from inkgate.service.broker.interface import QueueState
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.state import read_state, script
from inkgate.service.cli.doctor.finding import Finding, clock_finding, redacted_location
from inkgate.service.db import clock as clocks
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, work
from inkgate.service.errors import ConfigurationError, InkGateError
from inkgate.service.metering import clock_repair
from inkgate.service.settings import Database, Settings

_MAX_SKEW_SECONDS = 30.0  # as in the clock alert
_MEMORY_WARNING_SHARE = 0.8  # of the memory of Redis


async def database(settings: Settings) -> list[Finding]:
    """Whether the database is reachable, its schema, its clock and meters in the future."""
    if _is_worker_environment(settings):
        return [Finding("database", "none given; a worker needs none")]
    try:
        async with databases.opened(settings.database) as engine, engine.connect() as connection:
            version = await connection.run_sync(migrate.current)
            now = await clocks.now(connection)
            skew = now.timestamp() - time.time()
            ahead = await clock_repair.count_future_meters(connection, now) if version is not None else 0
    except ConfigurationError as error:
        return [Finding("database", str(error), "Set INKGATE_DATABASE__URL.")]
    except Exception as error:  # drivers raise many kinds of errors
        return [
            Finding(
                "database",
                f"{redacted_location(settings.database.url)}: {type(error).__name__}",
                "Is it running and reachable from here, and INKGATE_DATABASE__URL right?",
            )
        ]
    return [
        Finding("database", redacted_location(settings.database.url)),
        _schema(version),
        clock_finding("database clock", skew, _MAX_SKEW_SECONDS),
        *_meters(ahead),
    ]


def _meters(ahead: int) -> list[Finding]:
    if not ahead:
        return []
    return [
        Finding(
            "meters",
            f"{ahead} were settled in the future, by a wrong clock; their calls are refused",
            "See that the clocks are right, then run `inkgate ledger repair-clock`.",
        )
    ]


def _is_worker_environment(settings: Settings) -> bool:
    """Whether these are the settings of a worker: a queue, and the database at its default."""
    return bool(settings.redis.url) and settings.database == Database()


def _schema(found: str | None) -> Finding:
    head = migrate.head()
    if found is None:
        return Finding("schema", "none yet", "Run `inkgate migrate`.")
    if found == head:
        return Finding("schema", found)
    if migrate.known(found):
        return Finding("schema", f"{found}, this release needs {head}", "Run `inkgate migrate`.")
    return Finding("schema", f"{found}, of a newer release than this one ({head})", "Upgrade this part as well.")


async def master_key(settings: Settings) -> list[Finding]:
    """Whether the master key opens the stored secrets."""
    if _is_worker_environment(settings):
        return []
    kept = key_file(settings.security, settings.database) if settings.security.master_key_file is None else None
    if kept is not None and not kept.exists():
        return [Finding("master key", f"none yet; the first start makes {kept}")]
    try:
        vault = load(settings.security, settings.database)
    except InkGateError as error:
        return [Finding("master key", str(error), "Give the key that this database was made with.")]
    async with databases.opened(settings.database) as engine:
        try:
            async with work.read_session(engine) as session:
                missing = await rotation.missing_keys(session, vault)
                opened = not missing and await rotation.can_open_one(session, vault)
        except InkGateError as error:
            return [Finding("master key", str(error), "Give the key that this database was made with.")]
        except Exception:  # reported by the database check
            return []
    if missing:
        return [
            Finding(
                "master key",
                f"some stored secrets are sealed under {', '.join(missing)}, which is not given",
                "Give the older keys as well, then run `inkgate keys reseal`.",
            )
        ]
    return [Finding("master key", "opens the stored secrets" if opened else "given; nothing is sealed yet")]


async def queue(settings: Settings) -> list[Finding]:
    """Redis with its clock and memory, the live workers and the age of the oldest waiting image."""
    if not settings.redis.url:
        return [Finding("queue", "embedded (set INKGATE_REDIS__URL to use several machines)")]
    where = redacted_location(settings.redis.url)
    try:
        redis = client.async_client(settings.redis.url, 1)
    except (ValueError, InkGateError) as error:
        return [Finding("queue", str(error), "Correct INKGATE_REDIS__URL.")]
    try:
        server, memory = await redis.info("server"), await redis.info("memory")
        seconds, micros = await redis.time()
        skew = seconds + micros / 1e6 - time.time()
        state = (await read_state(script(redis), Keys(settings.redis.namespace, settings.engine.profile))).state
    except AuthenticationError:
        return [Finding("queue", f"{where}: wrong user or password", "Correct INKGATE_REDIS__URL.")]
    except (RedisError, OSError) as error:
        return [
            Finding(
                "queue",
                f"{where}: {type(error).__name__}",
                "Is it running and reachable from here, and INKGATE_REDIS__URL right?",
            )
        ]
    finally:
        await redis.aclose()
    return [
        _server(where, server, memory),
        clock_finding("queue clock", skew, _MAX_SKEW_SECONDS),
        _workers(state, settings),
        _age(state, settings.limits.deadline),
    ]


def _server(where: str, server: dict[str, Any], memory: dict[str, Any]) -> Finding:
    policy, used, most = memory.get("maxmemory_policy"), memory["used_memory"], memory.get("maxmemory", 0)
    found = f"{where}, Redis {server.get('redis_version')}, {policy}, {used / 2**20:.0f} MiB"
    if policy != "noeviction":
        return Finding("queue", found, "Set maxmemory-policy noeviction: evicted tasks are lost calls.")
    if most and used > _MEMORY_WARNING_SHARE * most:
        return Finding("queue", f"{found} of {most / 2**20:.0f}", "Raise maxmemory, or add workers: images accumulate.")
    return Finding("queue", found)


def _workers(state: QueueState, settings: Settings) -> Finding:
    if state.workers:
        return Finding("workers", f"{state.workers} alive, profile {settings.engine.profile}")
    return Finding(
        "workers",
        f"none alive for profile {settings.engine.profile}",
        "Start `inkgate worker` with this INKGATE_REDIS__URL, _NAMESPACE and INKGATE_ENGINE__PROFILE.",
    )


def _age(state: QueueState, deadline: float) -> Finding:
    found = f"{state.depth} images wait, {state.in_flight} in work, the oldest for {state.oldest_age:.1f} s"
    if state.oldest_age > deadline / 2:
        return Finding("waiting", found, f"Add workers: past half the deadline of {deadline:g} s calls begin to fail.")
    return Finding("waiting", found)
