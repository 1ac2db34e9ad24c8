"""Batches through real gateway, workers and stores: an image that crashes engines, and bodies above the budget."""

from __future__ import annotations

import asyncio
import base64
import json

import httpx
import psutil

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys
from inkgate.service.worker.stub import stub_text
from tests.crash.chaos.stack import Stack
from tests.http_client import local_client
from tests.images import padded_png

MIB = 2**20
BUDGET = 20 * MIB


async def send(stack: Stack, keys: Keys, images: list[bytes], capability: str = "general") -> httpx.Response:
    body = json.dumps({"data": [base64.b64encode(image).decode() for image in images]}).encode()
    url = f"http://127.0.0.1:{stack.gateways[0].port}{CAPABILITIES[capability].paths[0]}"
    async with local_client(timeout=90) as client:
        return await client.post(url, content=body, headers=call_headers(keys.ak, keys.sk.encode(), keys.appkey, body))


async def ready(stack: Stack) -> list[int]:
    """The worker processes, once all are warm."""
    await stack.hosts[0].ready(2)
    return sorted(stack.hosts[0].children)


async def crashing_image(stack: Stack, keys: Keys) -> None:
    """It fails alone in a batch of 50."""
    images = [padded_png(300 + number) for number in range(50)]
    images[31] = padded_png(400, b"inkgate-stub:crash ")
    for capability, code, key in (("general", 500001, "text"), ("plate", 5000, "platelicense")):
        answer = (await send(stack, keys, images, capability)).json()
        assert (answer["statusCode"], answer["message"]) == (0, {"success": 49, "fail": 1})
        failed = answer["returnObj"].pop(31)
        assert failed["err_code"] == code
        texts = [element["detail"][0][key] for element in answer["returnObj"]]
        assert texts == [stub_text(image) for number, image in enumerate(images) if number != 31]
    await ready(stack)
    assert list((await stack.charged()).values()) == [[49], [49]]
    assert (await send(stack, keys, images[:1])).json()["statusCode"] == 0


async def twenty_big_clients(stack: Stack, keys: Keys) -> None:
    """They get answers or 503, and the gateway's memory stays bounded."""
    workers = await ready(stack)
    assert stack.gateways[0].process is not None
    gateway = psutil.Process(stack.gateways[0].process.pid)
    before, highest = gateway.memory_info().rss, 0

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, gateway.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    batch = [padded_png(200_000)] * 50  # 13 MB of text: one fits, two do not
    answers = await asyncio.gather(*(send(stack, keys, batch) for _ in range(20)))
    watching.cancel()
    refused = [answer for answer in answers if answer.status_code == 503]
    read = [answer for answer in answers if answer.status_code == 200]
    assert len(refused) + len(read) == 20 and read and refused
    assert all(answer.json()["statusCode"] == 50300 and int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert all(answer.json()["message"] == {"success": 50, "fail": 0} for answer in read)
    assert highest - before < 4 * BUDGET
    assert sorted(stack.hosts[0].children) == workers, "no worker was restarted"
    assert (await send(stack, keys, batch)).status_code == 200
    assert (await send(stack, keys, [padded_png(400_000)] * 50)).status_code == 413


async def test_a_crashing_image_and_bodies_above_the_byte_budget() -> None:
    stack = Stack(
        gateways=1,
        hosts=1,
        processes=2,
        stub_ms=0,
        LIMITS__BODY_BYTES=BUDGET,
        LIMITS__INFLIGHT_BYTES=BUDGET,
        LIMITS__DEADLINE=60,
    )
    try:
        keys = await stack.start()
        await crashing_image(stack, keys)
        await twenty_big_clients(stack, keys)
    finally:
        await stack.close()
