"""SM2 key pairs and the form in which the console shows them."""

from __future__ import annotations

import base64

import gmssl_pyx
import pytest

from inkgate.service.errors import ConfigurationError
from inkgate.service.sealed import curve, keys, sm2

# GB/T 32918.5, the key pair of its encryption example on sm2p256v1.
STANDARD_PRIVATE = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
STANDARD_POINT = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)


def test_public_key_of_the_standards_example():
    assert keys.decode_public(keys.public_of(STANDARD_PRIVATE)) == STANDARD_POINT


def test_generated_pair_opens_what_another_library_sealed():
    private, public = keys.generate()
    sealed = gmssl_pyx.sm2_encrypt(keys.decode_public(public), b"sixteen byte key")
    assert gmssl_pyx.sm2_decrypt(private, sealed) == b"sixteen byte key"


def test_public_key_has_the_form_of_the_console():
    _, public = keys.generate()
    assert len(public) == 124
    assert public.startswith("MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE")
    assert len(base64.b64decode(public)) == 91


def test_pairs_differ():
    assert len({keys.generate()[0] for _ in range(8)}) == 8


@pytest.mark.parametrize("number", [0, curve.N - 1, curve.N, 2**256 - 1])
def test_private_key_out_of_range(number: int):
    with pytest.raises(ValueError, match="1 to n-2"):
        keys.public_of(number.to_bytes(32, "big"))


def test_private_key_of_wrong_length():
    with pytest.raises(ValueError, match="32 bytes"):
        keys.public_of(b"\x01" * 31)


@pytest.mark.parametrize("x", [1, curve.P, 2**256 - 1])
def test_points_off_the_curve(x: int):
    point = x.to_bytes(32, "big") + curve.G[32:]
    assert not curve.on_curve(point)
    with pytest.raises(ValueError, match="not a point"):
        keys.encode_public(point)


def test_coordinates_must_be_reduced():
    """x and x+p are the same number modulo p; only the first is a coordinate."""
    x = next(x for x in range(1, 2**32) if pow(x**3 + curve.A * x + curve.B, (curve.P - 1) // 2, curve.P) == 1)
    y = pow(x**3 + curve.A * x + curve.B, (curve.P + 1) // 4, curve.P).to_bytes(32, "big")
    assert curve.on_curve(x.to_bytes(32, "big") + y)
    assert not curve.on_curve((x + curve.P).to_bytes(32, "big") + y)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not base64!", "not base64"),
        ("", "SubjectPublicKeyInfo"),
        (base64.b64encode(curve.G).decode(), "SubjectPublicKeyInfo"),
        (base64.b64encode(base64.b64decode(keys.public_of(STANDARD_PRIVATE))[:-1] + b"\0").decode(), "not on"),
    ],
)
def test_invalid_public_key(text: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        keys.decode_public(text)


# --- who multiplies: libcrypto, constant in time; gmssl only where there is none


def test_libcrypto_makes_public_keys():
    assert sm2.multiplier().name == "libcrypto"


def fallen_back(monkeypatch: pytest.MonkeyPatch, first: object) -> sm2.provider.Multiplier:
    monkeypatch.setattr(sm2.provider, "_MULTIPLIERS", (first, sm2.provider.GmsslPython))
    return sm2.provider.multiplier.__wrapped__()


def test_gmssl_is_the_fallback_and_gives_the_same_keys(monkeypatch: pytest.MonkeyPatch):
    def missing() -> sm2.provider.Multiplier:
        raise OSError("no libcrypto")

    other = fallen_back(monkeypatch, missing)
    assert other.name == "gmssl"
    for number in (1, 2, 3, 2**255, curve.N - 2, int.from_bytes(STANDARD_PRIVATE, "big")):
        private = number.to_bytes(32, "big")
        expected = sm2.multiplier().multiply(private, curve.G)
        assert expected is not None and curve.on_curve(expected)
        assert other.multiply(private, curve.G) == expected
    monkeypatch.setattr(keys, "multiplier", lambda: other)
    private, public = keys.generate()
    sealed = gmssl_pyx.sm2_encrypt(keys.decode_public(public), b"sixteen byte key")
    assert gmssl_pyx.sm2_decrypt(private, sealed) == b"sixteen byte key"


def test_a_library_with_wrong_results_is_rejected(monkeypatch: pytest.MonkeyPatch):
    class Wrong:
        name = "libcrypto"

        def multiply(self, private: bytes, point: bytes) -> bytes | None:
            return point

    assert fallen_back(monkeypatch, Wrong).name == "gmssl"
    monkeypatch.setattr(sm2.provider, "_MULTIPLIERS", (Wrong,))
    with pytest.raises(ConfigurationError, match="key pair"):
        sm2.provider.multiplier.__wrapped__()
