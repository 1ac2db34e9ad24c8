"""体验: one image sent to the gateway with the caller's keys, its result drawn over it, and the request to copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import AccessKeyRow, AppRow
from inkgate.service.accounts.service import key_context
from inkgate.service.console import gateway_client, repository
from inkgate.service.console.gateway_client import CallerKeys, GatewayCall
from inkgate.service.console.page_request import Customer, NotFound, PageRequest
from inkgate.service.console.pages.keys import view as keys_view
from inkgate.service.console.pages.reference import endpoint
from inkgate.service.console.render import render
from inkgate.service.console.scope import VisibleAccounts, scope_of, visible_app
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT
from inkgate.service.contract.images import ImageFault, image_dimensions, media_type
from inkgate.service.contract.views import Mark
from inkgate.service.db.work import UnitOfWork
from inkgate.service.samples import sample

router = APIRouter()
MAX_IMAGE_BYTES = 2 * 1024 * 1024  # manual 7.4


@dataclass(frozen=True, slots=True)
class TryForm:
    """The form: apps with their capabilities, and the access key to sign with (None: there is none)."""

    apps: list[AppRow]
    opened: dict[str, list[str]]
    key: AccessKeyRow | None


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """A quadrilateral over the image: `points` in SVG syntax, in pixels of the stored image."""

    points: str
    text: str
    note: str = ""
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  # x, y, width, height


@dataclass(frozen=True, slots=True)
class ResultView:
    """A result for the page: marks over the image, and labelled fields in the order of the document. With `show_crops`
    the crop of each mark is shown beside its text."""

    marks: list[PlacedMark]
    fields: list[tuple[str, str]]
    fault: str
    show_crops: bool = False


async def view(unit: UnitOfWork, scope: VisibleAccounts, account_id: str) -> TryForm:
    """The apps and the access key of the caller."""
    apps = await accounts.apps(unit.session, scope.account_ids)
    opened = await repository.opened_by(unit.session, [each.id for each in apps])
    live = [row for row, state in await keys_view(unit, account_id) if state == "live"]
    return TryForm(apps, opened, live[0] if live else None)


def result_view(capability: str, answer: Mapping[str, Any], language: str = "zh") -> ResultView:
    """The view of an answer of any capability; a refused call or a failed image has a fault only."""
    if answer.get("statusCode") != 0:
        return ResultView([], [], f"{answer.get('statusCode')} {answer.get('details') or answer.get('message')}")
    returned = answer.get("returnObj")
    element = returned[0] if isinstance(returned, list) and returned else returned
    if not isinstance(element, dict):
        return ResultView([], [], "")
    if element.get("err_code"):
        return ResultView([], [], f"{element['err_code']} {element.get('err_msg', '')}")
    known = CAPABILITIES[capability]
    view = known.view(element)
    labelled = [each.name for each in known.fields]
    values = dict(view.fields)
    order = [*(key for key in labelled if key in values), *(key for key in values if key not in labelled)]
    fields = [(known.label(key, language), values[key]) for key in order]
    return ResultView([_placed(each) for each in view.marks], fields, "", view.show_crops)


def _placed(mark: Mark) -> PlacedMark:
    xs, ys = mark.box[0::2], mark.box[1::2]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    left, top = round(min(xs)), round(min(ys))
    confidence = "" if mark.confidence is None else f"{mark.confidence:.1%}"
    note = " · ".join(part for part in (mark.kind, confidence) if part)
    return PlacedMark(points, mark.text, note, (left, top, round(max(xs)) - left, round(max(ys)) - top))


@router.get("/try")
async def page(page_request: Customer, capability: str = DEFAULT) -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        model = await view(unit, await scope_of(unit, page_request.account), page_request.account.id)
    name = capability if capability in CAPABILITIES else DEFAULT
    return render(page_request, "try.html", model=model, name=name, capabilities=CAPABILITIES)


@router.get("/samples/{name}.jpg")
async def sample_image(page_request: Customer, name: str) -> Response:
    if name not in CAPABILITIES:
        raise NotFound
    image = sample(name)
    return Response(image, media_type=media_type(image), headers={"cache-control": "private, max-age=86400"})


@router.post("/try/{name}")
async def call(page_request: Customer, name: str) -> Response:
    """Fragment: send the call and show its result and request."""
    if name not in CAPABILITIES:
        raise NotFound
    image = await _image(page_request, name)
    problem = _image_problem(page_request, image)
    if problem:
        return render(page_request, "try_result.html", problem=problem, sent_call=None)
    keys = await _caller_keys(page_request)
    if keys is None:
        return render(
            page_request,
            "try_result.html",
            problem=page_request.translate("没有可用的 AccessKey，请先新建。"),
            sent_call=None,
        )
    sent_call = await gateway_client.call(
        gateway_url(page_request), CAPABILITIES[name], keys, image, page_request.parts.settings.limits.deadline + 10
    )
    width, height = image_dimensions(image)
    return _result(page_request, sent_call, keys, width, height)


def _result(page_request: PageRequest, sent_call: GatewayCall, keys: CallerKeys, width: int, height: int) -> Response:
    where = endpoint(page_request)
    problem = page_request.translate("网关没有应答：{why}", why=sent_call.failure) if sent_call.answer is None else ""
    model = (
        result_view(sent_call.capability.name, sent_call.answer, page_request.translate.language)
        if sent_call.answer is not None
        else None
    )
    return render(
        page_request,
        "try_result.html",
        problem=problem,
        sent_call=sent_call,
        model=model,
        width=width,
        height=height,
        answer=json.dumps(sent_call.answer, ensure_ascii=False, indent=2),
        requests=[
            ("curl", gateway_client.as_curl(sent_call, where)),
            ("Python", gateway_client.as_python(sent_call.capability, keys, where)),
            ("Java", gateway_client.as_java(sent_call.capability, keys, where)),
        ],
    )


def gateway_url(page_request: PageRequest) -> str:
    """The URL of the gateway: the setting, or the address at which this request arrived."""
    given = page_request.parts.settings.console.gateway_url
    if given:
        return given.rstrip("/")
    host, port = page_request.request.scope["server"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _image(page_request: PageRequest, name: str) -> bytes:
    if page_request.text("sample"):
        return sample(name)
    upload = page_request.form.get("image")
    return await upload.read(MAX_IMAGE_BYTES + 1) if isinstance(upload, UploadFile) else b""


def _image_problem(page_request: PageRequest, image: bytes) -> str:
    """Why an image is not sent (manual 7.4), or "". The gateway accepts larger images than this page."""
    _ = page_request.translate
    if not image:
        return _("请选择一张图片。")
    if len(image) > MAX_IMAGE_BYTES:
        return _("图片不能超过 2 MB。API 接口可接受更大的图片。")
    try:
        image_dimensions(image)
    except ImageFault:
        return _("只支持 jpg、png、bmp 图片。")
    return ""


async def _caller_keys(page_request: PageRequest) -> CallerKeys | None:
    """The newest live access key of the caller and the selected app; None without a key."""
    assert page_request.account is not None
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account)
        app = await visible_app(unit, scope, page_request.text("app"))
        key = (await view(unit, scope, page_request.account.id)).key
    if key is None:
        return None
    return CallerKeys(key.ak, page_request.parts.vault.open(key.sealed_secret, key_context(key.ak)), app.appkey)
