"""The bounded parser compared with orjson: same result within the bounds, a refusal outside them."""

from __future__ import annotations

import base64
import json
import tracemalloc
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inkgate.service.contract import bounded_json
from inkgate.service.contract.answers import fault_answer
from inkgate.service.contract.bounded_json import BOM, LongString, loads
from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL, LICENCE
from inkgate.service.contract.images import ImageFault, check_image, decode_base64
from inkgate.service.contract.requests import ParsedRequest, decode_and_check, parse, refuse_encoding
from inkgate.service.errors import RequestFault
from tests.gateway import PNG
from tests.json_oracle import compare, compare_short

MIB = 1 << 20
ESCAPES = ['\\"', "\\\\", "\\/", "\\b", "\\n", "\\u0041", "\\u00e9", "\\u4e2d", "\\ud83d\\ude00", "\\uD83D\\uDE00"]
BROKEN = ["\\u12", "\\x", "\\ud800", "\\ude00", "\x01", "\\", "\\ud83d\\u0041", "\\ude00\\ud83d"]
plain = st.text(st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters='"\\'), max_size=12)
literals = st.lists(st.one_of(plain, st.sampled_from(ESCAPES)), max_size=14).map(lambda parts: f'"{"".join(parts)}"')
broken = st.lists(st.one_of(plain, st.sampled_from(ESCAPES + BROKEN)), max_size=14).map(
    lambda parts: f'"{"".join(parts)}"'
)
scalars = st.sampled_from(["null", "true", "1", "-1.5e3", "[]", "{}"])


def documents(strings: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON texts whose strings are drawn from `strings`."""

    def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.tuples(strings, inner).map(lambda pair: f"{pair[0]}: {pair[1]}")
        return st.one_of(
            st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
            st.lists(pairs, max_size=4).map(lambda items: "{" + ",".join(items) + "}"),
        )

    return st.recursive(st.one_of(strings, scalars), wider, max_leaves=8)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A JSON text with a few bytes removed, inserted or replaced."""
    raw = bytearray(draw(documents(st.one_of(literals, broken))).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        put_in = draw(st.sampled_from([b"", b'"', b"\\", b"\x80", b"\xf0\x9f", b",", b"{"]))
        raw[at : at + draw(st.integers(0, 2))] = put_in
    return bytes(raw)


@settings(max_examples=800, deadline=None)
@given(st.one_of(documents(literals).map(str.encode), damaged()))
@example(b'"' + b"\\" * 60 + b'"')
@example(b'"' + b"\\" * 61 + b'"')
@example(b'"' + b"\\ud83d\\ude00" * 9 + b'"')
@example(b'"a' + b"\\ud83d\\ude00" * 9 + b'"')
@example('"{}"'.format("\U0001f600" * 20).encode())
@example(b'"' + b"\x80" * 40 + b'"')
@example(b'"' + b'\\"' * 30 + b'"')
@example(b"")
@example(b'{"aaaaaaaaaaaaaaaa":1,"aaaaaaaaaaaaaaaa":2}')
def test_the_same_as_orjson_where_every_string_may_be_a_long_one(body: bytes):
    compare_short(body)


@pytest.mark.parametrize("padding", [1020, 1024, 1025, 33_000, 262_138, 262_144, 524_288 + 7])
@pytest.mark.parametrize("end", ["", *ESCAPES, *BROKEN, "é", "\U0001f600"])
def test_the_same_as_orjson_around_the_real_bounds(padding: int, end: str):
    text = '{"data": ["' + "A" * padding + end + "A" * 3 + '"], "x": 1}'
    compare(text.encode())
    compare(text.replace("AAAA", "\\/ÿ", 5).encode())


def oracle(capability: Any, body: bytes) -> list[Any]:
    """`parse` without bounds: the whole body parsed by orjson."""
    body = body.removeprefix(BOM)
    if not body:
        raise RequestFault(capability.name, "empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestFault(capability.name, "json") from None
    if not isinstance(document, dict):
        raise RequestFault(capability.name, "object")
    names = ("Action", "ImageData") if capability.single else ("data",)
    if not set(names) <= document.keys():
        raise RequestFault(capability.name, "missing")
    if capability.single and len(document) > 2:
        raise RequestFault(capability.name, "unknown")
    values = [document[name] for name in names]
    if not all(isinstance(value, str if capability.single else list) for value in values):
        raise RequestFault(capability.name, "type")
    if capability.single and values[0] != "BusinessCardOCR":
        raise RequestFault(capability.name, "action")
    if not values[-1]:
        raise RequestFault(capability.name, "none")
    if not capability.single and len(values[0]) > capability.max_images:
        raise RequestFault(capability.name, "many")
    return values[-1:] if capability.single else values[0]


def oracle_image(text: object, capability: Any) -> bytes | str:
    try:
        if not isinstance(text, str) or not text.isascii():
            raise ImageFault("base64")
        core = text.rstrip("=").replace("-", "+").replace("_", "/")
        if not core or len(text.rstrip("=")) < len(text) - 2:
            raise ImageFault("base64")
        try:
            data = base64.b64decode(core + "=" * (-len(core) % 4), validate=True)
        except ValueError:
            raise ImageFault("base64") from None
        check_image(data, capability)
    except ImageFault as fault:
        return fault.fault
    return data


def outcome(capability: Any, body: bytes, read: Any) -> Any:
    try:
        return read(capability, body)
    except RequestFault as fault:
        return fault.fault


def ours(capability: Any, body: bytes) -> ParsedRequest:
    return decode_and_check(capability, parse(capability, body))


def theirs(capability: Any, body: bytes) -> ParsedRequest:
    images = tuple(oracle_image(text, capability) for text in oracle(capability, body))
    if capability.single and isinstance(images[0], str):
        raise RequestFault(capability.name, images[0])
    return ParsedRequest(images)


def image(size: int) -> str:
    """Base64 of a PNG followed by `size` bytes."""
    return base64.b64encode(PNG + bytes(size)).decode()


texts = st.builds(
    lambda size, form, end: form(image(size)) + end,
    st.sampled_from([0, 700, 3000, 50_000, 200_001, 200_002]),
    st.sampled_from(
        [
            str,
            lambda text: text.replace("/", "\\/"),
            lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
            lambda text: text.replace("A", "\\u0041"),
            lambda text: text.rstrip("="),
            lambda text: text[:-1],
            lambda text: text[:2000] + "=" + text[2000:],
            lambda text: text[:2000] + "\u00e9" + text[2000:],
            lambda text: "data:image/png;base64," + text,
        ]
    ),
    st.sampled_from(["", "", "", "=", "==", "===", "\\u003d", "\\n", " ", '\\"']),
).map(lambda text: f'"{text}"')
data = st.lists(st.one_of(texts, st.sampled_from(["1", "null", '""', "[]", '"x"'])), max_size=3).map(
    lambda items: f"[{','.join(items)}]"
)
names = st.sampled_from(['"data"', '"data"', '"\\u0064ata"', '"Action"', '"ImageData"', '"x"', '"' + "k" * 2000 + '"'])
values = st.one_of(data, texts, st.sampled_from(['"BusinessCardOCR"', '"\\u0042usinessCardOCR"', "{}", "1"]))
bodies = st.lists(st.tuples(names, values), max_size=4).map(
    lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
)
licences = texts.map(lambda text: f'{{"Action":"BusinessCardOCR","ImageData":{text}}}')


@settings(max_examples=200, deadline=None)
@given(st.one_of(bodies, licences, data.map(lambda items: f'{{"data":{items}}}')), st.sampled_from([b"", BOM, BOM * 2]))
def test_images_and_faults_equal_those_of_an_unbounded_parser(text: str, mark: bytes):
    body = mark + text.encode()
    for capability in CAPABILITIES.values():
        assert outcome(capability, body, ours) == outcome(capability, body, theirs)


@pytest.mark.parametrize("size", [LICENCE.max_image_bytes - len(PNG), LICENCE.max_image_bytes - len(PNG) + 1])
@pytest.mark.parametrize("form", [str, lambda text: text.replace("A", "\\u0041", 1000)])
def test_the_largest_image_and_one_byte_more(size: int, form: Any):
    body = ('{"Action":"BusinessCardOCR","ImageData":"' + form(image(size)) + '"}').encode()
    assert outcome(LICENCE, body, ours) == outcome(LICENCE, body, theirs)


@pytest.mark.parametrize("broken_end", ["*", "=A"])
def test_a_text_far_beyond_the_size_limit_is_checked_to_its_end(broken_end: str):
    body = ('{"Action":"BusinessCardOCR","ImageData":"' + image(12 * MIB).rstrip("=") + broken_end + '"}').encode()
    with pytest.raises(RequestFault, match="base64"):
        ours(LICENCE, body)


SHAPES = {
    "objects": (b'{"x":[', b"{},", b"1]}"),
    "lists": (b'{"x":[', b"[],", b"1]}"),
    "nested": (b'{"data":[', b"[[[[]]]],", b"1]}"),
    "deep": (b'{"data":', b"[", b""),
    "numbers": (b'{"data":[', b"1e9,", b"1]}"),
    "strings": (b'{"data":[', b'"ab",', b"1]}"),
    "escapes": (b'{"data":[', b'"\\n",', b"1]}"),
    "keys": (b"{", b'"abc":1,', b'"data":[]}'),
    "blanks": (b"{", b" ", b'"data":[]}'),
    "long strings": (b'{"data":[', b'"' + b"A" * 1100 + b'",', b"1]}"),
    "escaped quotes": (b'{"x":"', b'\\"', b'","data":[]}'),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("capability", [GENERAL, LICENCE])
def test_unbounded_structures_are_refused_before_parsing(shape: str, capability: Any):
    head, unit, tail = SHAPES[shape]
    body = head + unit * (32 * MIB // len(unit)) + tail
    tracemalloc.start()
    try:
        with pytest.raises(RequestFault) as refused:
            parse(capability, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.fault == "json" and refused.value.detail and peak < 24 * MIB
    answer = fault_answer(capability, refused.value.fault, refused.value.detail)
    assert answer["statusCode"] == 400004
    assert answer["details"].startswith(capability.faults["json"].details + "：") and "too" in answer["details"]


LONG = {
    "one emoji in ASCII": b"A" * (32 * MIB) + "\U0001f600".encode(),
    "emoji": "\U0001f600".encode() * (8 * MIB),
    "escapes": b"\\u0041" * (5 * MIB),
    "backslashes": b"\\\\" * (16 * MIB),
    "base64": b"QUJD" * (8 * MIB),
}


@pytest.mark.parametrize("text", LONG)
def test_a_long_string_is_never_decoded_as_a_whole(text: str):
    body = b'{"x":"' + LONG[text] + b'","data":["' + LONG[text] + b'"]}'
    tracemalloc.start()
    try:
        (found,) = parse(GENERAL, body)
        with pytest.raises(ImageFault) as fault:
            check_image(decode_base64(found, max_bytes=GENERAL.max_image_bytes), GENERAL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fault.value.fault in ("base64", "format") and peak < 24 * MIB


def test_a_string_like_a_placeholder_stays_a_string():
    long = b'"' + b"A" * 40_000 + b'"'
    with mock.patch.object(bounded_json.secrets, "token_hex", return_value="f" * 16):
        document = loads(b"[" + long + b"]")
    other = loads(b'["ffffffffffffffff0",' + long + b"]")
    assert isinstance(document.resolve("ffffffffffffffff0"), LongString)
    assert other.resolve(other.value[0]) == "ffffffffffffffff0"


@pytest.mark.parametrize("capability", CAPABILITIES.values())
def test_a_byte_order_mark_is_skipped_once(capability: Any):
    body = json.dumps({"Action": "BusinessCardOCR", "ImageData": image(0), "data": [image(3000)]}).encode()
    if not capability.single:
        assert ours(capability, BOM + body).valid_count == 1
    assert outcome(capability, BOM, ours) == "empty"
    assert outcome(capability, BOM + BOM + body, ours) == "json"


@pytest.mark.parametrize("capability", CAPABILITIES.values())
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
def test_a_content_encoding_is_refused_with_an_explanation(capability: Any, encoding: str):
    with pytest.raises(RequestFault) as refused:
        refuse_encoding(capability, encoding)
    answer = fault_answer(capability, refused.value.fault, refused.value.detail)
    assert answer["statusCode"] in (400004, 4001) and "Content-Encoding" in answer["details"]
    for harmless in ("", "identity", " Identity "):
        refuse_encoding(capability, harmless)
