"""The calls of the try page: each use of its form makes one call, whichever process of the console it reaches.

The form is claimed in the database as any other (ADR 0087). A repeat shows the result of the first one where the same
process made the call: results are never written to the database.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import fields

from inkgate.service.console.gateway_client import GatewayCall
from inkgate.service.console.page_request import PageRequest
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.users import forms

IN_PLACE = ""  # the location of a form that leads to no other page


class ResultGone(Exception):
    """The call of the form was made before, and this process does not have its result (any more)."""


async def call_once(
    page_request: PageRequest, key: str, work: Callable[[], Awaitable[GatewayCall]], wait: float
) -> GatewayCall:
    """The call of the form with this key, which `work` makes unless it was made before.

    A repeat waits for it, at most `wait` seconds. Work that raises frees the form; work that is cancelled does not,
    since the call may have been charged. Results are kept unless answers are not to be
    (INKGATE_SECURITY__KEPT_ANSWERS). Raises forms.Unanswered and ResultGone.
    """
    assert page_request.signed_in is not None
    results = page_request.parts.try_results
    if await forms.claim(page_request, key, page_request.signed_in.token_hash, wait) is not None:
        kept = results.get(key)
        if kept is None:
            raise ResultGone
        return _loaded(kept)
    try:
        sent_call = await work()
    except Exception:
        await forms.release(page_request, key)
        raise
    if page_request.parts.settings.security.kept_answers != "none":
        results.keep(key, _dumped(sent_call))
    await forms.answer(page_request, key, IN_PLACE)
    return sent_call


def _dumped(sent_call: GatewayCall) -> bytes:
    values = {each.name: getattr(sent_call, each.name) for each in fields(sent_call)}
    values["capability"] = sent_call.capability.name
    return json.dumps(values, ensure_ascii=False).encode()


def _loaded(text: bytes) -> GatewayCall:
    values = json.loads(text)
    return GatewayCall(**{**values, "capability": CAPABILITIES[values["capability"]]})
