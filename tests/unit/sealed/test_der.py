"""SM2 ciphertexts as the SEQUENCE of GM/T 0009 (CONTRACT D10)."""

from __future__ import annotations

import json

import gmssl_pyx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.errors import SealFault
from inkgate.service.sealed import curve, open_request, sm2
from inkgate.service.sealed.sm2 import der
from tests.unit.sealed import oracle
from tests.unit.sealed.conftest import POINT, PRIVATE

PLAIN = b"sixteen byte key"


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def integer(number: int) -> bytes:
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def sequence(x: int, y: int, c3: bytes, c2: bytes) -> bytes:
    return tlv(0x30, integer(x) + integer(y) + tlv(0x04, c3) + tlv(0x04, c2))


def raw(plain: bytes = PLAIN) -> tuple[int, int, bytes, bytes]:
    """x, y, C3, C2 of a fresh ciphertext."""
    sealed = oracle.sm2_encrypt(POINT, plain, "C1C3C2", marker=False)
    return int.from_bytes(sealed[:32], "big"), int.from_bytes(sealed[32:64], "big"), sealed[64:96], sealed[96:]


@pytest.mark.parametrize("size", [2, 16, 31, 32, 33, 127, 128, 255])
def test_opens_what_gmssl_in_c_sealed(provider: sm2.Provider, size: int):
    plain = bytes(range(1, size + 1))
    sealed = gmssl_pyx.sm2_encrypt(POINT, plain)
    assert sealed[0] == 0x30 and sm2.decrypt(provider, PRIVATE, sealed) == plain


def raw_from_c(plain: bytes = PLAIN) -> tuple[int, int, bytes, bytes]:
    """The same from GmSSL in C, some hundred times as fast as the oracle: x and y have at most 33 bytes, C3 has 32."""
    sealed = gmssl_pyx.sm2_encrypt(POINT, plain)
    values, at = list[bytes](), 2  # behind the tag and the length of the sequence, one byte here
    while at < len(sealed):
        end = at + 2 + sealed[at + 1]
        values.append(sealed[at + 2 : end])
        at = end
    x, y, c3, c2 = values
    return int.from_bytes(x, "big"), int.from_bytes(y, "big"), c3, c2


def test_coordinates_of_every_length(provider: sm2.Provider):
    """A leading bit wants a 00 before it; leading zeros go. The point is searched for, not waited for."""
    seen = set[int]()
    fresh = raw_from_c if provider.name == "libcrypto" else raw
    for _ in range(600 if provider.name == "libcrypto" else 12):
        x, y, c3, c2 = fresh()
        seen.add(len(integer(x)))
        assert sm2.decrypt(provider, PRIVATE, sequence(x, y, c3, c2)) == PLAIN
    assert len(seen) >= 2


def test_every_flipped_byte_is_refused(provider: sm2.Provider):
    sealed = sequence(*raw())
    for place in range(0, len(sealed), 1 if provider.name != "gmssl" else 9):
        altered = bytearray(sealed)
        altered[place] ^= 0x20
        assert sm2.decrypt(provider, PRIVATE, bytes(altered)) is None, place


def variants() -> dict[str, bytes]:
    x, y, c3, c2 = raw()
    good = sequence(x, y, c3, c2)
    body = integer(x) + integer(y) + tlv(0x04, c3) + tlv(0x04, c2)
    number = x.to_bytes(33, "big")
    return {
        "a byte behind": good + b"\0",
        "a byte short": good[:-1],
        "another tag": b"\x31" + good[1:],
        "length longer than it": b"\x30\x81" + bytes([len(body) + 1]) + body,
        "length of no limit": b"\x30\x80" + body + b"\0\0",
        "length in more octets than needed": b"\x30\x82\x00" + bytes([len(body)]) + body,
        "short length in the long form": tlv(0x30, b"\x02\x81\x21" + number + body[len(integer(x)) :]),
        "number with zeros before it": tlv(0x30, tlv(0x02, b"\0" + number) + body[len(integer(x)) :]),
        "negative number": tlv(0x30, tlv(0x02, b"\xff" + number[1:]) + body[len(integer(x)) :]),
        "empty number": tlv(0x30, tlv(0x02, b"") + body[len(integer(x)) :]),
        "number of 33 bytes": tlv(0x30, tlv(0x02, b"\x01" + number[1:]) + body[len(integer(x)) :]),
        "x beyond the field": sequence(x + curve.P, y, c3, c2),
        "C2 before C3": sequence(x, y, c2, c3),
        "C3 a byte short": sequence(x, y, c3[1:], c2),
        "no C2": sequence(x, y, c3, b""),
        "C2 missing": tlv(0x30, integer(x) + integer(y) + tlv(0x04, c3)),
        "a fifth value": tlv(0x30, body + tlv(0x04, b"x")),
        "C2 as a number": tlv(0x30, integer(x) + integer(y) + tlv(0x04, c3) + tlv(0x02, c2)),
        "off the curve": sequence(x, y ^ 1, c3, c2),
        "marker before it": b"\x04" + good,
        "C2 of 256 bytes": sequence(x, y, c3, bytes(256)),
    }


@pytest.mark.parametrize("name", variants())
def test_what_is_not_exactly_that_stays_a_fault(name: str):
    spoilt = variants()[name]
    assert sm2.decrypt(sm2.select_provider(), PRIVATE, spoilt) is None
    sealer = oracle.Sealer(POINT, replaced={"encryptedHashKey": oracle.text(spoilt)})
    with pytest.raises(SealFault) as fault:
        open_request(oracle.body(sealer(b"{}")), PRIVATE)
    assert fault.value.code == 40019


def test_a_request_sealed_in_that_form_opens():
    made = {
        "ciphertextBlob": oracle.text(gmssl_pyx.sm2_encrypt(POINT, b"0123456789abcdef")),
        "encryptedHashKey": oracle.text(gmssl_pyx.sm2_encrypt(POINT, b"a key for hashes")),
    }
    plain = json.dumps({"data": []}).encode()
    assert open_request(oracle.body(oracle.Sealer(POINT, replaced=made)(plain)), PRIVATE).plaintext == plain


def test_a_bare_point_that_begins_like_a_sequence(provider: sm2.Provider):
    """The other forms are tried after it all the same: 30 may be the first byte of a bare x."""
    if provider.name != "libcrypto":
        return  # the search takes some hundred encryptions; what is tried is the same for all
    for _ in range(3000):
        sealed = gmssl_pyx.sm2_encrypt(POINT, PLAIN)
        parts = der.unpack(sealed)
        assert parts is not None
        if parts[0][0] == 0x30:
            break
    c1, c3, c2 = parts
    assert c1[0] == 0x30
    for rest in (c3 + c2, c2 + c3):
        assert sm2.decrypt(provider, PRIVATE, c1 + rest) == PLAIN


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_unpack_takes_one_form_of_each_value(data: bytes):
    """Whatever it takes is written the one way that DER has for it."""
    for given_bytes in (data, tlv(0x30, data)):
        parts = der.unpack(given_bytes)
        if parts is not None:
            c1, c3, c2 = parts
            assert sequence(int.from_bytes(c1[:32], "big"), int.from_bytes(c1[32:], "big"), c3, c2) == given_bytes


coordinates = st.integers(0, 2**256 - 1)


@given(coordinates, coordinates, st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_unpack_takes_what_der_makes(x: int, y: int, c3: bytes, c2: bytes):
    assert der.unpack(sequence(x, y, c3, c2)) == (x.to_bytes(32, "big") + y.to_bytes(32, "big"), c3, c2)
