"""API 文档: a guide per capability with the endpoint and keys of the caller, and the table of codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.client_ip import in_networks
from inkgate.service.console import app_choice, field_texts, gateway_client, repository
from inkgate.service.console.code_texts import in_language
from inkgate.service.console.codes import Code, codes, search
from inkgate.service.console.gateway_client import CallerKeys
from inkgate.service.console.page_request import NotFound, PageRequest, signed_in_with_own_password
from inkgate.service.console.render import render
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.openapi import document
from inkgate.service.db.work import UnitOfWork
from inkgate.service.permissions import Permission

router = APIRouter()
HOST = re.compile(r"[0-9A-Za-z.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
OwnPasswordRequest = Annotated[PageRequest, Depends(signed_in_with_own_password)]


@dataclass(frozen=True, slots=True)
class Guide:
    """The guide of one capability. `headers` (name, required, description) and `fields` (name, type, description) come
    from the OpenAPI document."""

    capability: Capability
    headers: Sequence[tuple[str, bool, str]]
    fields: Sequence[tuple[str, str, str]]
    programs: Sequence[tuple[str, str]]
    codes: Sequence[Code]


def endpoint(page_request: PageRequest) -> str:
    """The URL of the gateway for customers: the setting, else the address at which they see the console.

    X-Forwarded-Host counts from a trusted proxy only, since it names a host that this service does not know.
    """
    given = page_request.parts.settings.console.endpoint
    if given:
        return given.rstrip("/")
    request = page_request.request
    scheme = _first(request.headers.get("x-forwarded-proto", request.url.scheme))
    peer = request.client.host if request.client else ""
    forwarded = _first(request.headers.get("x-forwarded-host", ""))
    trusted = in_networks(peer, page_request.parts.trusted_proxies) and HOST.fullmatch(forwarded)
    return f"{'https' if scheme == 'https' else 'http'}://{forwarded if trusted else request.url.netloc}"


def _first(header: str) -> str:
    """The entry of the proxy nearest to the client."""
    return header.partition(",")[0].strip()


def guide(capability: Capability, keys: CallerKeys, where: str) -> Guide:
    """The guide of one capability; `where` is the endpoint, `keys` are the identifiers of the caller's keys."""
    operation: dict[str, Any] = document({})["paths"][capability.paths[0]]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    programs = [("Python", gateway_client.as_python), ("Java", gateway_client.as_java)]
    return Guide(
        capability,
        [(each["name"], each["required"], each["description"]) for each in operation["parameters"]],
        [(name, each["type"], _about(each)) for name, each in schema["properties"].items()],
        [(name, write(capability, keys, where)) for name, write in programs],
        [each for each in codes() if each.capability == capability.name],
    )


def _about(field: dict[str, Any]) -> str:
    if "const" in field:
        return str(field["const"])
    return str(field.get("description") or field["items"]["description"])


async def key_names(unit: UnitOfWork, page_request: PageRequest, capability: str) -> CallerKeys:
    """The newest live access key and the preferred app of the caller, without the secret; placeholders for what there
    is not, or the user may not see."""
    ak, appkey = "<AccessKey>", "<AppKey>"
    account = page_request.account
    if account is not None and page_request.may(Permission.KEYS_SEE):
        key = await accounts.newest_live_key(unit.session, account.id)
        ak = key.ak if key else ak
    if account is not None and page_request.may(Permission.APPS_SEE):
        apps = await accounts.apps(unit.session, [account.id])
        opened = await repository.opened_by(unit.session, [each.id for each in apps])
        chosen = app_choice.preferred(apps, opened, capability, app_choice.remembered(page_request))
        appkey = chosen.appkey if chosen else appkey
    return CallerKeys(ak, b"", appkey)


@router.get("/reference")
async def page(page_request: OwnPasswordRequest, q: str = "") -> Response:
    found = search(q[:40]) if q.strip() else list(codes())
    return render(
        page_request,
        "reference.html",
        rows=found,
        q=q[:40],
        capabilities=CAPABILITIES,
        endpoint=endpoint(page_request),
        english=_english,
    )


@router.get("/reference/{capability}")
async def guide_page(page_request: OwnPasswordRequest, capability: str) -> Response:
    if capability not in CAPABILITIES:
        raise NotFound
    async with page_request.reading() as unit:
        keys = await key_names(unit, page_request, capability)
    where = endpoint(page_request)
    model = guide(CAPABILITIES[capability], keys, where)
    language = page_request.translate.language

    def meaning(text: str) -> str:
        return field_texts.in_language(text, language)

    return render(page_request, "guide.html", model=model, endpoint=where, english=_english, meaning=meaning)


def _english(text: str) -> str:
    return in_language(text, "en")
