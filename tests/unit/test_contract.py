"""Routes, request parsing, image checks and envelopes of the four capabilities."""

import base64
import struct

import pytest

from inkgate.service.contract.answers import batch_answer, failed_element, fault_answer, single_answer
from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL, IDCARD, LICENCE, PLATE
from inkgate.service.contract.images import ImageFault, check_image, decode_base64, image_dimensions
from inkgate.service.contract.refusals import GATEWAY_CODES, refusal_body
from inkgate.service.contract.requests import decode_and_check, parse
from inkgate.service.contract.routes import resolve
from inkgate.service.errors import Refused, RequestFault

BATCH = [GENERAL, IDCARD, PLATE]


def png(width, height):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


def jpeg(width, height, before=b""):
    return b"\xff\xd8" + before + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)


def bmp(width, height):
    return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, height)


# --- routes


def test_every_path_routes_to_its_capability():
    for capability in CAPABILITIES.values():
        for path in capability.paths:
            assert resolve(path, "POST") is capability
    assert resolve(IDCARD.paths[0].replace("IdentityCard", "identityCard"), "POST") is IDCARD


def test_only_one_segment_may_vary_in_case():
    with pytest.raises(RequestFault):
        resolve(GENERAL.paths[0].replace("ocrdetect", "OcrDetect"), "POST")


@pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda c: c.name)
def test_wrong_path_and_method(capability):
    wrong = capability.paths[0].rsplit("/", 1)[0] + "/nosuch.json"
    expected = {"general": (400001, 400002), "idcard": (4013, 4012)}.get(capability.name)
    for path, method, number in ((wrong, "POST", 0), (capability.paths[0], "GET", 1)):
        with pytest.raises((RequestFault, Refused)) as caught:
            resolve(path, method)
        if expected:
            assert capability.faults[caught.value.fault].code == expected[number]
        else:
            assert caught.value.code == (50003, 40008)[number]


def test_unknown_service():
    with pytest.raises(Refused) as caught:
        resolve("/v1/aiop/api/000000000000/x.json", "POST")
    assert caught.value.code == 50001


# --- requests


@pytest.mark.parametrize("capability", BATCH, ids=lambda c: c.name)
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "empty"),
        (b"{", "json"),
        (b"\xff\xfe", "json"),
        (b'{"data": NaN}', "json"),
        (b"[]", "object"),
        (b"null", "object"),
        (b"1", "object"),
        (b"{}", "missing"),
        (b'{"data": "A"}', "type"),
        (b'{"data": null}', "type"),
        (b'{"data": []}', "none"),
        (b'{"data": [' + b'"%",' * 50 + b'"%"]}', "many"),
    ],
)
def test_batch_faults(capability, body, fault):
    with pytest.raises(RequestFault) as caught:
        parse(capability, body)
    assert caught.value.fault == fault


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400003),
        (b"{", 400004),
        (b"[]", 400005),
        (b"{}", 400006),
        (b'{"Action": "BusinessCardOCR"}', 400006),
        (b'{"Action": "x", "ImageData": "", "y": 1}', 400007),
        (b'{"Action": 1, "ImageData": "A"}', 400008),
        (b'{"Action": "TTS", "ImageData": "A"}', 400009),
        (b'{"Action": "BusinessCardOCR", "ImageData": ""}', 400010),
    ],
)
def test_licence_faults_in_the_order_of_their_numbers(body, code):
    with pytest.raises(RequestFault) as caught:
        parse(LICENCE, body)
    assert LICENCE.faults[caught.value.fault].code == code


def test_licence_image_fault_is_a_request_fault():
    with pytest.raises(RequestFault) as caught:
        decode_and_check(LICENCE, ["%%%"])
    assert caught.value.fault == "base64"


def test_batch_image_faults_stay_with_their_image():
    good = base64.b64encode(png(64, 64)).decode()
    parsed = decode_and_check(GENERAL, [good, "%%%", 1, base64.b64encode(b"GIF89a").decode()])
    assert parsed.images == (png(64, 64), "base64", "base64", "format")
    assert parsed.valid_count == 1


# --- images


@pytest.mark.parametrize("data", [bytes(range(256)), b"\xfb\xff\xbf", b"a", b"ab"])
def test_base64_alphabets_and_padding(data):
    standard, safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    mixed = standard[: len(standard) // 2] + safe[len(standard) // 2 :]
    for text in (standard, safe, mixed, standard.rstrip("="), safe.rstrip("=")):
        assert decode_base64(text) == data


@pytest.mark.parametrize(
    "text", ["", "A", "%%%", "****", "data:img/jpg;base64,AAAA", "AA AA", "AAAA\n", "A===", "汉字", 1, None]
)
def test_invalid_base64_is_refused(text):
    with pytest.raises(ImageFault) as caught:
        decode_base64(text)
    assert caught.value.fault == "base64"


@pytest.mark.parametrize("make", [png, jpeg, bmp])
def test_dimensions_come_from_the_header(make):
    assert image_dimensions(make(4999, 33)) == (4999, 33)


def test_jpeg_segments_before_the_frame_are_skipped():
    exif = b"\xff\xe1" + struct.pack(">H", 10) + b"Exif\0\0\0\0"
    assert image_dimensions(jpeg(100, 50, exif + b"\xff\xff" + exif[1:])) == (100, 50)


def test_top_down_bitmap():
    assert image_dimensions(bmp(100, -50)) == (100, 50)


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff\xd9", jpeg(9, 9)[:8]])
def test_truncated_headers_do_not_decode(data):
    with pytest.raises(ImageFault) as caught:
        image_dimensions(data)
    assert caught.value.fault == "decode"


@pytest.mark.parametrize(
    ("capability", "side", "passes"),
    [
        (GENERAL, 31, False),
        (GENERAL, 32, True),
        (GENERAL, 5000, True),
        (GENERAL, 5001, False),
        (IDCARD, 32, False),
        (IDCARD, 33, True),
        (IDCARD, 4999, True),
        (IDCARD, 5000, False),
        (PLATE, 32, True),
        (LICENCE, 5000, True),
    ],
)
def test_each_side_has_limits(capability, side, passes):
    for data in (png(side, 100), png(100, side)):
        if passes:
            check_image(data, capability)
        else:
            with pytest.raises(ImageFault, match="dimensions"):
                check_image(data, capability)


@pytest.mark.parametrize(("capability", "limit"), [(GENERAL, 10 << 20), (LICENCE, 7 << 20)])
def test_size_limit_is_inclusive_and_follows_the_format(capability, limit):
    data = png(64, 64)
    check_image(data + bytes(limit - len(data)), capability)
    with pytest.raises(ImageFault, match="size"):
        check_image(data + bytes(limit - len(data) + 1), capability)
    with pytest.raises(ImageFault, match="format"):
        check_image(b"GIF89a" + bytes(limit), capability)


# --- answers


def test_batch_envelope_counts_and_keeps_order():
    body = batch_answer(GENERAL, [{"text_line": 0, "detail": []}, "base64"], superset=False)
    assert body == {
        "statusCode": 0,
        "message": {"success": 1, "fail": 1},
        "returnObj": [
            {"text_line": 0, "detail": []},
            {"err_code": 400011, "err_msg": "data 字段的 base64 字符串转换字节码异常"},
        ],
    }


def test_superset_aliases():
    assert batch_answer(GENERAL, [], superset=True)["code"] == 0
    assert batch_answer(IDCARD, [], superset=True)["code"] == "0"
    body = single_answer(LICENCE, {"license_type": "x"}, superset=True)
    assert body["result"] == body["returnObj"] == {"license_type": "x"}
    assert body["message"] == "success"


def test_plate_elements_carry_both_spellings():
    assert failed_element(PLATE, "base64") == {
        "err_code": 4008,
        "err_msg": "base64数据处理异常",
        "errorCode": "4008",
        "errorMessage": "base64数据处理异常",
    }


def test_request_faults_to_the_letter():
    assert fault_answer(IDCARD, "type") == {
        "statusCode": 4004,
        "message": "error",
        "details": "data字段图片数据不是list格式",
        "error": "AI_OP_4004",
    }
    assert fault_answer(LICENCE, "action")["message"] == "Action值设置错误"


def test_every_refusal_has_a_code_that_is_not_zero():
    for code in GATEWAY_CODES:
        body = refusal_body(code, "r")
        assert body["statusCode"] and body["code"] == str(code) and body["requestId"] == "r"
    assert refusal_body(10020, "")["statusCode"] == "CTAPI_10020"
    assert refusal_body(51003, "")["statusCode"] == 51003
