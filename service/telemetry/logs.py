"""Logs: one JSON object per line on stderr, or plain text, over the standard `logging`, so that libraries are included.

    log = logging.getLogger(__name__)
    with logs.log_fields(request_id=rid, trace_id=tid):
        log.info("settled", extra={"capability": "general", "units": 3, "seconds": 0.004})

Fields are bound to the asyncio task or thread by contextvars. Sensitive data is removed even if logged by mistake:
bytes are replaced by their length, long strings are truncated, fields with secret-like names, passwords in URLs and the
secrets of the settings are masked, and so are fields with recognised text, which is personal data.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import IO, Any, Literal

_CONTEXT: ContextVar[Mapping[str, Any]] = ContextVar("inkgate_log_fields")
_EMPTY: Mapping[str, Any] = {}

_MASK = "***"
_MAX_VALUE_CHARACTERS = 2048  # characters of one string value
_SECRET_NAME = re.compile(
    r"(secret|passw|token|authori[sz]ation|signature|cookie|private|master_?key|app_?key|hash_?key|wall_?key|setup_?code|(^|_)sk$|dsn"
    r"|^(text|texts|words|body|image|picture|element|returnobj|detail)$)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@", re.IGNORECASE)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Add fields to every log line of this task or thread until the block ends."""
    token = _CONTEXT.set({**_CONTEXT.get(_EMPTY), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def context() -> Mapping[str, Any]:
    """The fields bound in this context."""
    return _CONTEXT.get(_EMPTY)


def redact(name: str, value: Any) -> Any:
    """`value` as it may be logged under `name`: masked, truncated, or converted to JSON types."""
    if _is_secret(name):
        return _MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {str(key): redact(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(name, item) for item in value]
    return _cut(str(value))


@lru_cache(maxsize=1024)  # the names are words of the source, a few dozen
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _cut(text: str) -> str:
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\g<scheme>:{_MASK}@", text)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}… ({len(text)} characters)"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The bound fields, overridden by the fields of the log call."""
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    return {key: redact(key, value) for key, value in {**context(), **extra}.items()}


class _RedactingFormatter(logging.Formatter):
    """Masks known secrets in the formatted line: a library's message or a traceback may contain one anywhere."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        # In a JSON string the quotes and backslashes of a secret are escaped.
        forms = {form for text in secrets for form in (text, json.dumps(text, ensure_ascii=False)[1:-1])}
        kept = sorted(forms - {""}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, kept))) if kept else None

    def masked(self, line: str) -> str:
        """`line` with its secrets masked."""
        return self._secrets.sub(_MASK, line) if self._secrets else line


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` makes an encoder for each line


@lru_cache(maxsize=2)
def _second(created: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))


class JsonFormatter(_RedactingFormatter):
    """JSON: time (UTC, RFC 3339 with milliseconds), level, logger, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = _second(int(record.created))
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        for key, value in _fields(record).items():
            line.setdefault(key, value)
        if record.exc_info:
            line["exception"] = _cut(self.formatException(record.exc_info))
        return self.masked(_ENCODE(line))


class TextFormatter(_RedactingFormatter):
    """Plain text for a terminal: time, level, logger, message, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{stamp} {record.levelname.lower():7} {record.name}: {_cut(record.getMessage())}{fields}"
        return self.masked(f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line)


def configure(
    level: Level = "info", format: Format = "json", stream: IO[str] | None = None, *, secrets: Iterable[str] = ()
) -> None:
    """Send all logging of this process to `stream` (default stderr). Called once, at process start.

    `secrets` are masked in every line.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(secrets) if format == "json" else TextFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Remove uvicorn's handlers; its access log duplicates the more detailed log of the gateway.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
