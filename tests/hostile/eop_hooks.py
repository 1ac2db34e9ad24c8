"""Schemathesis hooks for the four calls: a valid signature, and the checks of the contract.

SCHEMATHESIS_HOOKS=tests.hostile.eop_hooks, with the keys of a sandbox (AK, SK, APPKEY) in the environment.
"""

from __future__ import annotations

import base64
import os
from typing import Any

import requests
import schemathesis
from schemathesis.auths import RequestsAuth
from schemathesis.core.parameters import ParameterLocation

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import GATEWAY_CODES
from inkgate.service.eop.signing import call_headers
from tests.gateway import PNG

IMAGE = base64.b64encode(PNG).decode()
SEAL_CODES = {40017, 40018, 40019, 40020}


class Signature(requests.auth.AuthBase):
    """Signs the bytes that are sent; replaces the signature headers of a test case."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        made = call_headers(os.environ["AK"], os.environ["SK"].encode(), os.environ["APPKEY"], raw)
        made.pop("Content-Type")
        request.headers.update(made)
        return request


def broken(case: Any, location: ParameterLocation) -> bool:
    """Whether a part of the case violates the description on purpose."""
    return case.meta is not None and case.meta.is_negative_at(location)


@schemathesis.auth()
class Signed(RequestsAuth[Signature]):
    """Signs every call, except one that is about headers that are missing or wrong."""

    def __init__(self) -> None:
        super().__init__(Signature())

    def set(self, case: Any, data: Any, context: Any) -> None:
        if not broken(case, ParameterLocation.HEADER):
            super().set(case, data, context)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Replaces one valid text by a real image, so that some calls are read."""
    body = case.body
    if not isinstance(body, dict) or broken(case, ParameterLocation.BODY):
        return
    if body.get("data"):
        body["data"] = [IMAGE, *body["data"][1:]]
    elif body.get("ImageData"):
        body["ImageData"] = IMAGE


@schemathesis.check
def contract_codes(ctx: Any, response: Any, case: Any) -> None:
    """Every answer has a code of its capability's table or of the refusals, and none reads a broken body."""
    document = response.json()
    capability = next(each for each in CAPABILITIES.values() if case.path in each.paths)
    code = document["statusCode"]
    if response.status_code != 200:
        assert GATEWAY_CODES[int(document["code"])].http == response.status_code, document
    elif broken(case, ParameterLocation.BODY):
        assert code or document["message"]["success"] == 0, f"a broken body was read: {document}"
    else:
        assert code in {fault.code for fault in capability.faults.values()} | {0} | SEAL_CODES, document


@schemathesis.check
def other_methods(ctx: Any, response: Any, case: Any) -> None:
    """Another method than POST is refused as the capability defines: its code with HTTP 200, or 405 naming POST."""
    if case.method == "POST" or response.status_code == 401:
        return
    capability = next(each for each in CAPABILITIES.values() if case.path in each.paths)
    if "method" in capability.faults:
        assert response.json()["statusCode"] == capability.faults["method"].code
    else:
        assert (response.status_code, response.headers["allow"]) == (405, ["POST"])
