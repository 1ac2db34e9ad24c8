"""Deriving the day key and checking a signature (manual 6.2.3; CONTRACT R1 to R8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from inkgate.service.eop.canonical import canonical, query_forms
from inkgate.service.eop.header import Authorization

BEIJING = timezone(timedelta(hours=8))
_DATE_PARTS = ((0, 4), (4, 6), (6, 8), (9, 11), (11, 13), (13, 15))
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)


def day_key(ak: str, secret: bytes, eop_date: str) -> bytes:
    """ktime = HMAC(secret, eop-date); kak = HMAC(ktime, ak); the day key = HMAC(kak, first 8 of eop-date)."""
    time_key = _mac(secret, eop_date.encode())
    return _mac(_mac(time_key, ak.encode()), eop_date[:8].encode())


def sign(ak: str, secret: bytes, headers: Mapping[str, str], query: str, body_hash: str) -> str:
    """The Eop-Authorization value for `headers` (lower-case names, all signed; eop-date among them)."""
    names = sorted(headers)
    text = canonical(names, headers, "&".join(sorted(query.split("&"))) if query else "", body_hash)
    signature = base64.b64encode(_mac(day_key(ak, secret, headers["eop-date"]), text.encode())).decode()
    return f"{ak} Headers={';'.join(names)} Signature={signature}"


def verify(authorization: Authorization, secret: bytes, headers: Mapping[str, str], query: str, body_hash: str) -> bool:
    """Whether the signature matches any accepted form of the query, with the hash in lower or upper case.

    `headers` has lower-case names and the values as received; they and `query` are latin-1 text, a code point a byte.
    The signature covers the bytes as sent. Some clients send text as latin-1 and sign it as UTF-8 (Python's
    http.client, Java's HttpURLConnection): that is accepted as well. False also when a signed header is absent, when
    eop-date is not signed, or when the request id header is absent (CONTRACT R4).
    """
    if "eop-date" not in authorization.signed or "ctyun-eop-request-id" not in headers:
        return False
    if any(name not in headers for name in authorization.signed):
        return False
    key = day_key(authorization.ak, secret, headers["eop-date"])
    values = {name: headers[name] for name in authorization.signed}
    header_readings = [values]
    if not all(value.isascii() for value in values.values()):
        header_readings.append({name: value.encode().decode("latin-1") for name, value in values.items()})
    for reading in header_readings:
        for form in query_forms(query):
            for digest in (body_hash, body_hash.upper()):
                text = canonical(authorization.signed, reading, form, digest)
                if hmac.compare_digest(_mac(key, text.encode("latin-1")), authorization.signature):
                    return True
    return False


def in_window(eop_date: str, now: datetime, window: int) -> bool:
    """Whether eop-date is well formed and within `window` seconds of `now`, read as Beijing time or as UTC.

    Clients use either zone, regardless of the trailing Z (CONTRACT R8). `window` 0 checks only the syntax.
    """
    if not _DATE.fullmatch(eop_date):
        return False
    try:
        year, month, day, hour, minute, second = (int(eop_date[begin:end]) for begin, end in _DATE_PARTS)
        written = datetime(year, month, day, hour, minute, second)  # strptime takes ten times as long
    except ValueError:
        return False
    if window == 0:
        return True
    return any(abs((now - written.replace(tzinfo=zone)).total_seconds()) <= window for zone in (BEIJING, UTC))
