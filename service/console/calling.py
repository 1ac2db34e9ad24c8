"""A signed call to the gateway over HTTP, as any client makes it, and the same call written out for other clients."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from inkgate.service.contract.capabilities import Capability
from inkgate.service.eop.signing import call_headers

ANSWER_BYTES = 8 * 1024 * 1024
_IMAGE = "<image>"  # stands for the Base64 text where a body is split


@dataclass(frozen=True, slots=True)
class Signer:
    """The caller's own keys."""

    ak: str
    secret: bytes
    appkey: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made. `answer` is None when none came; `failure` then says why. `milliseconds` by the console's
    clock, from sending to the last byte."""

    capability: Capability
    headers: dict[str, str]
    status: int
    answer: dict[str, Any] | None
    failure: str
    milliseconds: int


def body_of(capability: Capability, picture: bytes) -> bytes:
    """The request body: exactly the bytes that `body_command` makes."""
    head, tail = _around(capability)
    return head.encode() + base64.b64encode(picture) + tail.encode()


def _around(capability: Capability) -> tuple[str, str]:
    """The body before and after the image's Base64 text."""
    head, _, tail = json.dumps(capability.request([_IMAGE]), separators=(",", ":")).partition(_IMAGE)
    return head, tail


async def call(gateway: str, capability: Capability, signer: Signer, picture: bytes, seconds: float) -> Call:
    """Send one picture and wait for the answer, at most `seconds`."""
    body = body_of(capability, picture)
    headers = call_headers(signer.ak, signer.secret, signer.appkey, body)
    start = time.perf_counter()
    try:
        async with httpx.AsyncClient(timeout=seconds, trust_env=False) as client:
            response = await client.post(gateway + capability.paths[0], content=body, headers=headers)
    except httpx.HTTPError as error:
        return Call(capability, headers, 0, None, f"{type(error).__name__}: {error}", _since(start))
    try:
        answer = response.json() if len(response.content) <= ANSWER_BYTES else None
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else None
    failure = "" if answer is not None else f"HTTP {response.status_code}"
    return Call(capability, headers, response.status_code, answer, failure, _since(start))


def _since(start: float) -> int:
    return round((time.perf_counter() - start) * 1000)


def as_curl(made: Call, endpoint: str) -> str:
    """The very request that was made, for a shell; its signature is good for as long as the clock window."""
    head, tail = _around(made.capability)
    lines = [f"{{ printf '%s' '{head}'; base64 -w0 picture.jpg; printf '%s' '{tail}'; }} > body.json"]
    lines.append(f"curl -sS '{endpoint}{made.capability.paths[0]}' \\")
    lines += [f"  -H '{name}: {value}' \\" for name, value in made.headers.items()]
    return "\n".join([*lines, "  --data-binary @body.json"])


def as_python(capability: Capability, signer: Signer, endpoint: str) -> str:
    """A program that signs for itself, standard library only; the secret comes from the environment."""
    head, tail = _around(capability)
    return f"""import base64, hashlib, hmac, os, urllib.request, uuid
from datetime import datetime, timedelta, timezone

AK, SK, APPKEY = {signer.ak!r}, os.environ["SK"], {signer.appkey!r}
picture = base64.b64encode(open("picture.jpg", "rb").read()).decode()
body = ({json.dumps(head)} + picture + {json.dumps(tail)}).encode()

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


def as_java(capability: Capability, signer: Signer, endpoint: str) -> str:
    """The same for Java 17, standard library only."""
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
        String ak = "{signer.ak}", sk = System.getenv("SK"), appkey = "{signer.appkey}";
        String picture = Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of("picture.jpg")));
        byte[] body = ({json.dumps(head)} + picture + {json.dumps(tail)}).getBytes(StandardCharsets.UTF_8);
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
