"""Client programs as they were written for the public endpoint, in the signing forms that are published."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlsplit

import requests

from inkgate.service.contract.capabilities import Capability
from inkgate.service.provision import Keys
from tests.gateway import PNG, body_of

PUBLIC_HOST = "ai-global.ctapi.ctyun.cn"
SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """Request id, HTTP status and JSON body; `head` is what the client wrote, where it is known to the byte."""

    request_id: str
    status: int
    body: dict[str, Any]
    head: bytes = field(default=b"", repr=False)


def manual_python(base: str, keys: Keys, capability: Capability) -> Answer:
    """The steps of the manual's Python sample (6.2.5): requests, local time, appkey signed as well, and the public
    host name in Host whatever it connects to."""
    params = body_of(capability, PNG)
    request_id = str(uuid.uuid1())
    now = time.localtime(time.time() + 8 * 3600 if time.timezone == 0 else time.time())  # a client in China
    date = time.strftime("%Y%m%dT%H%M%SZ", now)
    digest = hashlib.sha256(json.dumps(params).encode()).hexdigest()
    names = f"appkey:{keys.appkey}\nctyun-eop-request-id:{request_id}\neop-date:{date}\n"
    signature = _signature(keys, date, f"{names}\n\n{digest}")
    headers = {
        "Content-Type": "application/json;charset=UTF-8",
        "ctyun-eop-request-id": request_id,
        "appkey": keys.appkey,
        "Eop-Authorization": f"{keys.ak} Headers=appkey;ctyun-eop-request-id;eop-date Signature={signature}",
        "eop-date": date,
        "Host": PUBLIC_HOST,
    }
    response = requests.post(base + capability.paths[0], data=json.dumps(params), headers=headers, timeout=SECONDS)
    return Answer(request_id, response.status_code, response.json())


def published_python(base: str, keys: Keys, capability: Capability) -> Answer:
    """The form of the SDKs: two headers signed, written with small letters, a query in the order of its strings."""
    query = "a=1&a-b=1"
    headers = {"User-Agent": "sdk-python/1", "Accept": "*/*"}
    return _raw(base, keys, capability, query, query, headers, label="headers")


def published_go(base: str, keys: Keys, capability: Capability) -> Answer:
    """The form of Go's net/http: names in canonical case, `url.Values.Encode` (blanks as +), compact JSON."""
    query = f"b={quote_plus('x y')}&name={quote_plus('中文')}"
    headers = {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"}
    return _raw(base, keys, capability, query, query, headers, canonical_case=True, compact=True)


def raw_utf8_query(base: str, keys: Keys, capability: Capability) -> Answer:
    """A client that writes a query in raw UTF-8, as some HTTP libraries do."""
    return _raw(base, keys, capability, "name=中文", "name=中文", {})


def chunked(base: str, keys: Keys, capability: Capability) -> Answer:
    """A client that sends its body in chunks."""
    return _raw(base, keys, capability, "", "", {"Transfer-Encoding": "chunked"})


CLIENTS = (manual_python, published_python, published_go, raw_utf8_query, chunked)


def _signature(keys: Keys, date: str, text: str) -> str:
    by_time = hmac.digest(keys.sk.encode(), date.encode(), "sha256")
    by_day = hmac.digest(hmac.digest(by_time, keys.ak.encode(), "sha256"), date[:8].encode(), "sha256")
    return base64.b64encode(hmac.digest(by_day, text.encode(), "sha256")).decode()


def _raw(
    base: str,
    keys: Keys,
    capability: Capability,
    query: str,
    signed_query: str,
    further: dict[str, str],
    *,
    label: str = "Headers",
    canonical_case: bool = False,
    compact: bool = False,
) -> Answer:
    """A request written to a socket, so that its head is known to the byte."""
    separators = (",", ":") if compact else None
    body = json.dumps(body_of(capability, PNG), separators=separators).encode()
    request_id, date = str(uuid.uuid4()), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 8 * 3600))
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"ctyun-eop-request-id:{request_id}\neop-date:{date}\n\n{signed_query}\n{digest}"
    signed = {"ctyun-eop-request-id": request_id, "eop-date": date, "appkey": keys.appkey}
    if canonical_case:
        signed = {"-".join(part.capitalize() for part in name.split("-")): value for name, value in signed.items()}
    headers = {
        "Host": PUBLIC_HOST,
        **further,
        "Content-Type": "application/json",
        **signed,
        "Eop-Authorization": f"{keys.ak} {label}=ctyun-eop-request-id;eop-date "
        f"Signature={_signature(keys, date, canonical)}",
    }
    in_chunks = "Transfer-Encoding" in further
    if not in_chunks:
        headers["Content-Length"] = str(len(body))
    target = capability.paths[0] + (f"?{query}" if query else "")
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    head = "\r\n".join(lines).encode()
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if in_chunks else body
    status, answer = _exchange(base, head + sent)
    return Answer(request_id, status, answer, head)


def _exchange(base: str, request: bytes) -> tuple[int, dict[str, Any]]:
    where = urlsplit(base)
    with socket.create_connection((where.hostname or "", where.port or 80), SECONDS) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            status = int(stream.readline().split()[1])
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            return status, json.loads(stream.read(length))
