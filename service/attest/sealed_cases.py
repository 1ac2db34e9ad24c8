"""The cases of sealed bodies (SM2, SM4, HMAC-SM3): one that is read, and changed ones that are refused. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from inkgate.service.attest.contract_cases import Case, Check, Keys, encoded, has_status, read
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT
from inkgate.service.eop.signing import call_headers
from inkgate.service.metering.policy import Event, Policy
from inkgate.service.sealed import SealedRequest, open_answer, seal_request, sm3
from inkgate.service.sealed.keys import generate

SHAPE, HASH, SM2, SM4 = 40017, 40018, 40019, 40020  # codes of a body that cannot be opened


def sealed_cases(keys: Keys, policy: Policy) -> Iterator[Case]:
    """The cases for the app of `keys`, whose public key is `keys.enckey`. Raises ValueError for one that is no key."""
    rule = CAPABILITIES[DEFAULT]
    plain = encoded(rule, rule.sample.read_bytes())

    def case(kind: str, zh: str, en: str, body: bytes, check: Check, event: Event, http: int | None = None) -> Case:
        headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, body) | {"decrypted": "true"}
        units = policy.units([event]) if rule.commercial else 0
        return Case(f"sealed.{kind}", zh, en, "POST", rule.paths[0], body, headers, check, http, units)

    def refused(kind: str, zh: str, en: str, body: bytes, code: int) -> Case:
        return case(kind, zh, en, body, has_status(code), Event.SEAL_FAULT)

    body, request = seal_request(plain, keys.enckey)
    yield case("sample", "加密请求体与应答", "sealed body and answer", body, _opened(request), Event.IMAGE_READ, 200)
    yield refused("shape", "声明加密而未加密", "declared as sealed and plain", plain, SHAPE)
    body, _ = seal_request(plain, keys.enckey)
    yield refused("changed", "密文被改动", "changed ciphertext", _changed(body, "encryptedBody"), HASH)
    body, request = seal_request(plain, keys.enckey)
    altered = _rehashed(_changed(body, "ciphertextBlob"), "ciphertextBlob", request)
    yield refused("key", "SM4 密钥的密文被改动", "changed ciphertext of the SM4 key", altered, SM2)
    body, _ = seal_request(plain, generate()[1])
    yield refused("recipient", "用别的公钥加密", "sealed for another key", body, SM2)
    body, request = seal_request(plain, keys.enckey)
    cut = _rehashed(_without_a_byte(body), "encryptedBody", request)
    yield refused("padding", "密文不是整块", "ciphertext of no whole blocks", cut, SM4)


def _opened(request: SealedRequest) -> Check:
    """The answer is sealed with the keys of the request, and is that of the sample."""

    def check(answer: Any) -> str:
        plain = open_answer(json.dumps(answer).encode(), request)
        if plain is None:
            return "the answer is not sealed with the keys of the request"
        return read(CAPABILITIES[DEFAULT])(json.loads(plain))

    return check


def _changed(body: bytes, name: str) -> bytes:
    """The body with one bit of a field changed, in the middle of its ciphertext."""
    fields = json.loads(body)
    data = bytearray(base64.b64decode(fields[name]))
    data[len(data) // 2] ^= 1
    return json.dumps(fields | {name: base64.b64encode(data).decode()}).encode()


def _without_a_byte(body: bytes) -> bytes:
    fields = json.loads(body)
    data = base64.b64decode(fields["encryptedBody"])[:-1]
    return json.dumps(fields | {"encryptedBody": base64.b64encode(data).decode()}).encode()


def _rehashed(body: bytes, name: str, request: SealedRequest) -> bytes:
    """The body with the right hash of a changed field: as an attacker cannot, and a faulty client can."""
    fields = json.loads(body)
    digest = base64.b64encode(sm3.hmac(request.mac_key, fields[name].encode())).decode()
    return json.dumps(fields | {f"{name}Hash": digest}).encode()
