"""The calls of the try page: each use of its form makes one call, whichever process of the console it reaches.

The form is claimed in the database as any other (ADR 0087). A repeat shows the result of the first one, which is kept
there for some minutes, sealed, unless answers are not to be kept (INKGATE_SECURITY__KEPT_ANSWERS).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import fields

from inkgate.service.console.gateway_client import GatewayCall
from inkgate.service.console.page_request import PageRequest
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.users import forms


async def call_once(
    page_request: PageRequest, key: str, work: Callable[[], Awaitable[GatewayCall]], wait: float
) -> GatewayCall:
    """The call of the form with this key, which `work` makes unless it was made before.

    A repeat waits for it, at most `wait` seconds. Work that raises frees the form; work that is cancelled does not,
    since the call may have been charged. Raises forms.Unanswered and forms.AnswerGone.
    """
    assert page_request.signed_in is not None
    vault = page_request.parts.vault
    kept = await forms.claim_in_place(page_request, vault, key, page_request.signed_in.token_hash, wait)
    if kept is not None:
        return _loaded(kept)
    try:
        sent_call = await work()
    except Exception:
        await forms.release(page_request, key)
        raise
    keeps = page_request.parts.settings.security.kept_answers != "none"
    await forms.answer_in_place(page_request, vault, key, _dumped(sent_call) if keeps else None)
    return sent_call


def _dumped(sent_call: GatewayCall) -> bytes:
    values = {each.name: getattr(sent_call, each.name) for each in fields(sent_call)}
    values["capability"] = sent_call.capability.name
    return json.dumps(values, ensure_ascii=False).encode()


def _loaded(text: bytes) -> GatewayCall:
    values = json.loads(text)
    return GatewayCall(**{**values, "capability": CAPABILITIES[values["capability"]]})
