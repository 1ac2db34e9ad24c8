"""Notices as signed JSON over HTTP.

X-InkGate-Notice: <id of the notice, the same in every attempt>
X-InkGate-Timestamp: <seconds since 1970>
X-InkGate-Signature: sha256=<hex of HMAC(secret, timestamp + "." + body)>          or sm3=…
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from inkgate.service.notices.outbound import Outbound
from inkgate.service.notices.outgoing import Algorithm, ChannelConfig, DeliveryFailed, OutgoingNotice
from inkgate.service.sealed import sm3


async def send(outbound: Outbound, config: ChannelConfig, notice: OutgoingNotice, *, customer: bool) -> None:
    """POST a notice; a status from 200 to 299 is a delivery. Raises DeliveryFailed."""
    body, timestamp = document(notice), str(int(time.time()))
    headers = {
        "X-InkGate-Notice": notice.id,
        "X-InkGate-Timestamp": timestamp,
        "X-InkGate-Signature": signature(config.secret, timestamp, body, config.algorithm),
    }
    status, _ = await outbound.post(config.url, body, headers, customer=customer)
    if not 200 <= status < 300:
        raise DeliveryFailed(f"the webhook answered HTTP {status}")


def document(notice: OutgoingNotice) -> bytes:
    """The body: the notice as a JSON object."""
    fields = {
        "id": notice.id,
        "kind": notice.kind.value,
        "account_id": notice.account_id,
        "began_at": notice.began_at.isoformat(timespec="seconds"),
        "language": notice.language,
        "title": notice.text.title,
        "text": notice.text.body,
        "details": dict(notice.params),
    }
    return json.dumps(fields, ensure_ascii=False).encode()


def signature(secret: str, timestamp: str, body: bytes, algorithm: Algorithm) -> str:
    """The value of X-InkGate-Signature."""
    signed = timestamp.encode() + b"." + body
    if algorithm == "sm3":
        return f"sm3={sm3.hmac(secret.encode(), signed).hex()}"
    return f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
