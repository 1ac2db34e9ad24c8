"""The cases of the self-check of the contract: a request, and what its answer must be. Pure.

A case is what a client sees: status codes, error codes and the form of answers, for every capability, and the gateway's
refusals. Units that the requests use are those of `service.metering.policy`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT, PREFIX, Capability
from inkgate.service.contract.refusals import GATEWAY_CODES
from inkgate.service.eop.signature import sign
from inkgate.service.eop.signing import call_headers
from inkgate.service.metering.policy import Event, Policy

NO_IMAGE = b"this is a text and no image"
STALE = timedelta(days=2)  # at least, and twice the permitted difference of clocks
UNKNOWN_AK, UNKNOWN_APPKEY = "0" * 32, "no-such-appkey"
Check = Callable[[Any], str]
"""What is wrong with the JSON of an answer; "" when nothing is."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The access key and the app that the requests are made with, and the app's public key for sealed bodies; "" sends
    none."""

    ak: str
    sk: str = field(repr=False)
    appkey: str
    enckey: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One request. `http` is the status of its answer; None is any (refusals may be set to 200). `units` is what it
    uses."""

    name: str
    zh: str
    en: str
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    check: Check
    http: int | None = 200
    units: int = 0
    capability: str = ""


def cases(keys: Keys, policy: Policy, clock_window: int) -> Iterator[Case]:
    """All cases, the refusals first. `clock_window`: seconds that a date may be off; with 0 no date is too old."""
    yield from _refusals(keys, clock_window)
    for rule in CAPABILITIES.values():
        yield from _of_capability(rule, keys, policy)


def _of_capability(rule: Capability, keys: Keys, policy: Policy) -> Iterator[Case]:
    def case(kind: str, zh: str, en: str, body: bytes, check: Check, event: Event) -> Case:
        headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, body)
        units = policy.units([event]) if rule.commercial else 0
        return Case(
            f"{rule.name}.{kind}", f"{rule.title}：{zh}", f"{rule.title_en}: {en}", "POST", rule.paths[0], body,
            headers, check, units=units, capability=rule.name,
        )  # fmt: skip

    image = encoded(rule, rule.sample.read_bytes())
    yield case("sample", "样例图片", "sample image", image, read(rule), Event.IMAGE_READ)
    fault = rule.faults["missing"].code
    yield case("missing", "缺少参数", "missing parameter", b"{}", has_status(fault), Event.REQUEST_FAULT)
    code = rule.faults["format"].code
    check = has_status(code) if rule.single else _failed(code)
    event = Event.REQUEST_FAULT if rule.single else Event.IMAGE_FAULT
    yield case("format", "不是图片", "not an image", encoded(rule, NO_IMAGE), check, event)


def encoded(rule: Capability, image: bytes) -> bytes:
    """The body of a request with one image."""
    return json.dumps(rule.request([base64.b64encode(image).decode()])).encode()


def _refusals(keys: Keys, clock_window: int) -> Iterator[Case]:
    rule = CAPABILITIES[DEFAULT]
    body, path = encoded(rule, rule.sample.read_bytes()), rule.paths[0]

    def signed(ak: str = keys.ak, sk: str = keys.sk, appkey: str = keys.appkey) -> dict[str, str]:
        return call_headers(ak, sk.encode(), appkey, body)

    def case(
        code: int, kind: str, zh: str, en: str, headers: Mapping[str, str], at: str = path, sent: bytes = body
    ) -> Case:  # fmt: skip
        row = GATEWAY_CODES[code]
        wanted = f"CTAPI_{code}" if row.eop else code
        return Case(f"gateway.{kind}", zh, en, "POST", at, sent, headers, has_status(wanted), http=None)

    stale = {
        "appkey": keys.appkey,
        "ctyun-eop-request-id": str(uuid.uuid4()),
        "eop-date": (datetime.now(UTC) - max(STALE, timedelta(seconds=2 * clock_window))).strftime("%Y%m%dT%H%M%SZ"),
    }
    stale["Eop-Authorization"] = sign(keys.ak, keys.sk.encode(), stale, "", hashlib.sha256(body).hexdigest())
    no_body = call_headers(keys.ak, keys.sk.encode(), keys.appkey, b"")
    other = body.replace(b"{", b"{ ", 1)
    yield case(10020, "unsigned", "没有签名", "no signature", {"Content-Type": "application/json"})
    yield case(10002, "key", "未知的 AccessKey", "unknown access key", signed(ak=UNKNOWN_AK))
    yield case(10020, "signature", "SecretKey 不对", "wrong secret key", signed(sk="0" * 32))
    yield case(10020, "body", "签名后改动请求体", "body changed after signing", signed(), sent=other)
    if clock_window:
        yield case(10020, "date", "日期过旧", "date of two days ago", stale)
    yield case(40002, "no-appkey", "没有 AppKey", "no AppKey", signed(appkey=""))
    yield case(40006, "appkey", "未知的 AppKey", "unknown AppKey", signed(appkey=UNKNOWN_APPKEY))
    own = rule.faults.get("method")  # some capabilities have a code of their own
    check = has_status(own.code if own else 40008)
    yield Case("gateway.method", "GET 请求", "a GET request", "GET", path, b"", no_body, check, http=None)
    yield case(50001, "service", "未知的服务", "unknown service", signed(), at=f"{PREFIX}no-such-service/x")


def _status(answer: Any) -> Any:
    return answer.get("statusCode") if isinstance(answer, dict) else None


def has_status(wanted: int | str) -> Check:
    """The answer has this `statusCode`, of the same type."""

    def check(answer: Any) -> str:
        found = _status(answer)
        return "" if found == wanted and type(found) is type(wanted) else f"statusCode {found!r} instead of {wanted!r}"

    return check


def element_of(rule: Capability, answer: Any) -> Mapping[str, Any]:
    """The element of the only image of an answer; empty for any other answer."""
    found = answer.get("returnObj") if isinstance(answer, dict) else None
    if not rule.single:
        found = found[0] if isinstance(found, list) and len(found) == 1 else None
    return found if isinstance(found, dict) else {}


def read(rule: Capability) -> Check:
    """The answer has one element with the fields of the capability."""

    def check(answer: Any) -> str:
        if _status(answer) != 0:
            return f"statusCode {_status(answer)!r} instead of 0"
        element = element_of(rule, answer)
        missing = [name for name in rule.schema.get("required", ("detail",)) if name not in element]
        return f"the element has no {missing[0]!r}" if missing else ""

    return check


def _failed(code: int) -> Check:
    def check(answer: Any) -> str:
        elements = answer.get("returnObj") if isinstance(answer, dict) else None
        if _status(answer) != 0 or not isinstance(elements, list) or len(elements) != 1:
            return f"statusCode {_status(answer)!r} instead of 0 with one failed element"
        found = elements[0].get("err_code") if isinstance(elements[0], dict) else None
        counts = {"success": 0, "fail": 1}
        if found != code or answer.get("message") != counts:
            return f"err_code {found!r}, message {answer.get('message')!r} instead of {code} and {counts}"
        return ""

    return check
