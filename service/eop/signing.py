"""Client side of the signature: the headers of one call."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime

from inkgate.service.eop.signature import BEIJING, sign


def call_headers(ak: str, secret: bytes, appkey: str, body: bytes, request_id: str = "") -> dict[str, str]:
    """The headers of a POST of `body` without a query, signed with the current time.

    An empty `appkey` omits that header; for an empty `request_id` a random one is used.
    """
    signed = {
        "ctyun-eop-request-id": request_id or str(uuid.uuid4()),
        "eop-date": datetime.now(BEIJING).strftime("%Y%m%dT%H%M%SZ"),
    }
    if appkey:
        signed = {"appkey": appkey, **signed}
    authorization = sign(ak, secret, signed, "", hashlib.sha256(body).hexdigest())
    return {"Content-Type": "application/json", **signed, "Eop-Authorization": authorization}
