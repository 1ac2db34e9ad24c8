"""Signatures: accepted and refused forms."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.eop.canonical import canonical, query_forms
from inkgate.service.eop.header import parse
from inkgate.service.eop.signature import BEIJING, day_key, in_window, sign, verify

AK, SK = "a" * 32, b"s" * 32
HASH = hashlib.sha256(b"{}").hexdigest()
HEADERS = {"appkey": "k" * 32, "ctyun-eop-request-id": "r-1", "eop-date": "20261122T163014Z"}


def signed(headers=HEADERS, query="", body_hash=HASH):
    return parse(sign(AK, SK, headers, query, body_hash))


def test_canonical_string_ends_every_header_line_and_has_an_empty_query_line():
    text = canonical(("a", "b"), {"a": "1", "b": "2"}, "", "h")
    assert text == "a:1\nb:2\n\n\nh"


def test_day_key_is_the_documented_chain():
    import hmac

    time_key = hmac.new(SK, b"20261122T163014Z", "sha256").digest()
    ak_key = hmac.new(time_key, AK.encode(), "sha256").digest()
    assert day_key(AK, SK, "20261122T163014Z") == hmac.new(ak_key, b"20261122", "sha256").digest()


def test_a_signature_verifies_over_what_it_covers_and_nothing_else():
    authorization = signed()
    assert verify(authorization, SK, HEADERS, "", HASH)
    assert not verify(authorization, b"x" * 32, HEADERS, "", HASH)
    assert not verify(authorization, SK, HEADERS, "a=1", HASH)
    assert not verify(authorization, SK, HEADERS, "", hashlib.sha256(b"other").hexdigest())
    assert not verify(authorization, SK, {**HEADERS, "appkey": "other"}, "", HASH)


def test_unsigned_extra_headers_do_not_matter():
    assert verify(signed(), SK, {**HEADERS, "user-agent": "x"}, "", HASH)


@pytest.mark.parametrize("missing", ["eop-date", "ctyun-eop-request-id"])
def test_compulsory_headers(missing):
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    assert not verify(signed(), SK, headers, "", HASH)


def test_eop_date_must_be_among_the_signed():
    authorization = parse(f"{AK} Headers=appkey Signature={base64.b64encode(bytes(32)).decode()}")
    assert not verify(authorization, SK, HEADERS, "", HASH)


def test_request_id_must_be_sent_but_need_not_be_signed():
    date_only = {"eop-date": HEADERS["eop-date"]}
    assert verify(signed(date_only), SK, HEADERS, "", HASH)


@pytest.mark.parametrize("label", ["Headers", "headers"])
def test_header_labels_and_blanks(label):
    value = sign(AK, SK, HEADERS, "", HASH).replace("Headers=", f"  {label}=")
    assert verify(parse(value), SK, HEADERS, "", HASH)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        AK,
        f"{AK} Headers=eop-date",
        f"{AK} Headers= Signature=",
        "a b c d e f",
        f"{AK} Headers=eop-date Signature=%%%",
        f"{AK} Headers=eop-date Signature=AAAA",
    ],
)
def test_malformed_authorization(value):
    assert parse(value) is None


@pytest.mark.parametrize(
    ("raw", "signed_as"),
    [
        ("b=2&a=1", "a=1&b=2"),  # the manual's sample: whole pairs sorted
        ("a-b=1&a=1", "a=1&a-b=1"),  # the manual's text: sorted by key
        ("a=1&a-b=1", "a-b=1&a=1"),  # whole pairs again: '-' sorts before '='
        ("k=a+b", "k=a%20b"),  # RFC 3986
        ("k=a%20b", "k=a+b"),  # Go's url.Values.Encode
    ],
)
def test_query_forms(raw, signed_as):
    assert signed_as in query_forms(raw)


@given(st.text(alphabet="ab=&%+-2 0\x00é", max_size=40))
def test_query_forms_take_anything(raw):
    assert query_forms(raw)


def test_upper_case_hash_is_accepted():
    headers = HEADERS
    value = sign(AK, SK, headers, "", HASH.upper())
    assert verify(parse(value), SK, headers, "", HASH)


NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", [BEIJING, UTC])
@pytest.mark.parametrize(("off", "fits"), [(0, True), (899, True), (-899, True), (901, False), (-901, False)])
def test_clock_window_in_both_zones(zone, off, fits):
    written = (NOW + timedelta(seconds=off)).astimezone(zone).strftime("%Y%m%dT%H%M%SZ")
    assert in_window(written, NOW, 900) is fits


@pytest.mark.parametrize("text", ["", "now", "2026-01-01 10:00:00", "20261301T000000Z", "20260101T100000"])
def test_malformed_dates_never_pass(text):
    assert not in_window(text, NOW, 0)
    assert not in_window(text, NOW, 900)


def test_window_zero_switches_the_clock_off():
    assert in_window("20200101T000000Z", NOW, 0)
