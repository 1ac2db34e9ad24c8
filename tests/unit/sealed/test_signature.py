"""SM2 signatures: the standard's example, and two other implementations in both directions."""

from __future__ import annotations

import secrets

import gmssl_pyx
import pytest
from gmssl.sm2 import CryptSM2
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.sealed import keys, signature
from inkgate.service.sealed.curve import N
from inkgate.service.sealed.sm2.der import INTEGER, SEQUENCE

# GB/T 32918.5, A.2: the key, the message, the nonce and the signature of the example.
PRIVATE = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
PUBLIC = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
SIGNATURE = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def _pair() -> tuple[bytes, bytes]:
    private, public = keys.generate()
    return private, keys.decode_public(public)


def _der(raw: bytes) -> bytes:
    def number(part: bytes) -> bytes:
        bare = part.lstrip(b"\0")
        bare = b"\0" + bare if bare[0] & 0x80 else bare
        return bytes([INTEGER, len(bare)]) + bare

    content = number(raw[:32]) + number(raw[32:])
    return bytes([SEQUENCE, len(content)]) + content


def test_the_example_of_the_standard() -> None:
    digest = signature._digest(PUBLIC, b"message digest")
    assert signature.sign_digest(PRIVATE, digest, NONCE) == SIGNATURE
    assert signature.verify(PUBLIC, b"message digest", SIGNATURE)


@settings(max_examples=25, deadline=None)
@given(message=st.binary(max_size=300))
def test_others_verify_our_signatures_and_we_theirs(message: bytes) -> None:
    private, public = _pair()
    ours = signature.sign(private, public, message)
    assert gmssl_pyx.sm2_verify(public, message, _der(ours))
    other = CryptSM2(private_key=private.hex(), public_key=public.hex())
    assert other.verify_with_sm3(ours.hex(), message)
    theirs = other.sign_with_sm3(message, secrets.token_hex(32))
    assert signature.verify(public, message, bytes.fromhex(theirs))


@pytest.mark.parametrize("place", range(0, 64, 7))
def test_an_altered_signature_is_refused(place: int) -> None:
    altered = bytearray(SIGNATURE)
    altered[place] ^= 1
    assert not signature.verify(PUBLIC, b"message digest", bytes(altered))


def test_what_is_no_signature_is_refused() -> None:
    good, n = SIGNATURE, N.to_bytes(32, "big")
    for bad in (b"", good[:-1], good + b"\0", bytes(64), good[:32] + bytes(32), n + good[32:], good[:32] + n):
        assert not signature.verify(PUBLIC, b"message digest", bad)
    assert not signature.verify(PUBLIC, b"another message", good)
    assert not signature.verify(bytes(64), b"message digest", good)
    assert not signature.verify(_pair()[1], b"message digest", good)
    r = good[:32]  # with s = n - r the sum is zero
    assert not signature.verify(PUBLIC, b"message digest", r + (N - int.from_bytes(r, "big")).to_bytes(32, "big"))


def test_a_nonce_outside_the_order_is_not_used() -> None:
    assert signature.sign_digest(PRIVATE, bytes(32), 0) is None
    assert signature.sign_digest(PRIVATE, bytes(32), N) is None
    with pytest.raises(ValueError, match="not an SM2 key pair"):
        signature.sign(bytes(32), PUBLIC, b"")
    with pytest.raises(ValueError, match="not an SM2 key pair"):
        signature.sign(PRIVATE, bytes(64), b"")


def test_a_message_is_signed_differently_each_time() -> None:
    private, public = _pair()
    assert signature.sign(private, public, b"x") != signature.sign(private, public, b"x")
