"""SM2 private keys as tools write them: hexadecimal, base64, PKCS#8 (GM/T 0006, RFC 5958) and SEC 1 (RFC 5915)."""

from __future__ import annotations

import base64
import binascii
import re

from inkgate.service.sealed.curve import valid_private

MAX_TEXT_LENGTH = 1000  # characters; PKCS#8 with the public key has about 250 in PEM
_PEM = re.compile(r"-----BEGIN (?:EC )?PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END (?:EC )?PRIVATE KEY-----")
_SM2_OID = rb"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"
_LENGTH = rb"(?:[\x00-\x7f]|\x81.)"
_EC_KEY = rb"\x30" + _LENGTH + rb"\x02\x01\x01\x04\x20(.{32})"  # ECPrivateKey: version 1, 32 octets
_PKCS8 = re.compile(
    rb"\x30"
    + _LENGTH
    + rb"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
    + _SM2_OID
    + rb"\x04"
    + _LENGTH
    # the curve is named in the algorithm, so that ECPrivateKey need not repeat it
    + _EC_KEY,
    re.DOTALL,
)
_SEC1 = re.compile(_EC_KEY + rb"\xa0\x0a" + _SM2_OID, re.DOTALL)


def parse_private(text: str) -> bytes:
    """The private key in `text`: 32 bytes, big-endian.

    Accepted: 64 hex digits, base64 of 32 bytes, base64 or PEM of unencrypted PKCS#8 or SEC 1 DER for sm2p256v1. Raises
    ValueError for anything else, and for a number outside 1 … n-2.
    """
    stripped = text.strip()
    if len(stripped) > MAX_TEXT_LENGTH:
        raise ValueError("longer than any SM2 private key")
    key = _decoded(stripped)
    if len(key) != 32:
        found = _PKCS8.match(key) or _SEC1.match(key)
        if found is None:
            raise ValueError("not an unencrypted SM2 private key")
        key = found[1]
    if not valid_private(key):
        raise ValueError("an SM2 private key holds a number from 1 to n-2")
    return key


def _decoded(text: str) -> bytes:
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    pem = _PEM.fullmatch(text)
    try:
        return base64.b64decode("".join((pem[1] if pem else text).split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("neither hexadecimal nor base64 nor PEM") from None
