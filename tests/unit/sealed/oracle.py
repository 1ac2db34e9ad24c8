"""Reference implementation: encryption and decryption with gmssl (pure Python), independent of `service.sealed`."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from gmssl import sm2, sm3, sm4

FIELDS = ("ciphertextBlob", "encryptedBody", "encryptedHashKey", "ciphertextBlobHash", "encryptedBodyHash")


def sm3_digest(data: bytes) -> bytes:
    return bytes.fromhex(sm3.sm3_hash(list(data)))


def sm3_hmac(key: bytes, data: bytes) -> bytes:
    if len(key) > 64:
        key = sm3_digest(key)
    key = key.ljust(64, b"\0")
    inner = sm3_digest(bytes(b ^ 0x36 for b in key) + data)
    return sm3_digest(bytes(b ^ 0x5C for b in key) + inner)


def sm4_encrypt(key: bytes, data: bytes) -> bytes:
    cipher = sm4.CryptSM4()
    cipher.set_key(key, sm4.SM4_ENCRYPT)
    return cipher.crypt_ecb(data)


def sm4_decrypt(key: bytes, data: bytes) -> bytes:
    cipher = sm4.CryptSM4()
    cipher.set_key(key, sm4.SM4_DECRYPT)
    return cipher.crypt_ecb(data)


def sm2_encrypt(point: bytes, data: bytes, order: str = "C1C2C3", marker: bool = True) -> bytes:
    library = sm2.CryptSM2(private_key="", public_key="", mode=0 if order == "C1C2C3" else 1)
    library.public_key = point.hex()  # set apart: the constructor strips leading zeros and fours
    # gmssl answers None where GM/T 0003.4 6.1 A5 requires a new k: the mask is all zero, 1 in 256 for one byte
    made = next(filter(None, (library.encrypt(data) for _ in range(20))))
    return b"\x04" * marker + made


@dataclass
class Sealer:
    """Makes sealed requests for one public point; every field can be replaced before the hashes are made."""

    point: bytes
    order: str = "C1C2C3"
    marker: bool = True
    sm4_key: bytes = b"0123456789abcdef"
    mac_key: bytes = b"a key for hashes"
    replaced: dict[str, str] = field(default_factory=dict)

    def __call__(self, plain: bytes) -> dict[str, str]:
        made = {
            "ciphertextBlob": text(sm2_encrypt(self.point, self.sm4_key, self.order, self.marker)),
            "encryptedBody": text(sm4_encrypt(self.sm4_key.ljust(16)[:16], plain)),
            "encryptedHashKey": text(sm2_encrypt(self.point, self.mac_key, self.order, self.marker)),
        } | self.replaced
        for name in ("ciphertextBlob", "encryptedBody"):
            made.setdefault(f"{name}Hash", text(sm3_hmac(self.mac_key, made[name].encode())))
        return made


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def body(fields: object) -> bytes:
    return json.dumps(fields).encode()
