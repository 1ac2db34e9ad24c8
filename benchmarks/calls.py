"""Signed client requests, and the gateway's latency histograms read back from its metrics."""

from __future__ import annotations

import base64
import json
from collections import Counter

import httpx
from prometheus_client.parser import text_string_to_metric_families

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys

PATH = CAPABILITIES["general"].paths[0]
HISTOGRAM = "inkgate_request_duration_seconds"


def body(image: bytes) -> bytes:
    """The JSON body of a request with one image."""
    return json.dumps({"data": [base64.b64encode(image).decode()]}).encode()


def request(base: str, keys: Keys, raw: bytes) -> httpx.Request:
    """A signed general text request with the body `raw`."""
    headers = call_headers(keys.ak, keys.sk.encode(), keys.appkey, raw)
    return httpx.Request("POST", base + PATH, headers=headers, content=raw)


async def samples(client: httpx.AsyncClient, base: str, suffix: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of every sample of `HISTOGRAM + suffix` of a gateway (suffix: _bucket, _sum, _count)."""
    text = (await client.get(base + "/metrics", headers={"accept": "text/plain"})).text
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == HISTOGRAM + suffix
    ]


async def mean_stages(client: httpx.AsyncClient, base: str) -> dict[str, float]:
    """Mean milliseconds per call and stage."""
    spent, calls = Counter[str](), Counter[str]()
    for labels, value in await samples(client, base, "_sum"):
        spent[labels["stage"]] += value
    for labels, value in await samples(client, base, "_count"):
        calls[labels["stage"]] += value
    return {stage: round(1000 * spent[stage] / calls[stage], 2) for stage in spent if calls[stage]}
