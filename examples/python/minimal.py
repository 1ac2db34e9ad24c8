"""只用标准库的最小示例。 A minimal client: standard library only, one image, no encryption.

    python minimal.py FILE

Environment: BASE_URL, AK, SK, APPKEY.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

PATH = "/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json"


def hmac_sha256(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def signed(ak: str, sk: str, appkey: str, body: bytes) -> dict[str, str]:
    request_id = str(uuid.uuid4())
    date = datetime.now(timezone(timedelta(hours=8))).strftime("%Y%m%dT%H%M%SZ")
    names = f"ctyun-eop-request-id:{request_id}\neop-date:{date}\n"
    canonical = names + "\n" + "" + "\n" + hashlib.sha256(body).hexdigest()  # the query string in the middle is empty
    key = hmac_sha256(hmac_sha256(hmac_sha256(sk.encode(), date), ak), date[:8])
    signature = base64.b64encode(hmac_sha256(key, canonical)).decode()
    return {
        "Content-Type": "application/json",
        "appkey": appkey,
        "ctyun-eop-request-id": request_id,
        "eop-date": date,
        "Eop-Authorization": f"{ak} Headers=ctyun-eop-request-id;eop-date Signature={signature}",
    }


def main(file: str) -> None:
    image = base64.urlsafe_b64encode(Path(file).read_bytes()).decode()
    body = json.dumps({"data": [image]}).encode()
    headers = signed(os.environ["AK"], os.environ["SK"], os.environ["APPKEY"], body)
    request = urllib.request.Request(os.environ["BASE_URL"] + PATH, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=75) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:  # refusals are JSON too
        sys.exit(error.read().decode())
    for page in answer["returnObj"]:
        for line in page.get("detail", []):
            print(line["text"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: minimal.py FILE")
    main(sys.argv[1])
