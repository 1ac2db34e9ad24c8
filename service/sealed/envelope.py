"""Sealed bodies (manual 6.2.4): opening a request, sealing its answer.

The checks run in the documented order, so that each fault has one code:

    40017  the five fields are there, are strings, are base64
    40019  encryptedHashKey opens under the app's SM2 key
    40018  ciphertextBlob matches its hash, then encryptedBody matches its own
    40019  ciphertextBlob opens under the app's SM2 key
    40020  the SM4 key has 16 bytes and opens encryptedBody

The hashes are HMAC-SM3 over the base64 text as it was sent, not over the bytes it stands for.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field

import orjson

from service.errors import SealFault
from service.sealed import sm2, sm3, sm4

_FIELDS = ("ciphertextBlob", "encryptedBody", "encryptedHashKey", "ciphertextBlobHash", "encryptedBodyHash")
_STANDARD = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """An opened request: the plain body, and the client's two keys, under which the answer is sealed."""

    plain: bytes = field(repr=False)
    sm4_key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)


def open_request(body: bytes, private_key: bytes, provider: sm2.Provider | None = None) -> SealedRequest:
    """Open a sealed body with the app's SM2 private key (32 bytes). Thread-safe; tens of milliseconds for a picture.

    Raises SealFault (40017 … 40020) for a body that cannot be opened, ValueError for an unusable private key.
    """
    provider = provider or sm2.choose()
    fields, values = _fields(body)
    mac_key = _open_key(provider, private_key, values["encryptedHashKey"])
    for name in ("ciphertextBlob", "encryptedBody"):
        expected = sm3.hmac(mac_key, fields[name].encode("ascii"))
        if not hmac.compare_digest(expected, values[f"{name}Hash"]):
            raise SealFault(40018, f"{name}哈希值不匹配", "相关字段哈希值不匹配，存在被篡改可能")
    sm4_key = _open_key(provider, private_key, values["ciphertextBlob"])
    try:
        plain = sm4.decrypt(sm4_key, values["encryptedBody"])
    except ValueError:
        raise SealFault(40020, "SM4解密失败", "SM4对称密钥加解密出现异常") from None
    return SealedRequest(plain, sm4_key, mac_key)


def seal_answer(plain: bytes, request: SealedRequest) -> bytes:
    """The sealed form of a successful answer, as JSON bytes: encryptedResult and its hash, nothing else."""
    result = base64.b64encode(sm4.encrypt(request.sm4_key, plain))
    digest = base64.b64encode(sm3.hmac(request.mac_key, result))
    return b'{"encryptedResult":"%s","encryptedResultHash":"%s"}' % (result, digest)


def _fields(body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """The five fields as text, and as the bytes that they stand for."""
    fault = SealFault(40017, "加密参数不符合要求", "入参格式不符合加密功能要求")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise fault from None
    if not isinstance(document, dict):
        raise fault
    fields: dict[str, str] = {}
    values: dict[str, bytes] = {}
    for name in _FIELDS:
        text = document.get(name)
        if not isinstance(text, str) or not text or not text.isascii():
            raise fault
        try:
            fields[name], values[name] = text, _decode(text)
        except binascii.Error:
            raise fault from None
    return fields, values


def _decode(text: str) -> bytes:
    """Base64 in either alphabet, padding optional, nothing else between. Raises binascii.Error."""
    if "-" in text or "_" in text:
        text = text.translate(_STANDARD)
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    return binascii.a2b_base64(text, strict_mode=True)


def _open_key(provider: sm2.Provider, private_key: bytes, ciphertext: bytes) -> bytes:
    """A key sealed with SM2. One error for every cause: which one it was would help only an attacker."""
    key = sm2.decrypt(provider, private_key, ciphertext)
    if key is None:
        raise SealFault(40019, "SM2解密失败", "SM2非对称解密出现异常")
    return key
