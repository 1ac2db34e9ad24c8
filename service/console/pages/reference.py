"""API 文档: a guide per capability with the endpoint and keys of the caller, and the table of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.console import gateway_client
from inkgate.service.console.codes import Code, codes, search
from inkgate.service.console.gateway_client import CallerKeys
from inkgate.service.console.page_request import NotFound, PageRequest, signed_in_with_own_password
from inkgate.service.console.pages.keys import view as keys_view
from inkgate.service.console.render import render
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.openapi import document
from inkgate.service.db.work import UnitOfWork

router = APIRouter()
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
    """The URL of the gateway for customers."""
    given = page_request.parts.settings.console.endpoint
    if given:
        return given.rstrip("/")
    url = page_request.request.url
    scheme = page_request.request.headers.get("x-forwarded-proto", url.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{url.netloc}"


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


async def key_names(unit: UnitOfWork, page_request: PageRequest) -> CallerKeys:
    """The newest live access key and the first app of the caller, without the secret; placeholders if there is none."""
    ak, appkey = "<AccessKey>", "<AppKey>"
    if page_request.account is not None:
        live = [row for row, state in await keys_view(unit, page_request.account.id) if state == "live"]
        apps = await accounts.apps(unit.session, [page_request.account.id], limit=1)
        ak = live[0].ak if live else ak
        appkey = apps[0].appkey if apps else appkey
    return CallerKeys(ak, b"", appkey)


@router.get("/reference")
async def page(page_request: OwnPasswordRequest, q: str = "") -> Response:
    found = search(q[:40]) if q.strip() else list(codes())
    return render(
        page_request, "reference.html", rows=found, q=q[:40], capabilities=CAPABILITIES, endpoint=endpoint(page_request)
    )


@router.get("/reference/{capability}")
async def guide_page(page_request: OwnPasswordRequest, capability: str) -> Response:
    if capability not in CAPABILITIES:
        raise NotFound
    async with page_request.reading() as unit:
        keys = await key_names(unit, page_request)
    where = endpoint(page_request)
    return render(page_request, "guide.html", model=guide(CAPABILITIES[capability], keys, where), endpoint=where)
