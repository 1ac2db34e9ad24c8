"""EOP signature (manual 6.2.3) of a request without a query."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta, timezone

_BEIJING = timezone(timedelta(hours=8))


def headers(ak: str, sk: str, appkey: str, request_id: str, body: bytes, now: datetime | None = None) -> dict[str, str]:
    """The headers of a signed POST request. The time in eop-date is Beijing time in spite of the suffix Z."""
    date = (now or datetime.now(_BEIJING)).astimezone(_BEIJING).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"ctyun-eop-request-id:{request_id}\neop-date:{date}\n\n\n{digest}"
    by_time = _hmac(sk.encode(), date)
    by_day = _hmac(_hmac(by_time, ak), date[:8])
    signature = base64.b64encode(_hmac(by_day, canonical)).decode()
    return {
        "Content-Type": "application/json",
        "appkey": appkey,
        "ctyun-eop-request-id": request_id,
        "eop-date": date,
        "Eop-Authorization": f"{ak} Headers=ctyun-eop-request-id;eop-date Signature={signature}",
    }


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
