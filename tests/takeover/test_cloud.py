"""The cloud of the tests plants what its plan says, and nothing else."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys
from tests.gateway import PNG, body_of
from tests.takeover.cloud import Certificate, Cloud, Installation, cloud, install
from tests.takeover.plan import Change, Fault, Plan, PlannedCode, PlannedFault
from tests.takeover.proxy import CloudProxy

SECONDS = 30


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(tmp_path_factory.mktemp("installation") / "here")


@pytest.fixture(scope="module")
def upstream(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(here, tmp_path_factory.mktemp("cloud") / "copy", tls=True) as made:
        yield made


@pytest.fixture
def plain(upstream: Cloud) -> Iterator[CloudProxy]:
    """The same service without TLS, which on the side of a client makes resets into ends of the stream."""
    proxy = CloudProxy(upstream.base, Plan())
    proxy.start()
    yield proxy
    proxy.stop()


def call(url: str, keys: Keys, name: str = "idcard", verify: Path | None = None) -> httpx.Response:
    capability = CAPABILITIES[name]
    body = json.dumps(body_of(capability, PNG)).encode()
    headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, body)
    with httpx.Client(verify=ssl.create_default_context(cafile=verify), timeout=SECONDS) as client:
        return client.post(url + capability.paths[0], content=body, headers=headers)


def test_answers_without_a_plan_are_those_of_the_service(here: Installation, upstream: Cloud) -> None:
    upstream.plan = Plan()
    through = call(upstream.url, here.keys, verify=upstream.authority)
    direct = call(upstream.base, here.keys)
    assert through.status_code == 200 and through.json()["message"] == {"success": 1, "fail": 0}
    assert through.content == direct.content and "result" not in through.json()
    assert upstream.proxy.sent[-1].body == through.content
    assert upstream.proxy.received[-1].request_id == through.request.headers["ctyun-eop-request-id"]


def test_changed_fields_and_codes_come_at_their_numbers(here: Installation, upstream: Cloud) -> None:
    upstream.plan = Plan(
        changes=(
            Change("idcard", "name", lambda old: f"{old}!", every=3, first=1),
            Change("general", "text", lambda old: "planted", every=2),
            Change("idcard", "org", lambda old: None, every=6),
        ),
        codes=(PlannedCode("idcard", 4011, every=6, first=5),),
    )
    names, orgs, codes = [], [], []
    for _ in range(6):
        body = call(upstream.url, here.keys, verify=upstream.authority).json()
        codes.append(body["statusCode"])
        if not body["statusCode"]:
            names.append(body["returnObj"][0]["detail"]["name"].endswith("!"))
            orgs.append("org" in body["returnObj"][0]["detail"])
    assert codes == [0, 0, 0, 0, 0, 4011]
    assert names == [False, True, False, False, True]
    assert orgs == [False, True, True, True, True]
    assert upstream.plan.planted == {("idcard", "name"): 2, ("idcard", "org"): 1, ("idcard", "4011"): 1}
    lines = [call(upstream.url, here.keys, "general", verify=upstream.authority).json() for _ in range(2)]
    assert [each["returnObj"][0]["detail"][0]["text"] == "planted" for each in lines] == [True, False]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Fault.RESET, httpx.ReadError),
        (Fault.CUT, httpx.ReadError),
        (Fault.NOT_HTTP, httpx.RemoteProtocolError),
        (Fault.HANG, httpx.ReadError),
    ],
)
def test_faults_of_the_connection(here: Installation, plain: CloudProxy, kind: Fault, error: type[Exception]) -> None:
    plain.plan = Plan(faults=(PlannedFault(kind, every=2, seconds=0.2 if kind is Fault.HANG else 0),))
    url = f"http://127.0.0.1:{plain.port}"
    with pytest.raises(error):
        call(url, here.keys)
    assert call(url, here.keys).status_code == 200
    assert plain.plan.faulty == {kind: 1}
    assert [each.fault for each in plain.sent] == [kind, None]


def test_faults_with_an_answer(here: Installation, upstream: Cloud) -> None:
    faults = (
        PlannedFault(Fault.STATUS, every=9, status=502),
        PlannedFault(Fault.GARBAGE, every=9, first=1),
        PlannedFault(Fault.SLOW, every=9, first=2, seconds=0.5),
    )
    upstream.plan = Plan(faults=faults)
    answers = [call(upstream.url, here.keys, verify=upstream.authority) for _ in faults]
    assert [each.status_code for each in answers] == [502, 200, 200]
    with pytest.raises(ValueError):
        answers[1].json()
    assert answers[2].json()["statusCode"] == 0 and answers[2].elapsed.total_seconds() >= 0.5


@pytest.mark.parametrize("wrong", [Certificate.OTHER_HOST, Certificate.OTHER_AUTHORITY])
def test_wrong_certificates_are_refused_by_clients(here: Installation, upstream: Cloud, wrong: Certificate) -> None:
    upstream.plan, upstream.certificate = Plan(), wrong
    try:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            call(upstream.url, here.keys, verify=upstream.authority)
    finally:
        upstream.certificate = Certificate.RIGHT
    assert call(upstream.url, here.keys, verify=upstream.authority).status_code == 200


def test_a_closed_port_refuses_and_opens_again(here: Installation, upstream: Cloud) -> None:
    upstream.plan = Plan()
    upstream.proxy.refuse()
    try:
        with pytest.raises(httpx.ConnectError):
            call(upstream.url, here.keys, verify=upstream.authority)
    finally:
        upstream.proxy.listen_again()
    assert call(upstream.url, here.keys, verify=upstream.authority).status_code == 200
