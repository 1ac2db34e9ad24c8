"""Time-based one-time passwords: RFC 6238 with HMAC-SHA-1, six digits and steps of 30 seconds, as every app has it."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

KEY_BYTES = 20  # the length of the hash, RFC 4226 4
STEP_SECONDS = 30
DIGITS = 6
MAX_DRIFT_STEPS = 1  # that a phone's clock may be off, each way


def new_key() -> bytes:
    """A random key."""
    return secrets.token_bytes(KEY_BYTES)


def step_of(at: datetime) -> int:
    """The time step of an instant (timezone-aware)."""
    return int(at.timestamp()) // STEP_SECONDS


def code_of(key: bytes, step: int, *, digits: int = DIGITS, digest: str = "sha1") -> str:
    """The code of a time step (RFC 4226 5.3)."""
    mac = hmac.digest(key, step.to_bytes(8, "big"), digest)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(key: bytes, code: str, at: datetime, after: int | None) -> int | None:
    """The step near `at`, and later than `after`, whose code this is; None without one. A code counts once: the caller
    keeps the step as the next `after`. All steps are compared, so that the time taken does not tell which one fits."""
    now, found = step_of(at), None
    for step in range(now - MAX_DRIFT_STEPS, now + MAX_DRIFT_STEPS + 1):
        fits = hmac.compare_digest(code_of(key, step).encode(), code.encode("utf-8", "replace"))
        if fits and (after is None or step > after):
            found = step
    return found


def text_of(key: bytes) -> str:
    """The key as base32, as it is typed into an app."""
    return base64.b32encode(key).decode().rstrip("=")


def address_of(key: bytes, login: str, issuer: str) -> str:
    """The otpauth:// address that a QR code holds."""
    query = urlencode({"secret": text_of(key), "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS})
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(login, safe='')}?{query}"
