"""Random requests to the four calls, signed or not: a documented answer, never a 5xx of the service or a trace."""

from __future__ import annotations

import asyncio
import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import GATEWAY_CODES
from tests.gateway import PNG, GatewayUnderTest, signed_headers

IMAGE = base64.b64encode(PNG).decode()
CODES = {fault.code for capability in CAPABILITIES.values() for fault in capability.faults.values()}
CODES |= {0, 40017, 40018, 40019, 40020, *GATEWAY_CODES}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(IMAGE) | st.just("BusinessCardOCR"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["data", "Action", "ImageData", "ciphertextBlob", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
bodies = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
latin = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
headers = st.dictionaries(
    st.sampled_from(
        [
            "decrypted",
            "content-type",
            "x-inkgate-extras",
            "x-forwarded-for",
            "eop-date",
            "eop-authorization",
            "appkey",
            "ctyun-eop-request-id",
            "expect",
            "content-encoding",
        ]
    ),
    latin | st.sampled_from(["true", "1", "100-continue", "gzip"]),
    max_size=3,
)
paths = st.sampled_from([path for capability in CAPABILITIES.values() for path in capability.paths])


@settings(max_examples=250, deadline=None)
@given(
    method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "DELETE", "PATCH"]),
    path=paths | latin.map(lambda text: "/v1/aiop/api/" + text.replace("?", "").replace("#", "")),
    body=bodies,
    changed=headers,
)
def test_every_answer_is_documented(method: str, path: str, body: bytes, changed: dict[str, str]):
    asyncio.run(_call(method, path, body, changed))


async def _call(method: str, path: str, body: bytes, changed: dict[str, str]) -> None:
    gateway = GatewayUnderTest()
    sent = {name.lower(): value for name, value in signed_headers(body).items()} | changed
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    async with gateway.client() as client:
        answer = await client.request(method, path, content=body, headers=raw)
    assert answer.status_code < 500
    assert b"Traceback" not in answer.content and b'File "' not in answer.content
    document = answer.json()
    code = str(document.get("statusCode", 0)).removeprefix("CTAPI_")
    assert code in {str(known).removeprefix("CTAPI_") for known in CODES}, document
    assert sum(s.units for s in gateway.ledger.settled.values()) <= 50
