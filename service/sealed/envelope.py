"""Sealed bodies (manual 6.2.4): decrypt a request, encrypt its answer.

The checks run in the documented order, which determines the code of a body with several faults:

    40017  the five fields exist, are strings and base64
    40019  encryptedHashKey decrypts with the app's SM2 key
    40018  ciphertextBlob matches its hash, then encryptedBody matches its own
    40019  ciphertextBlob decrypts with the app's SM2 key
    40020  the SM4 key has 16 bytes and decrypts encryptedBody

The hashes are HMAC-SM3 over the base64 text as it was sent, not over the decoded bytes.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from inkgate.service.contract.base64_text import decode_pieces
from inkgate.service.contract.bounded_json import Buffer, InvalidJson, LongString, loads
from inkgate.service.errors import SealFault
from inkgate.service.sealed import sm2, sm3, sm4
from inkgate.service.sealed.keys import decode_public

_FIELDS = ("ciphertextBlob", "encryptedBody", "encryptedHashKey", "ciphertextBlobHash", "encryptedBodyHash")


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """A decrypted request: the plaintext body, and the client's two keys, with which the answer is sealed."""

    plaintext: Buffer = field(repr=False)
    sm4_key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)


def open_request(body: Buffer, private_key: bytes, provider: sm2.Provider | None = None) -> SealedRequest:
    """Decrypt a sealed body with the app's SM2 private key (32 bytes). Thread-safe; tens of milliseconds per image.

    Raises SealFault (40017 … 40020) for a body that cannot be decrypted, ValueError for an unusable private key.
    """
    provider = provider or sm2.select_provider()
    fields, values = _fields(body)
    mac_key = _open_key(provider, private_key, bytes(values["encryptedHashKey"]))
    for name in ("ciphertextBlob", "encryptedBody"):
        expected = sm3.hmac_chunks(mac_key, _ascii(fields[name]))
        if not hmac.compare_digest(expected, values[f"{name}Hash"]):
            raise SealFault(40018, f"{name}哈希值不匹配", "相关字段哈希值不匹配，存在被篡改可能")
    sm4_key = _open_key(provider, private_key, bytes(values["ciphertextBlob"]))
    plain = values["encryptedBody"]
    try:
        sm4.decrypt_in_place(sm4_key, plain)
    except ValueError:
        raise SealFault(40020, "SM4解密失败", "SM4对称密钥加解密出现异常") from None
    return SealedRequest(plain, sm4_key, mac_key)


def seal_request(plain: bytes, public_key: str) -> tuple[bytes, SealedRequest]:
    """A sealed body as a client makes it, with new keys, and what opens its answer. `public_key` is the base64 text of
    the console. Raises ValueError for one that is not a public key."""
    point, keys = decode_public(public_key), SealedRequest(plain, secrets.token_bytes(sm4.KEY), secrets.token_bytes(16))
    texts = {
        "ciphertextBlob": base64.b64encode(sm2.encrypt(point, keys.sm4_key)),
        "encryptedBody": base64.b64encode(sm4.encrypt(keys.sm4_key, plain)),
    }
    fields = {name: text.decode() for name, text in texts.items()}
    fields["encryptedHashKey"] = base64.b64encode(sm2.encrypt(point, keys.mac_key)).decode()
    for name, text in texts.items():
        fields[f"{name}Hash"] = base64.b64encode(sm3.hmac(keys.mac_key, text)).decode()
    return json.dumps(fields).encode(), keys


def seal_answer(plain: bytes, request: SealedRequest) -> bytes:
    """The sealed form of a successful answer, as JSON bytes: encryptedResult and its hash, nothing else."""
    result = base64.b64encode(sm4.encrypt(request.sm4_key, plain))
    digest = base64.b64encode(sm3.hmac(request.mac_key, result))
    return b'{"encryptedResult":"%s","encryptedResultHash":"%s"}' % (result, digest)


def open_answer(sealed: bytes, request: SealedRequest) -> bytes | None:
    """The plain form of a sealed answer; None for bytes that are not the answer to this request."""
    try:
        document = json.loads(sealed)
        result, digest = document["encryptedResult"].encode("ascii"), base64.b64decode(document["encryptedResultHash"])
        if not hmac.compare_digest(sm3.hmac(request.mac_key, result), digest):
            return None
        return sm4.decrypt(request.sm4_key, base64.b64decode(result))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _fields(body: Buffer) -> tuple[dict[str, str | LongString], dict[str, bytearray]]:
    """The five fields as text, and decoded."""
    try:
        document = loads(body)
    except InvalidJson as error:
        raise _shape_fault(error.detail) from None
    if not isinstance(document.value, dict):
        raise _shape_fault()
    fields: dict[str, str | LongString] = {}
    values: dict[str, bytearray] = {}
    for name in _FIELDS:
        text = document.resolve(document.value.get(name))
        if not isinstance(text, str | LongString) or not text:
            raise _shape_fault()
        try:
            fields[name], values[name] = text, decode_pieces(_ascii(text), exact=True)
        except ValueError:
            raise _shape_fault() from None
    return fields, values


def _shape_fault(detail: str = "") -> SealFault:
    text = "入参格式不符合加密功能要求"
    return SealFault(40017, "加密参数不符合要求", f"{text}：{detail}" if detail else text)


def _ascii(text: str | LongString) -> Iterable[Buffer]:
    """A field's text as bytes. Raises UnicodeEncodeError."""
    return text.ascii_pieces() if isinstance(text, LongString) else (text.encode("ascii"),)


def _open_key(provider: sm2.Provider, private_key: bytes, ciphertext: bytes) -> bytes:
    """A key encrypted with SM2. All causes give one error, so that an attacker cannot distinguish them."""
    key = sm2.decrypt(provider, private_key, ciphertext)
    if key is None:
        raise SealFault(40019, "SM2解密失败", "SM2非对称解密出现异常")
    return key
