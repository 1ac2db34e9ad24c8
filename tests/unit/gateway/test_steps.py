"""Single steps of a call: authorisation, parsing and its memory, results of images, quota checks."""

from __future__ import annotations

import gc
import json
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_network

import pytest

from inkgate.service.accounts.directory import OpenedCapability
from inkgate.service.broker.interface import Outcome, Reply
from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL, LICENCE, PLATE
from inkgate.service.contract.requests import ParsedRequest
from inkgate.service.errors import Refused, RequestFault, SealFault
from inkgate.service.gateway import results
from inkgate.service.gateway.admission import CallAuthoriser
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.codec import BodyCodec
from inkgate.service.gateway.phases import Admitted, Authenticated
from inkgate.service.metering.policy import Event
from inkgate.service.sealed import sm2
from tests.gateway import ELEMENTS, PNG, GatewayUnderTest, MemoryDirectory, body_of
from tests.unit.gateway import calls


@pytest.fixture
def authoriser() -> CallAuthoriser:
    return CallAuthoriser(MemoryDirectory(), 900)


async def test_the_app_must_belong_to_the_account_of_the_access_key(authoriser: CallAuthoriser) -> None:
    received = calls.received(calls.exchange(appkey="b" * 32))
    signed = calls.authenticated().key
    assert (await authoriser.identify(Authenticated(received, signed))).app.app_id == "app-1"
    for key, source, code in (
        (replace(signed, account_id="another"), received.exchange, 40006),
        (signed, calls.exchange(appkey="0" * 32), 40006),
        (signed, calls.exchange(), 40002),
    ):
        with pytest.raises(Refused) as caught:
            await authoriser.identify(Authenticated(calls.received(source), key))
        assert caught.value.code == code


def test_a_route_is_a_capability_or_a_request_fault(authoriser: CallAuthoriser) -> None:
    source = calls.exchange()
    assert authoriser.route(calls.identified(source)).capability is GENERAL
    source.method = "GET"
    with pytest.raises(RequestFault) as caught:
        authoriser.route(calls.identified(source))
    assert (caught.value.capability, caught.value.fault) == ("general", "method")


@pytest.mark.parametrize(
    ("allowed", "opened", "code"),
    [
        ((), OpenedCapability(1.0), None),
        (("10.0.0.0/8",), OpenedCapability(1.0, (ip_network("10.1.0.0/16"),)), None),
        (("192.0.2.0/24",), OpenedCapability(1.0), 40009),
        (("192.0.2.0/24",), None, 40009),
        ((), None, 50002),
        ((), OpenedCapability(1.0, (ip_network("192.0.2.0/24"),)), 40010),
    ],
)
def test_addresses_are_checked_before_the_opened_capability(
    authoriser: CallAuthoriser, allowed: tuple[str, ...], opened: OpenedCapability | None, code: int | None
) -> None:
    source = calls.exchange()
    source.client_ip = "10.1.2.3"
    app = replace(
        calls.APP, allowed=tuple(map(ip_network, allowed)), opened={} if opened is None else {"general": opened}
    )
    routed = calls.routed(source=source, app=app)
    if code is None:
        assert authoriser.permit(routed) == Admitted(routed)
        return
    with pytest.raises(Refused) as caught:
        authoriser.permit(routed)
    assert caught.value.code == code


class TrackedBody(bytearray):
    """A body that supports weak references."""


@pytest.fixture
def codec() -> BodyCodec:
    return BodyCodec(ThreadPoolExecutor(1), sm2.select_provider())


async def test_the_body_is_freed_with_the_last_of_its_texts(codec: BodyCodec) -> None:
    image = PNG + bytes(100_000)
    source = calls.exchange(json.dumps(body_of(GENERAL, image, image)).encode())
    source.body = TrackedBody()
    await source.read_body(1 << 20, 5, Budget(1 << 20, "body bytes"))
    alive, size = weakref.ref(source.body), len(source.body)
    parsed, texts = await codec.parse(calls.accepted(source=source))
    assert (parsed.images, parsed.plain_bytes, parsed.seal) == (2, size, None)
    assert source.body == b"" and alive() is not None, "the texts are slices of it"
    request = await codec.check(parsed, texts)
    gc.collect()
    assert not texts and alive() is None
    assert request.images == (image, image)


async def test_faults_of_the_body(codec: BodyCodec) -> None:
    for source, fault in (
        (calls.exchange(b"{}", content_encoding="gzip"), "json"),
        (calls.exchange(b""), "empty"),
        (calls.exchange(b'{"data":[]}'), "none"),
    ):
        await source.read_body(1000, 5, Budget(1000, "body bytes"))
        with pytest.raises(RequestFault) as caught:
            await codec.parse(calls.accepted(source=source))
        assert caught.value.fault == fault
    sealed = calls.exchange(b"{}", decrypted="TRUE")
    await sealed.read_body(1000, 5, Budget(1000, "body bytes"))
    accepted = calls.accepted(source=sealed)
    with pytest.raises(SealFault):
        await codec.parse(accepted)
    assert set(accepted.admitted.stopwatch.stages) == {"unseal"}


def reply(number: int, outcome: Outcome = Outcome.READ, capability: str = "general") -> Reply:
    return Reply(calls.CALL_ID, number, outcome, ELEMENTS[capability])


def test_elements_and_events_are_in_the_order_of_the_images() -> None:
    parsed = calls.parsed(4)
    request = ParsedRequest((PNG, "base64", PNG, PNG))
    replies = [reply(3, Outcome.FAILED), reply(2, Outcome.UNDECODABLE), reply(0)]
    result = results.images_read(parsed, request, replies, superset=False)
    assert result.events == (Event.IMAGE_READ, Event.IMAGE_FAULT, Event.IMAGE_FAULT, Event.INTERNAL_FAULT)
    answer = json.loads(result.answer)
    codes = [element.get("err_code") for element in answer["returnObj"]]
    assert codes == [None, *(GENERAL.faults[name].code for name in ("base64", "decode", "internal"))]
    assert (result.code, answer["message"]) == (0, {"success": 1, "fail": 3})


@pytest.mark.parametrize(
    ("outcome", "fault", "event"),
    [
        (Outcome.READ, "", Event.IMAGE_READ),
        (Outcome.UNDECODABLE, "decode", Event.IMAGE_FAULT),
        (Outcome.FAILED, "internal", Event.INTERNAL_FAULT),
    ],
)
def test_an_image_fault_of_a_single_image_capability_is_a_request_fault(
    outcome: Outcome, fault: str, event: Event
) -> None:
    replies = [reply(0, outcome, "licence")]
    result = results.images_read(calls.parsed(1, "licence"), ParsedRequest((PNG,)), replies, superset=True)
    assert result.events == (event,)
    assert result.code == json.loads(result.answer)["statusCode"] == (LICENCE.faults[fault].code if fault else 0)


def test_faults_of_a_request_are_results() -> None:
    accepted = calls.accepted()
    result = results.request_fault(accepted, RequestFault("general", "json", "why"))
    body = json.loads(result.answer)
    assert result.code == body["statusCode"] == GENERAL.faults["json"].code and body["details"].endswith("why")
    assert result.events == (Event.REQUEST_FAULT,)
    result = results.seal_fault(accepted, SealFault(40019, "message", "details"))
    assert (result.code, result.events) == (40019, (Event.SEAL_FAULT,))
    assert json.loads(result.answer)["message"] == "message"


@pytest.mark.parametrize(
    ("capability", "images", "asked"),
    [("general", 1, [0]), ("general", 3, [0, 3]), ("plate", 2, [0, 2]), ("licence", 1, [0])],
)
async def test_the_quota_is_checked_again_for_more_than_one_image(
    capability: str, images: int, asked: list[int]
) -> None:
    gateway, units = GatewayUnderTest(), list[int]()
    admit = gateway.ledger.admit

    async def noted(account_id: str, app_id: str, name: str, number: int) -> None:
        units.append(number)
        await admit(account_id, app_id, name, number)

    gateway.ledger.admit = noted  # type: ignore[method-assign]
    wanted = CAPABILITIES[capability]
    assert (await gateway.call(wanted, body_of(wanted, *[PNG] * images))).json()["statusCode"] == 0
    assert units == asked


async def test_a_wrong_method_is_counted_for_the_capability_of_its_error() -> None:
    gateway = GatewayUnderTest()
    services = gateway.app.routes[0].app._pipeline._services  # type: ignore[attr-defined]
    await gateway.call(GENERAL, b"", method="GET")
    await gateway.call(PLATE, b"", method="GET")
    counted = {(each.app_id, each.capability, each.code) for each in services.refusals.drain()}
    assert counted == {("app-1", "general", GENERAL.faults["method"].code), ("app-1", "", 40008)}
