"""Doctor checks of this machine: models, certificates, disk, limits, time zone."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import shutil
import tempfile
import time
import zoneinfo
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from inkgate.service.cli.doctor.finding import Finding
from inkgate.service.settings import Settings
from inkgate.service.worker import policy

_MIN_OPEN_FILES = 4096
_CERTIFICATE_WARNING_DAYS = 14  # as in the certificate alert
_MIN_FREE_BYTES = 1 << 30  # for a SQLite database; a ledger that cannot grow refuses every call
_MIN_TEMPORARY_BYTES = 1 << 20  # for temporary files, of which hardly any are written


async def models(settings: Settings) -> list[Finding]:
    """Load the models of the settings once."""
    if settings.engine.runtime == "stub":
        return [Finding("models", "the stub runtime reads nothing", "Unset INKGATE_ENGINE__RUNTIME.")]
    if importlib.util.find_spec("paddleocr" if settings.engine.runtime == "paddle" else "onnxruntime") is None:
        return [Finding("models", "no engine here; workers have theirs (run this in a worker to check them)")]
    found = await asyncio.to_thread(_load, settings)
    folder = settings.engine.model_dir
    if folder is not None and not await asyncio.to_thread(folder.is_dir):  # engines fall back to the packaged models
        return [found, Finding("models", f"{folder} does not exist", "Correct INKGATE_ENGINE__MODEL_DIR, or unset it.")]
    return [found]


def _load(settings: Settings) -> Finding:
    from inkgate.engines.errors import EngineError
    from inkgate.engines.registry import open_reader

    engine = settings.engine
    start = time.perf_counter()
    try:
        reader = open_reader(engine.runtime, engine.profile, engine.threads, engine.model_dir, engine.max_pixels)
    except (EngineError, ValueError) as error:
        return Finding("models", str(error), "Run `inkgate models verify`, then `inkgate models fetch`.")
    names = ", ".join(sorted(reader.info.models))
    reader.close()
    return Finding(
        "models", f"{engine.runtime}, {engine.profile}: {names} ({time.perf_counter() - start:.1f} s to load)"
    )


async def bfloat16(settings: Settings) -> list[Finding]:
    """Whether workers on this machine run networks in bfloat16, and why."""
    engine = settings.engine
    if engine.runtime == "stub" or importlib.util.find_spec("onnxruntime") is None:
        return []  # reported by the check of the models
    from inkgate.engines.registry import bf16_choice

    choice = bf16_choice(engine.bf16, engine.runtime, engine.profile, policy.process_count(settings))
    return [Finding("bfloat16", choice.reason, choice.remedy)]


async def certificates(settings: Settings) -> list[Finding]:
    """Expiry of the files of INKGATE_TELEMETRY__CERTIFICATES."""
    return [_certificate(path) for path in settings.telemetry.certificates]


def _certificate(path: Path) -> Finding:
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        return Finding("certificate", f"{path}: {type(error).__name__}", "Correct INKGATE_TELEMETRY__CERTIFICATES.")
    return expiry(str(path), ends)


def expiry(where: str, ends: datetime) -> Finding:
    """The finding for a certificate that expires at `ends`."""
    days = (ends - datetime.now(UTC)).total_seconds() / 86400
    if days < _CERTIFICATE_WARNING_DAYS:
        state = f"ends in {days:.0f} days" if days > 0 else f"ended on {ends:%Y-%m-%d}"
        return Finding("certificate", f"{where} {state}", "Renew it and reload what serves it.")
    return Finding("certificate", f"{where} until {ends:%Y-%m-%d}")


async def disk(settings: Settings) -> list[Finding]:
    """Free space for the SQLite database and for temporary files."""
    try:
        url = make_url(settings.database.url)
    except ArgumentError:
        return []  # reported by the database check
    found = [_free_space(Path(tempfile.gettempdir()), _MIN_TEMPORARY_BYTES)]
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        found.insert(0, _free_space(Path(url.database or "").parent, _MIN_FREE_BYTES))
    return found


def _free_space(folder: Path, wanted: int) -> Finding:
    if not folder.is_dir():
        return Finding("disk", f"{folder} does not exist", f"Make it: mkdir -p {folder}")
    free = shutil.disk_usage(folder).free
    if free < wanted:
        return Finding("disk", f"{folder}: {free / 2**20:.0f} MiB free", "Make room, or move it to a larger disk.")
    return Finding("disk", f"{folder}: {free / 2**30:.1f} GiB free")


async def limits(settings: Settings) -> list[Finding]:
    """The limit of open files, and worker threads compared with the cores."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    cores, processes = len(os.sched_getaffinity(0)), settings.worker.processes
    found = f"{soft} open files, {cores} cores"
    if soft < _MIN_OPEN_FILES:
        return [Finding("limits", found, f"Raise it: ulimit -n {min(hard, 65536)}")]
    if processes * settings.engine.threads > cores:
        return [
            Finding(
                "limits",
                f"{found}, {processes} worker processes of {settings.engine.threads} threads",
                "Set INKGATE_WORKER__PROCESSES=0 (one a core) and INKGATE_ENGINE__THREADS=1.",
            )
        ]
    return [Finding("limits", found)]


async def time_zone(settings: Settings) -> list[Finding]:
    """The time zone of this machine, which only its logs use; an unknown TZ silently means UTC."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named and named not in zoneinfo.available_timezones() and not Path(named).is_absolute():
        return [
            Finding(
                "time zone",
                f"TZ={named} names no zone, so UTC is used",
                "Set TZ=Asia/Shanghai and install tzdata, or unset TZ.",
            )
        ]
    return [Finding("time zone", f"{time.strftime('UTC%z')} in logs; days, packs and signatures count by UTC+0800")]
