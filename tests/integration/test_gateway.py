"""The gateway over in-memory dependencies: codes, order of checks, charging, replay."""

import asyncio
import gzip
import json
from unittest.mock import patch

import pytest

from inkgate.service.broker.interface import Outcome
from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL, IDCARD, LICENCE, PLATE
from inkgate.service.errors import DeadlineMissed, LedgerUnavailable, Overloaded
from inkgate.service.gateway.app import CALLS
from inkgate.service.settings import Limits, Server, Settings
from tests.gateway import APPKEY, PNG, GatewayUnderTest, body_of, signed_headers
from tests.http_client import local_client
from tests.http_server import served


@pytest.fixture
def gateway():
    return GatewayUnderTest()


@pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda c: c.name)
async def test_a_valid_call_is_answered_and_charged_once(gateway, capability):
    response = await gateway.call(capability, body_of(capability, PNG))
    assert response.status_code == 200
    assert response.json()["statusCode"] == 0
    (settlement,) = gateway.ledger.settled.values()
    assert (settlement.units, settlement.images, settlement.failed_images, settlement.code) == (1, 1, 0, 0)
    assert settlement.capability == capability.name


async def test_a_held_off_app_is_refused_before_any_work_and_is_not_charged(gateway):
    gateway.broker.holds = {APPKEY: 42.3, "another": 99.0}
    response = await gateway.call(GENERAL, body_of(GENERAL, PNG))
    assert (response.status_code, response.json()["statusCode"]) == (503, 50300)
    assert response.headers["retry-after"] == "43"
    assert not gateway.broker.tasks and not gateway.ledger.settled
    gateway.broker.holds = {APPKEY: 0.0}
    assert (await gateway.call(GENERAL, body_of(GENERAL, PNG))).status_code == 200
    assert gateway.broker.tasks[0].app == APPKEY


async def test_bodies_of_one_app_leave_capacity_for_others():
    gateway = GatewayUnderTest(Settings(limits=Limits(inflight_bytes=1_000_000, body_bytes=500_000)))
    large = body_of(GENERAL, PNG + b"\0" * 100_000)
    (calls,) = [route.app for route in gateway.app.routes if getattr(route, "path", "") == CALLS]
    budget = calls._pipeline.bytes_in_flight
    with budget.for_app(APPKEY).reserve(700_000):
        assert (await gateway.call(GENERAL, large)).json()["statusCode"] == 50300
        with budget.for_app("another").reserve(200_000):
            pass
    with budget.for_app("another").reserve(800_000):
        assert (await gateway.call(GENERAL, large)).status_code == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_a_large_body_is_not_refused_half_way_because_of_its_apps_share(chunked):
    """Four apps hold 760 kB of 1 MB, and another's share is 167 kB: its first body passes that, a second may not."""
    gateway = GatewayUnderTest(Settings(limits=Limits(inflight_bytes=1_000_000, body_bytes=500_000)))
    large = json.dumps(body_of(GENERAL, PNG + b"\0" * 147_000)).encode()
    assert 190_000 < len(large) < 200_000
    headers = signed_headers(large)
    half_way, asked = asyncio.Event(), asyncio.Event()

    async def pieces():
        yield large[:175_000]  # past the share
        half_way.set()
        await asked.wait()
        yield large[175_000:]

    length = {} if chunked else {"content-length": str(len(large))}
    async with (
        served(gateway.app) as port,
        local_client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        (calls,) = [route.app for route in gateway.app.routes if getattr(route, "path", "") == CALLS]
        budget = calls._pipeline.bytes_in_flight
        for number in range(4):
            budget.for_app(f"another-{number}").acquire(190_000)
        sending = asyncio.create_task(client.post(GENERAL.paths[0], content=pieces(), headers={**headers, **length}))
        async with asyncio.timeout(60):
            await half_way.wait()
            while budget.used < 935_000 and not sending.done():
                await asyncio.sleep(0.01)
        assert not sending.done()
        second = await gateway.call(GENERAL, body_of(GENERAL, PNG + b"\1" * 25_000))
        assert second.json()["statusCode"] == 50300, "above its share, the app leaves the rest to others"
        budget.for_app("fifth").acquire(35_000)  # as large as the second
        asked.set()
        assert (await sending).json()["statusCode"] == 0
        assert budget.used == 795_000


async def test_images_reach_the_broker_decoded_and_in_order(gateway):
    await gateway.call(GENERAL, body_of(GENERAL, PNG, "%%%", PNG + b"\0"))
    assert [(task.number, task.image) for task in gateway.broker.tasks] == [(0, PNG), (2, PNG + b"\0")]


async def test_an_image_fault_is_charged_and_an_internal_fault_is_not(gateway):
    gateway.broker.outcomes = {1: Outcome.UNDECODABLE, 2: Outcome.FAILED}
    response = await gateway.call(PLATE, body_of(PLATE, PNG, PNG, PNG, "%%%"))
    codes = [element.get("err_code") for element in response.json()["returnObj"]]
    assert codes == [None, 4009, 5000, 4008]
    assert gateway.ledger.units == 3


async def test_a_request_fault_counts_one(gateway):
    response = await gateway.call(IDCARD, {"data": []})
    assert response.json() == {
        "statusCode": 4005,
        "message": "error",
        "details": "图片list内图片数量为0",
        "error": "AI_OP_4005",
    }
    assert gateway.ledger.units == 1


async def test_a_licence_that_cannot_be_decoded_is_a_request_fault(gateway):
    gateway.broker.outcomes = {0: Outcome.UNDECODABLE}
    response = await gateway.call(LICENCE, body_of(LICENCE, PNG))
    assert response.json()["statusCode"] == 400014
    assert gateway.ledger.units == 1


async def refusal(gateway, http, code, *args, **kwargs):
    response = await gateway.call(*args, **kwargs)
    body = response.json()
    assert (response.status_code, body["code"]) == (http, str(code)), body
    assert body["requestId"] and body["returnObj"] == {}
    assert not gateway.ledger.settled
    return response


async def test_refusals(gateway):
    good = body_of(GENERAL, PNG)
    await refusal(gateway, 401, 10020, GENERAL, good, sk="0" * 32)
    await refusal(gateway, 401, 10020, GENERAL, good, headers={"Eop-Authorization": "x"})
    await refusal(
        gateway,
        401,
        10002,
        GENERAL,
        good,
        headers={"Eop-Authorization": "f" * 32 + " Headers=eop-date Signature=" + "A" * 43 + "="},
    )
    await refusal(gateway, 401, 40002, GENERAL, good, appkey=None)
    await refusal(gateway, 401, 40006, GENERAL, good, appkey="0" * 32)
    await refusal(gateway, 404, 50001, GENERAL, good, path="/v1/aiop/api/000000000000/x.json")
    await refusal(gateway, 404, 50003, PLATE, good, path="/v1/aiop/api/2gt54ed8660w/x.json")
    await refusal(gateway, 405, 40008, PLATE, b"", method="GET")


async def test_another_account_s_app_is_invalid(gateway):
    gateway.directory.add("c" * 32, account="account-2")
    await refusal(gateway, 401, 40006, GENERAL, body_of(GENERAL, PNG), appkey="c" * 32)


async def test_allowed_addresses_and_opened_capabilities(gateway):
    good = body_of(GENERAL, PNG)
    denied = gateway.directory.add("d" * 32, allowed=["10.0.0.0/8"])
    await refusal(gateway, 403, 40009, GENERAL, good, appkey=denied)
    assert (await gateway.call(GENERAL, good, appkey=denied, peer="10.1.2.3")).status_code == 200
    gateway.ledger.settled.clear()
    narrow = gateway.directory.add("e" * 32, only=["::1/128"])
    await refusal(gateway, 403, 40010, GENERAL, good, appkey=narrow)
    closed = gateway.directory.add("9" * 32, opened=["plate"])
    await refusal(gateway, 403, 50002, GENERAL, good, appkey=closed)


async def test_forwarded_addresses_are_accepted_from_trusted_proxies_only(gateway):
    denied = gateway.directory.add("d" * 32, allowed=["10.0.0.0/8"])
    claim = {"X-Forwarded-For": "10.1.2.3"}
    await refusal(gateway, 403, 40009, GENERAL, body_of(GENERAL, PNG), appkey=denied, headers=claim)
    trusting = GatewayUnderTest(Settings(server=Server(trusted_proxies=("127.0.0.0/8",))))
    trusting.directory.add("d" * 32, allowed=["10.0.0.0/8"])
    response = await trusting.call(GENERAL, body_of(GENERAL, PNG), appkey="d" * 32, headers=claim)
    assert response.status_code == 200


@pytest.mark.parametrize("code", [51001, 51002, 51003])
async def test_the_quota_is_checked_before_the_body_is_parsed(gateway, code):
    gateway.ledger.refuse = code
    await refusal(gateway, 403, code, GENERAL, b"{")


async def test_a_batch_above_the_remaining_quota_is_refused_as_a_whole(gateway):
    gateway.ledger.remaining = 2
    await refusal(gateway, 403, 51003, GENERAL, body_of(GENERAL, PNG, PNG, PNG))
    assert not gateway.broker.tasks


async def test_rate_limit_and_overload_send_retry_after(gateway):
    gateway.limiter.wait = 1.7
    response = await refusal(gateway, 429, 42900, GENERAL, body_of(GENERAL, PNG))
    assert response.headers["retry-after"] == "2"
    gateway.limiter.wait = None
    gateway.broker.fail = Overloaded("full", retry_after=3)
    response = await refusal(gateway, 503, 50300, GENERAL, body_of(GENERAL, PNG))
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize("error", [DeadlineMissed("late"), RuntimeError("a secret inside")])
async def test_internal_failures_are_not_charged_and_disclose_nothing(gateway, error):
    gateway.broker.fail = error
    response = await refusal(gateway, 500, 50000, GENERAL, body_of(GENERAL, PNG))
    assert "secret" not in response.text and "Traceback" not in response.text


async def test_always_200_turns_refusals_into_200():
    gateway = GatewayUnderTest(Settings(server=Server(always_200=True)))
    await refusal(gateway, 200, 10020, GENERAL, body_of(GENERAL, PNG), sk="0" * 32)


async def test_the_body_limit_returns_the_page_of_the_manual():
    gateway = GatewayUnderTest(Settings(limits=Limits(body_bytes=1000)))
    response = await gateway.call(GENERAL, b"x" * 1001)
    assert response.status_code == 413
    assert "<center><h1>413 Request Entity Too Large</h1></center>" in response.text
    assert (await gateway.call(GENERAL, b"x" * 1000)).json()["statusCode"] == 400004


async def test_the_byte_budget_is_released():
    gateway = GatewayUnderTest(Settings(limits=Limits(inflight_bytes=500)))
    await refusal(gateway, 503, 50300, GENERAL, b"x" * 501)
    for _ in range(5):
        assert (await gateway.call(GENERAL, body_of(GENERAL, PNG))).status_code == 200


# --- replay: a settled answer that was not delivered (CONTRACT D3)


async def test_a_delivered_answer_is_never_replayed(gateway):
    for _ in range(2):
        await gateway.call(GENERAL, body_of(GENERAL, PNG), request_id="same")
    assert gateway.ledger.units == 2


class Socket:
    """One raw ASGI exchange whose client disconnects on demand."""

    def __init__(self, gateway, body: bytes, request_id: str, hang_up_on: str = "") -> None:
        headers = signed_headers(body, request_id=request_id)
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": GENERAL.paths[0],
            "raw_path": b"",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "client": ("127.0.0.1", 1),
            "server": ("g", 80),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
        self.gateway, self.body, self.hang_up_on = gateway, body, hang_up_on
        self.sent, self.gone, self.read = b"", asyncio.Event(), False

    async def receive(self):
        if not self.read:
            self.read = True
            if self.hang_up_on == "work":
                self.gone.set()
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start" and self.hang_up_on == "answer":
            self.gone.set()
            await asyncio.sleep(0)
        self.sent += message.get("body", b"")

    async def run(self):
        await self.gateway.app(self.scope, self.receive, self.send)
        return self.sent


async def test_an_undelivered_answer_is_replayed_free_of_charge(gateway):
    body = json.dumps(body_of(GENERAL, PNG)).encode()
    await Socket(gateway, body, "r-1", hang_up_on="answer").run()
    assert gateway.ledger.units == 1 and len(gateway.broker.tasks) == 1
    again = await Socket(gateway, body, "r-1").run()
    assert json.loads(again)["statusCode"] == 0
    assert gateway.ledger.units == 1 and len(gateway.broker.tasks) == 1
    await Socket(gateway, body, "r-1").run()
    assert gateway.ledger.units == 2, "once delivered it is an ordinary call again"


async def test_another_body_or_request_id_is_another_call(gateway):
    body = json.dumps(body_of(GENERAL, PNG)).encode()
    await Socket(gateway, body, "r-1", hang_up_on="answer").run()
    await Socket(gateway, body, "r-2").run()
    await Socket(gateway, body + b" ", "r-1").run()
    assert gateway.ledger.units == 3


async def test_a_client_that_disconnects_early_is_not_charged(gateway):
    started = asyncio.Event()

    async def never(tasks):
        started.set()
        await asyncio.Event().wait()

    gateway.broker.submit = never
    await asyncio.wait_for(Socket(gateway, json.dumps(body_of(GENERAL, PNG)).encode(), "r", hang_up_on="work").run(), 5)
    assert started.is_set() and not gateway.ledger.settled


async def test_a_client_that_disconnects_before_settlement_is_not_charged(gateway):
    body = json.dumps(body_of(GENERAL, PNG)).encode()
    socket = Socket(gateway, body, "r-1")
    keep = gateway.replays.keep

    async def hangs_up(key, answer):
        socket.gone.set()
        return await keep(key, answer)

    with patch.object(gateway.replays, "keep", hangs_up):
        await socket.run()
    assert socket.sent == b"" and not gateway.ledger.settled
    assert json.loads(await Socket(gateway, body, "r-1").run())["statusCode"] == 0
    assert gateway.ledger.units == 1 and len(gateway.broker.tasks) == 1, "the work is not done twice"


async def test_a_concurrent_repeat_of_a_request_is_charged_once(gateway):
    """Both are in progress when the first keeps its answer: the second returns that answer."""
    body, arrived, keep = json.dumps(body_of(GENERAL, PNG)).encode(), asyncio.Event(), gateway.replays.keep
    waiting = []

    async def together(key, answer):
        waiting.append(key)
        if len(waiting) == 2:
            arrived.set()
        await arrived.wait()
        return await keep(key, answer)

    with patch.object(gateway.replays, "keep", together):
        sockets = [Socket(gateway, body, "r-1"), Socket(gateway, body, "r-1", hang_up_on="answer")]
        await asyncio.gather(*(each.run() for each in sockets))
    assert gateway.ledger.units == 1
    assert json.loads(sockets[0].sent)["statusCode"] == 0


async def test_an_unsettled_answer_is_settled_by_the_repeated_request(gateway):
    body = json.dumps(body_of(GENERAL, PNG)).encode()
    gateway.ledger.fail = LedgerUnavailable("no database")
    assert json.loads(await Socket(gateway, body, "r-1").run())["code"] == "50000"
    gateway.ledger.fail = None
    assert json.loads(await Socket(gateway, body, "r-1").run())["statusCode"] == 0
    assert gateway.ledger.units == 1 and len(gateway.broker.tasks) == 1


# --- pages beside the calls


async def test_probes_metrics_and_reference(gateway):
    async with gateway.client() as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        gateway.health.mark_started()
        assert (await client.get("/readyz")).status_code == 200
        await gateway.call(GENERAL, body_of(GENERAL, PNG))
        metrics = (await client.get("/metrics")).text
        assert 'inkgate_requests_total{capability="general",code="0",outcome="success"} 1.0' in metrics
        openapi = (await client.get("/openapi.json")).json()
        assert {path for c in CAPABILITIES.values() for path in c.paths} == set(openapi["paths"])
        assert "通用型OCR" in (await client.get("/docs")).text
        assert (await client.get("/nothing")).json()["code"] == "50001"


async def test_the_app_key_never_reaches_the_log(gateway, caplog):
    caplog.set_level("INFO")
    await gateway.call(GENERAL, body_of(GENERAL, PNG))
    assert caplog.records and APPKEY not in caplog.text


async def test_a_clients_trace_is_propagated_to_the_worker(gateway):
    await gateway.call(GENERAL, body_of(GENERAL, PNG), headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    await gateway.call(GENERAL, body_of(GENERAL, PNG))
    theirs, ours = (task.trace for task in gateway.broker.tasks)
    assert theirs.startswith(f"00-{'ab' * 16}-")
    assert len(ours.split("-")[1]) == 32


@pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda c: c.name)
async def test_a_byte_order_mark_before_the_json_is_skipped(gateway, capability):
    for raw in (body_of(capability, PNG), body_of(capability, PNG + bytes(50_000))):
        response = await gateway.call(capability, b"\xef\xbb\xbf" + json.dumps(raw).encode())
        assert response.json()["statusCode"] == 0
    assert [len(task.image) for task in gateway.broker.tasks] == [len(PNG), len(PNG) + 50_000]


@pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda c: c.name)
@pytest.mark.parametrize("sealed", ["", "true"])
async def test_a_content_encoding_is_refused(gateway, capability, sealed):
    raw = json.dumps(body_of(capability, PNG)).encode()
    headers = {"content-encoding": "gzip", "decrypted": sealed}
    response = await gateway.call(capability, gzip.compress(raw), headers=headers)
    body = response.json()
    assert response.status_code == 200 and body["statusCode"] in (400004, 4001)
    assert "Content-Encoding" in body["details"] and body["details"].startswith(capability.faults["json"].details)
    assert not gateway.broker.tasks
    plain = await gateway.call(capability, raw, headers={"content-encoding": "identity"})
    assert plain.json()["statusCode"] == 0


@pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda c: c.name)
async def test_json_above_the_memory_bound_is_a_request_fault_that_names_the_bound(gateway, capability):
    response = await gateway.call(capability, b'{"x":[' + b"{}," * 400_000 + b"1]}")
    body = response.json()
    assert body["statusCode"] == capability.faults["json"].code and "512 KiB" in body["details"]
    (settlement,) = gateway.ledger.settled.values()
    assert (settlement.units, settlement.images, settlement.code) == (1, 1, body["statusCode"])
