"""A client as it is written for the cloud: the cloud's URL is fixed, and nothing in it knows of this service.

python cloud_client.py FILE; environment: AK, SK, APPKEY. Signs the three headers of the manual's sample.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

URL = "https://ai-global.ctapi.ctyun.cn/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json"


def mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def main() -> None:
    ak, sk, appkey = (os.environ[name] for name in ("AK", "SK", "APPKEY"))
    body = b'{"data": ["' + base64.b64encode(Path(sys.argv[1]).read_bytes()) + b'"]}'
    date = datetime.now(timezone(timedelta(hours=8))).strftime("%Y%m%dT%H%M%SZ")
    signed = {"appkey": appkey, "ctyun-eop-request-id": str(uuid.uuid4()), "eop-date": date}
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    text = f"{lines}\n\n{hashlib.sha256(body).hexdigest()}"
    key = mac(mac(mac(sk.encode(), date), ak), date[:8])
    signature = base64.b64encode(mac(key, text)).decode()
    headers = {
        "Content-Type": "application/json",
        "Host": "ai-global.ctapi.ctyun.cn",
        "Eop-Authorization": f"{ak} Headers={';'.join(signed)} Signature={signature}",
        **signed,
    }
    print(requests.post(URL, data=body, headers=headers, timeout=60).text)


if __name__ == "__main__":
    main()
