"""Signed calls to the gateway over HTTP, and the source code of the same call for other clients."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from inkgate.service.contract.capabilities import Capability
from inkgate.service.eop.signing import call_headers

MAX_ANSWER_BYTES = 8 * 1024 * 1024
_IMAGE = "<image>"  # placeholder of the Base64 text, at which a body is split


@dataclass(frozen=True, slots=True)
class CallerKeys:
    """Access key and AppKey of the caller."""

    ak: str
    secret: bytes
    appkey: str


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """A call that was sent. `answer` is None without a JSON answer; `failure` is then the reason.

    `milliseconds` are measured by the console, from sending to the last byte.
    """

    capability: Capability
    headers: dict[str, str]
    status: int
    answer: dict[str, Any] | None
    failure: str
    milliseconds: int


def body_of(capability: Capability, image: bytes) -> bytes:
    """The request body, byte for byte as the command of `as_curl` builds it."""
    head, tail = _around(capability)
    return head.encode() + base64.b64encode(image) + tail.encode()


def _around(capability: Capability) -> tuple[str, str]:
    """The parts of the body before and after the Base64 text of the image."""
    head, _, tail = json.dumps(capability.request([_IMAGE]), separators=(",", ":")).partition(_IMAGE)
    return head, tail


async def call(gateway: str, capability: Capability, keys: CallerKeys, image: bytes, seconds: float) -> GatewayCall:
    """Send one image and wait at most `seconds` for the answer."""
    body = body_of(capability, image)
    headers = call_headers(keys.ak, keys.secret, keys.appkey, body)
    start = time.perf_counter()
    try:
        async with httpx.AsyncClient(timeout=seconds, trust_env=False) as client:
            response = await client.post(gateway + capability.paths[0], content=body, headers=headers)
    except httpx.HTTPError as error:
        return GatewayCall(capability, headers, 0, None, f"{type(error).__name__}: {error}", _since(start))
    try:
        answer = response.json() if len(response.content) <= MAX_ANSWER_BYTES else None
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else None
    failure = "" if answer is not None else f"HTTP {response.status_code}"
    return GatewayCall(capability, headers, response.status_code, answer, failure, _since(start))


def _since(start: float) -> int:
    return round((time.perf_counter() - start) * 1000)


def as_curl(sent_call: GatewayCall, endpoint: str) -> str:
    """The request as a curl command. Its signature is valid within the clock window."""
    head, tail = _around(sent_call.capability)
    lines = [f"{{ printf '%s' '{head}'; base64 -w0 image.jpg; printf '%s' '{tail}'; }} > body.json"]
    lines.append(f"curl -sS '{endpoint}{sent_call.capability.paths[0]}' \\")
    lines += [f"  -H '{name}: {value}' \\" for name, value in sent_call.headers.items()]
    return "\n".join([*lines, "  --data-binary @body.json"])


def as_python(capability: Capability, keys: CallerKeys, endpoint: str) -> str:
    """A Python program that signs the call, standard library only. It reads the secret from the environment."""
    head, tail = _around(capability)
    return f"""import base64, hashlib, hmac, os, urllib.request, uuid
from datetime import datetime, timedelta, timezone

AK, SK, APPKEY = {keys.ak!r}, os.environ["SK"], {keys.appkey!r}
image = base64.b64encode(open("image.jpg", "rb").read()).decode()
body = ({json.dumps(head)} + image + {json.dumps(tail)}).encode()

def mac(key, text):
    return hmac.digest(key, text.encode(), "sha256")

request_id = str(uuid.uuid4())
date = datetime.now(timezone(timedelta(hours=8))).strftime("%Y%m%dT%H%M%SZ")
text = f"ctyun-eop-request-id:{{request_id}}\\neop-date:{{date}}\\n\\n\\n" + hashlib.sha256(body).hexdigest()
key = mac(mac(mac(SK.encode(), date), AK), date[:8])
signature = base64.b64encode(mac(key, text)).decode()
headers = {{
    "Content-Type": "application/json",
    "appkey": APPKEY,
    "ctyun-eop-request-id": request_id,
    "eop-date": date,
    "Eop-Authorization": f"{{AK}} Headers=ctyun-eop-request-id;eop-date Signature={{signature}}",
}}
request = urllib.request.Request({endpoint + capability.paths[0]!r}, body, headers)
print(urllib.request.urlopen(request, timeout=75).read().decode())
"""


def as_java(capability: Capability, keys: CallerKeys, endpoint: str) -> str:
    """As `as_python`, for Java 17."""
    head, tail = _around(capability)
    return f'''import java.net.URI;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.MessageDigest;
import java.time.*;
import java.time.format.DateTimeFormatter;
import java.util.*;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Ocr {{
    static byte[] mac(byte[] key, String text) throws Exception {{
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }}

    public static void main(String[] args) throws Exception {{
        String ak = "{keys.ak}", sk = System.getenv("SK"), appkey = "{keys.appkey}";
        String image = Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of("image.jpg")));
        byte[] body = ({json.dumps(head)} + image + {json.dumps(tail)}).getBytes(StandardCharsets.UTF_8);
        String id = UUID.randomUUID().toString();
        DateTimeFormatter form = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'");
        String date = ZonedDateTime.now(ZoneOffset.ofHours(8)).format(form);
        String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
        byte[] key = mac(mac(mac(sk.getBytes(StandardCharsets.UTF_8), date), ak), date.substring(0, 8));
        String text = "ctyun-eop-request-id:" + id + "\\neop-date:" + date + "\\n\\n\\n" + hash;
        String signature = Base64.getEncoder().encodeToString(mac(key, text));
        HttpRequest request = HttpRequest.newBuilder(URI.create("{endpoint}{capability.paths[0]}"))
                .header("Content-Type", "application/json").header("appkey", appkey)
                .header("ctyun-eop-request-id", id).header("eop-date", date)
                .header("Eop-Authorization", ak + " Headers=ctyun-eop-request-id;eop-date Signature=" + signature)
                .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }}
}}
'''
