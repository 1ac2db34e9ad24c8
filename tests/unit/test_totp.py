"""Codes of the second factor against the vectors of RFC 4226 and RFC 6238."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.users import totp

KEY = b"12345678901234567890"
NOW = datetime(2026, 3, 20, 8, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("counter", "code"),
    enumerate(("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")),
)
def test_the_vectors_of_rfc_4226(counter: int, code: str) -> None:
    assert totp.code_of(KEY, counter) == code


@pytest.mark.parametrize(
    ("seconds", "digest", "code"),
    [
        (59, "sha1", "94287082"),
        (59, "sha256", "46119246"),
        (59, "sha512", "90693936"),
        (1111111109, "sha1", "07081804"),
        (1234567890, "sha1", "89005924"),
        (20000000000, "sha1", "65353130"),
        (20000000000, "sha512", "47863826"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, digest: str, code: str) -> None:
    key = (KEY * 4)[: {"sha1": 20, "sha256": 32, "sha512": 64}[digest]]
    step = totp.step_of(datetime.fromtimestamp(seconds, UTC))
    assert totp.code_of(key, step, digits=8, digest=digest) == code


@pytest.mark.parametrize(("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(steps: int, fits: bool) -> None:
    step = totp.step_of(NOW) + steps
    assert totp.matching_step(KEY, totp.code_of(KEY, step), NOW, None) == (step if fits else None)


@given(st.integers(min_value=-1, max_value=1), st.integers(min_value=-3, max_value=3))
def test_a_code_fits_only_after_the_last_used_step(drift: int, used: int) -> None:
    now = totp.step_of(NOW)
    found = totp.matching_step(KEY, totp.code_of(KEY, now + drift), NOW, now + used)
    assert found == (now + drift if drift > used else None)


@given(st.text(max_size=12))
def test_no_other_text_is_a_code(text: str) -> None:
    good = {totp.code_of(KEY, totp.step_of(NOW + timedelta(seconds=30 * drift))) for drift in (-1, 0, 1)}
    assert (totp.matching_step(KEY, text, NOW, None) is not None) == (text in good)


def test_the_address_of_the_qr_code_has_key_and_names() -> None:
    parts = urlsplit(totp.address_of(KEY, "a@b.c", "InkGate"))
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/InkGate:a%40b.c")
    assert base64.b32decode(query["secret"][0]) == KEY and query["issuer"] == ["InkGate"]
