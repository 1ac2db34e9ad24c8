"""The whole service, for real: processes, engine, ledger."""

import json
import urllib.request

import pytest

from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL
from inkgate.service.samples import sample

EXPECTED = {
    "general": "图书馆开放通知",
    "idcard": "330106199208160021",
    "plate": "浙A8K26P",
    "licence": "91330106MA2H1K7Q8M",
}


@pytest.mark.parametrize("capability", CAPABILITIES.values(), ids=lambda c: c.name)
def test_the_samples_are_read(sandbox, capability):
    status, body = sandbox.call(capability, sample(capability.name))
    assert (status, body["statusCode"]) == (200, 0)
    assert EXPECTED[capability.name] in json.dumps(body, ensure_ascii=False)


@pytest.mark.parametrize(
    ("appkey", "http", "code"),
    [
        ("APPKEY_EXHAUSTED", 403, 51003),
        ("APPKEY_EXPIRED", 403, 51001),
        ("APPKEY_UNPURCHASED", 403, 51002),
        ("APPKEY_NOTOPENED", 403, 50002),
        ("APPKEY_IPDENIED", 403, 40009),
    ],
)
def test_refused_apps(sandbox, appkey, http, code):
    status, body = sandbox.call(GENERAL, sample("general"), appkey=appkey)
    assert (status, body["statusCode"]) == (http, code)


def test_a_corrupt_image_fails_alone(sandbox):
    good = sample("plate")
    status, body = sandbox.call(CAPABILITIES["plate"], good, good[: len(good) // 50] + bytes(2000), good)
    assert status == 200 and body["message"] == {"success": 2, "fail": 1}
    assert body["returnObj"][1]["err_code"] == 4009


def test_metrics_tell_what_happened(sandbox):
    sandbox.call(GENERAL, sample("general"))
    with urllib.request.urlopen(sandbox.keys["BASE_URL"] + "/metrics", timeout=10) as response:
        text = response.read().decode()
    for stage in ("auth", "parse", "queue", "infer", "settle", "total"):
        assert f'inkgate_request_duration_seconds_count{{capability="general",stage="{stage}"}}' in text


def test_ready_says_what_it_looked_at(sandbox):
    with urllib.request.urlopen(sandbox.keys["BASE_URL"] + "/readyz", timeout=10) as response:
        parts = json.load(response)["parts"]
    assert parts == {"started": "ok", "draining": "ok", "database": "ok", "workers": "ok", "tasks": "ok", "clock": "ok"}


def test_the_idle_tree_fits_in_600_megabytes(sandbox):
    assert sandbox.idle_bytes < 600 * 1024 * 1024
