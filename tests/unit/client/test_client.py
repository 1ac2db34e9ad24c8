"""The client package against a service played by a function: what it sends, makes of answers, and repeats."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import inkgate_client as ink
import pytest
from inkgate_client import _clients as clients

from inkgate.service import sealed
from inkgate.service.eop.header import parse
from inkgate.service.eop.signature import verify

AK, SK, APPKEY = "an-access-key", "a secret key", "an-app-key"
PRIVATE, ENCKEY = sealed.keys.generate()
LINE = {"name": "0", "text": "你好", "box": [0.0, 1.0, 9.0, 1.0, 9.0, 5.0, 0.0, 5.0]}
PAGE = {"text_line": 1, "detail": [LINE]}


def success(*elements: object) -> dict[str, Any]:
    return {"statusCode": 0, "message": {"success": 1, "fail": 0}, "returnObj": list(elements)}


class Service:
    """Answers from a list, in turn; the last one for ever. Keeps what it was sent and how long the client slept."""

    def __init__(self, *answers: httpx.Response | Exception, **options: Any) -> None:
        self.answers, self.requests, self.slept = list(answers), [], []
        http = httpx.Client(transport=httpx.MockTransport(self.handle))
        self.client = ink.Client("http://service/", ak=AK, sk=SK, appkey=APPKEY, http=http, **options)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Service]:
    made: list[Service] = []

    def sleep(seconds: float) -> None:
        made[-1].slept.append(seconds)

    def make(*answers: httpx.Response | Exception | dict[str, Any], **options: Any) -> Service:
        ready = [httpx.Response(200, json=one) if isinstance(one, dict) else one for one in answers]
        made.append(Service(*ready, **options))
        return made[-1]

    monkeypatch.setattr(clients.time, "sleep", sleep)
    return make


def refusal(status: int, code: int | str, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"statusCode": code, "message": "error", "details": "why"}, headers=headers)


def verified(request: httpx.Request) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    authorization = parse(headers["eop-authorization"])
    assert authorization is not None
    return verify(authorization, SK.encode(), headers, "", hashlib.sha256(request.content).hexdigest())


def test_request_is_signed_and_encoded(service: Callable[..., Service], tmp_path: Path):
    file = tmp_path / "image.png"
    file.write_bytes(b"\xff\xfe\xfd of a file")
    played = service(success(PAGE, PAGE))
    played.client.general(b"\xff\xfe\xfd of bytes", file)
    (request,) = played.requests
    assert str(request.url) == "http://service/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json"
    assert request.headers["appkey"] == APPKEY
    assert verified(request)
    images = [base64.urlsafe_b64decode(text) for text in json.loads(request.content)["data"]]
    assert images == [b"\xff\xfe\xfd of bytes", b"\xff\xfe\xfd of a file"]


def test_batch_keeps_order_and_failures(service: Callable[..., Service]):
    played = service(success(PAGE, {"err_code": 400012, "err_msg": "文件格式不合法"}, {"text_line": 0, "detail": []}))
    page, failure, blank = played.client.general(b"a", b"b", b"c")
    assert isinstance(page, ink.Page) and page.text == "你好"
    assert page.lines[0].box == ((0, 1), (9, 1), (9, 5), (0, 5))
    assert failure == ink.Failure(400012, "文件格式不合法")
    assert blank == ink.Page(())


def test_id_card(service: Callable[..., Service]):
    detail = dict.fromkeys(("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod"), "") | {
        "sex": "女"
    }
    (card,) = service(success({"note": "back", "detail": detail})).client.idcard(b"a")
    assert isinstance(card, ink.IdCard)
    assert (card.note, card.sex, card.name) == ("back", "女", "")


def test_plates(service: Callable[..., Service]):
    plate = {"box": [[1, 2], [9, 2], [9, 4], [1, 4]], "plate_type": "蓝牌", "platelicense": "浙C80000", "confidence": 1}
    (plates,) = service(success({"number of plate licenses": 1, "detail": [plate]})).client.plate(b"a")
    assert plates == (ink.Plate("浙C80000", "蓝牌", 1.0, ((1, 2), (9, 2), (9, 4), (1, 4))),)


@pytest.mark.parametrize("capital", [None, "200万元人民币"])
def test_licence(service: Callable[..., Service], capital: str | None):
    detail = {name: name for name in ink.Licence.__dataclass_fields__ if name not in ("is_licence", "raw")}
    detail.pop("real_capital")
    if capital:
        detail["real_capital"] = capital
    answer = {
        "statusCode": 0,
        "message": "success",
        "returnObj": {"license_type": "Business License", "detail": detail},
    }
    played = service(answer)
    licence = played.client.licence(b"a")
    assert licence.is_licence and licence.legal_rep == "legal_rep" and licence.real_capital == capital
    assert json.loads(played.requests[0].content) == {"Action": "BusinessCardOCR", "ImageData": "YQ=="}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("CTAPI_10020", ink.Unauthorised),
        (40006, ink.Unauthorised),
        (50002, ink.Forbidden),
        (51001, ink.QuotaExhausted),
        (51003, ink.QuotaExhausted),
        (400018, ink.ApiError),
        (50000, ink.ApiError),
    ],
)
@pytest.mark.parametrize("status", [200, 403])
def test_refusals_have_their_own_errors_and_are_not_retried(
    service: Callable[..., Service], code: int | str, kind: type[ink.ApiError], status: int
):
    played = service(refusal(status, code))
    with pytest.raises(kind) as caught:
        played.client.general(b"a")
    assert type(caught.value) is kind
    assert caught.value.code == str(code).removeprefix("CTAPI_")
    assert caught.value.message == "why"
    assert caught.value.request_id == played.requests[0].headers["ctyun-eop-request-id"]
    assert len(played.requests) == 1


@pytest.mark.parametrize(("status", "code"), [(429, 42900), (503, 50300), (200, 42900)])
def test_busy_is_repeated_as_the_same_call(service: Callable[..., Service], status: int, code: int):
    busy = refusal(status, code, **{"Retry-After": "2"})
    played = service(busy, busy, success(PAGE))
    assert len(played.client.general(b"a")) == 1
    assert len({request.headers["ctyun-eop-request-id"] for request in played.requests}) == 1
    assert len({request.content for request in played.requests}) == 1
    assert all(verified(request) for request in played.requests)
    assert len(played.slept) == 2 and all(2 <= seconds <= 3 for seconds in played.slept)


def test_a_proxys_page_counts_as_busy(service: Callable[..., Service]):
    played = service(httpx.Response(503, text="<html>upstream</html>"), success(PAGE))
    assert len(played.client.general(b"a")) == 1


def test_busy_to_the_end(service: Callable[..., Service]):
    played = service(refusal(429, 42900), retry=ink.Retry(tries=3, first=1, longest=8))
    with pytest.raises(ink.Busy):
        played.client.general(b"a")
    assert len(played.requests) == 3
    assert 0.5 <= played.slept[0] <= 1 and 1 <= played.slept[1] <= 2


def test_a_long_retry_after_ends_the_tries(service: Callable[..., Service]):
    played = service(refusal(503, 50300, **{"Retry-After": "3600"}))
    with pytest.raises(ink.Busy):
        played.client.general(b"a")
    assert len(played.requests) == 1


def test_lost_connection_is_repeated_as_the_same_call(service: Callable[..., Service]):
    """The service hands out a paid answer again when the same call comes again, so a repeat is not charged twice."""
    played = service(httpx.ReadError("cut"), httpx.ConnectError("down"), success(PAGE))
    assert len(played.client.general(b"a")) == 1
    assert len({request.headers["ctyun-eop-request-id"] for request in played.requests}) == 1


def test_lost_connection_to_the_end(service: Callable[..., Service]):
    played = service(httpx.ConnectError("no listener"), retry=ink.NEVER)
    with pytest.raises(ink.ConnectionLost, match="no listener"):
        played.client.general(b"a")
    assert len(played.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(502, text="bad gateway"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"statusCode": 0}),
        httpx.Response(200, json={"statusCode": 0, "returnObj": [{"detail": [{}]}]}),
        httpx.Response(200, json={"statusCode": 0, "returnObj": 7}),
    ],
)
def test_answers_that_make_no_sense(service: Callable[..., Service], answer: httpx.Response):
    with pytest.raises(ink.BadAnswer):
        service(answer).client.general(b"a")


def test_too_large(service: Callable[..., Service]):
    with pytest.raises(ink.BodyTooLarge):
        service(httpx.Response(413, text="<html>413</html>")).client.general(b"a")


@pytest.mark.parametrize("count", [0, 51])
def test_number_of_images(service: Callable[..., Service], count: int):
    played = service(success())
    with pytest.raises(ValueError, match="1 to 50"):
        played.client.general(*[b"a"] * count)
    assert not played.requests


def sealed_service(request: httpx.Request) -> httpx.Response:
    assert request.headers["decrypted"] == "true"
    opened = sealed.open_request(request.content, PRIVATE)
    assert json.loads(opened.plaintext) == {"data": ["YQ=="]}
    return httpx.Response(200, content=sealed.seal_answer(json.dumps(success(PAGE)).encode(), opened))


def test_sealed_both_ways():
    http = httpx.Client(transport=httpx.MockTransport(sealed_service))
    with ink.Client("http://service", ak=AK, sk=SK, appkey=APPKEY, enckey=ENCKEY, http=http) as client:
        for _ in range(20):  # leading zeros of coordinates come and go
            (page,) = client.general(b"a")
            assert isinstance(page, ink.Page)


def test_sealed_answer_that_was_tampered_with(service: Callable[..., Service]):
    played = service({"encryptedResult": "AAAA", "encryptedResultHash": "AAAA"}, enckey=ENCKEY)
    with pytest.raises(ink.BadAnswer, match="hash"):
        played.client.general(b"a")


@pytest.mark.parametrize("more", [{}, {"encryptedResult": "AAAA", "encryptedResultHash": "AAAA"}])
@pytest.mark.parametrize("code", [0, 0.0, False])
def test_a_success_in_plain_to_a_sealed_call_is_refused(service: Callable[..., Service], code: object, more: object):
    """A man in the middle can answer anything; only the holder of the app's private key can seal."""
    forged = {**success(PAGE), "statusCode": code, **more}  # type: ignore[dict-item]
    with pytest.raises(ink.BadAnswer, match="plain"):
        service(forged, enckey=ENCKEY).client.general(b"a")


def test_errors_of_sealed_calls_come_in_plain(service: Callable[..., Service]):
    with pytest.raises(ink.ApiError, match="40019"):
        service(refusal(200, 40019), enckey=ENCKEY).client.general(b"a")


@pytest.mark.parametrize("enckey", ["!", ENCKEY[:-8], ENCKEY + "AAAA"])
def test_wrong_public_key_is_said_at_once(enckey: str):
    with pytest.raises(ValueError, match="console"):
        ink.Client("http://service", ak=AK, sk=SK, appkey=APPKEY, enckey=enckey)


def test_extras_are_asked_for(service: Callable[..., Service]):
    played = service(success(PAGE), extras=True)
    played.client.general(b"a")
    assert played.requests[0].headers["x-inkgate-extras"] == "1"


async def test_async_client_does_the_same(monkeypatch: pytest.MonkeyPatch):
    answers = [refusal(429, 42900), httpx.ReadTimeout("slow"), httpx.Response(200, json=success(PAGE))]
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    retry = ink.Retry(first=0.001)
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    async with ink.AsyncClient("http://service", ak=AK, sk=SK, appkey=APPKEY, http=http, retry=retry) as client:
        (page,) = await client.general(b"a")
    assert isinstance(page, ink.Page) and page.text == "你好"
    assert len(requests) == 3 and all(verified(request) for request in requests)
    assert len({request.headers["ctyun-eop-request-id"] for request in requests}) == 1


def test_secrets_do_not_show():
    credentials = ink._exchange.Credentials(AK, SK, APPKEY)
    assert SK not in repr(credentials)
