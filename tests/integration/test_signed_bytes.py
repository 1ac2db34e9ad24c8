"""Signatures over header values and queries that are any bytes, through the server's own parser (CONTRACT D8, D9)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.canonical import query_forms
from inkgate.service.eop.header import parse
from inkgate.service.eop.signature import BEIJING, verify
from inkgate.service.gateway.request_line import RequestLine
from tests.gateway import AK, APPKEY, PNG, SK, GatewayUnderTest, body_of
from tests.http_server import ask, head, served

GENERAL = CAPABILITIES["general"]
BODY = json.dumps(body_of(GENERAL, PNG)).encode()
HASH = hashlib.sha256(BODY).hexdigest()
FIELD = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # what RFC 9110 lets a header value hold
QUERY = bytes([b for b in FIELD if b not in b" \t#&=%+"])  # one key or value, nothing in it that has a meaning


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def signature(signed: dict[str, bytes], query: bytes) -> str:
    """The manual's rule in bytes alone: a second signer, sharing no code with the product's."""
    lines = b"".join(name.encode() + b":" + signed[name] + b"\n" for name in sorted(signed))
    date = signed["eop-date"]
    key = mac(mac(mac(SK.encode(), date), AK.encode()), date[:8])
    return base64.b64encode(mac(key, lines + b"\n" + query + b"\n" + HASH.encode())).decode()


def request(target_query: bytes, signed_query: bytes, extra: dict[str, bytes] | None = None, **sent: bytes) -> bytes:
    """A call with `target_query` on its request line, signed over `signed_query` and over `extra` headers as well;
    `sent` replaces what goes over the wire for one of those."""
    signed = {
        "ctyun-eop-request-id": uuid.uuid4().hex.encode(),
        "appkey": APPKEY.encode(),
        "eop-date": datetime.now(BEIJING).strftime("%Y%m%dT%H%M%SZ").encode(),
        **(extra or {}),
    }
    authorization = f"{AK} Headers={';'.join(signed)} Signature={signature(signed, signed_query)}"
    wire = {name: sent.get(name.replace("-", "_"), value) for name, value in signed.items()}
    headers = [("Host", "g"), ("Content-Length", str(len(BODY))), *wire.items(), ("Eop-Authorization", authorization)]
    target = GENERAL.paths[0].encode() + (b"?" + target_query if target_query else b"")
    return head("POST", target, headers) + BODY


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with served(GatewayUnderTest().app) as port:
        yield port


async def code(port: int, sent: bytes) -> str | int:
    status, body = await ask(port, sent)
    return json.loads(body)["statusCode"] if body.startswith(b"{") else status


@pytest.mark.parametrize(
    "value",
    ["图".encode(), "é".encode(), "é".encode("latin-1"), "图".encode("gb18030"), b"\xff\xfe", b"a\xa0\x85b"],
    ids=["utf-8", "utf-8 of one byte", "latin-1", "gb18030", "neither", "blanks of latin-1"],
)
async def test_a_header_verifies_as_the_bytes_that_were_sent(port, value):
    assert await code(port, request(b"", b"", {"x-note": value})) == 0
    assert await code(port, request(b"", b"", {"x-note": value}, x_note=value + b"\xc3")) == "CTAPI_10020"


async def test_text_signed_as_utf8_and_sent_as_latin1_fits_and_the_reverse_does_not(port):
    assert await code(port, request(b"", b"", {"x-note": "é".encode()}, x_note="é".encode("latin-1"))) == 0
    reverse = request(b"", b"", {"x-note": "é".encode("latin-1")}, x_note="é".encode())
    assert await code(port, reverse) == "CTAPI_10020"


async def test_header_values_of_random_bytes(port):
    dice = random.Random(8)
    for _ in range(60):
        extra = {}
        for name in ("x-a", "x-b"):
            value = bytes(dice.choices(FIELD, k=dice.randrange(40))).strip(b" \t")
            extra[name] = value
        assert await code(port, request(b"", b"", extra)) == 0, extra


@pytest.mark.parametrize(
    "query", ["名=值".encode(), "b=二&a=一".encode(), b"q=\xff\xfe", "a=一&a-b=二".encode(), "é=ü".encode("latin-1")]
)
async def test_a_raw_query_is_taken_as_sent(port, query):
    assert await code(port, request(query, b"&".join(sorted(query.split(b"&"))))) == 0
    assert await code(port, request(query, query + b"\x80")) == "CTAPI_10020"
    escaped = quote(query, safe="=&").encode()
    assert await code(port, request(escaped, b"&".join(sorted(query.split(b"&"))))) == "CTAPI_10020", "not as sent"


async def test_queries_of_random_bytes_in_every_form_that_clients_sign(port):
    dice = random.Random(9)
    for _ in range(30):
        pairs = [
            (bytes(dice.choices(QUERY, k=dice.randint(1, 8))), bytes(dice.choices(QUERY, k=dice.randrange(12))))
            for _ in range(dice.randint(1, 4))
        ]
        pairs = list({key: (key, value) for key, value in pairs}.values())
        sent = b"&".join(key + b"=" + value for key, value in pairs)
        by_key = sorted(pairs, key=lambda pair: pair[0])
        for form in (
            b"&".join(sorted(sent.split(b"&"))),
            b"&".join(key + b"=" + value for key, value in by_key),
            "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in by_key).encode(),
            b"&".join(key + b"=" + quote(value, safe="~").encode() for key, value in by_key),
            "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in by_key).encode(),
        ):
            assert await code(port, request(sent, form)) == 0, (sent, form)


async def test_other_pages_see_such_a_query_as_they_always_did(port):
    status, _ = await ask(port, b"GET /livez?\xff=\xe5\x9b\xbe HTTP/1.1\r\nhost: g\r\n\r\n")
    assert status == 200


async def test_a_raw_path_is_no_http(port):
    status, _ = await ask(port, b"GET /\xe5\x9b\xbe?q=1 HTTP/1.1\r\nhost: g\r\n\r\n")
    assert status == 400


async def test_raw_queries_one_after_the_other_and_in_pieces(port):
    """Over one connection, cut anywhere, with headers of high bytes and bodies in between."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dice = random.Random(10)
    for turn in range(12):
        query = "名=值".encode() if turn % 3 else b"a=1"
        sent = b"\r\n" * (turn % 2) + request(query, query, {"x-note": "?名=é".encode()})
        cut = dice.randrange(1, 160)
        for piece in (sent[:cut], sent[cut : cut + 30], sent[cut + 30 :]):
            writer.write(piece)
            await asyncio.sleep(0.02)
        top = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        assert json.loads(body)["statusCode"] == 0, (turn, top, body)
    writer.close()


async def test_headers_after_a_pipelined_request_line_stay_as_they_are(port):
    """The second head begins in the first one's last piece: nothing of it is touched any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    second = request(b"a=1", b"a=1", {"x-note": "?名".encode()})
    cut = second.index(b"x-note")
    writer.write(request(b"", b"") + second[:cut])
    await asyncio.sleep(0.1)
    writer.write(second[cut:])
    for _ in range(2):
        top = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(top.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        assert json.loads(body)["statusCode"] == 0
    writer.close()


@given(st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=4))
def test_the_request_line_however_it_is_cut(query, cuts):
    """What the parser is shown is ASCII behind the `?`, as long as encoding makes it, and the rest is untouched."""
    query = bytes(b for b in query if b not in b" \r\n#")
    sent = b"\r\nGET /p?" + query + b" HTTP/1.1\r\nx: ?\xff\r\n\r\n"
    line, shown, at = RequestLine(), b"", 0
    for cut in [*sorted(cut for cut in cuts if cut < len(sent)), len(sent)]:
        shown += line.rewritten(sent[at:cut])
        at = cut
    target, rest = shown.split(b" HTTP/1.1\r\n", 1)
    assert target.isascii() and rest == b"x: ?\xff\r\n\r\n"
    assert line.query == (None if query.isascii() else query)
    if line.query is None:
        assert shown == sent


DATE = b"20261122T163014Z"
value_bytes = st.binary(max_size=30).map(lambda raw: bytes(b for b in raw if b in FIELD).strip(b" \t"))


extra_headers = st.dictionaries(st.sampled_from(["x-a", "x-b", "x-c"]), value_bytes)


@given(extra_headers, st.binary(max_size=40), st.integers(0, 255))
def test_any_signer_over_bytes_verifies_and_a_changed_byte_does_not(extra, query, flip):
    headers = {"eop-date": DATE, "ctyun-eop-request-id": b"r", **extra}
    signed_query = query_forms(query.decode("latin-1"))[0].encode("latin-1")
    authorization = parse(f"{AK} Headers={';'.join(headers)} Signature={signature(headers, signed_query)}")
    assert authorization is not None
    received = {name: value.decode("latin-1") for name, value in headers.items()}
    assert verify(authorization, SK.encode(), received, query.decode("latin-1"), HASH)
    for name, value in extra.items():
        changed = {**received, name: (bytes([flip]) + value).decode("latin-1")}
        assert not verify(authorization, SK.encode(), changed, query.decode("latin-1"), HASH)
    assert not verify(authorization, SK.encode(), received, (query + b"&zz=1").decode("latin-1"), HASH)


@given(st.binary(max_size=60))
def test_query_forms_of_any_bytes_are_bytes(raw):
    for form in query_forms(raw.decode("latin-1")):
        form.encode("latin-1")
