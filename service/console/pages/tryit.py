"""体验: one picture through the gateway with the caller's own keys, the result drawn over it, the request to copy."""

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
from inkgate.service.console import calling, repository
from inkgate.service.console.calling import Call, Signer
from inkgate.service.console.pages.keys import view as keys_view
from inkgate.service.console.pages.reference import endpoint
from inkgate.service.console.render import render
from inkgate.service.console.scope import Scope, own_app, scope_of
from inkgate.service.console.visit import Customer, Missing, Visit
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT
from inkgate.service.contract.images import ImageFault, dimensions, media_type
from inkgate.service.contract.views import Mark
from inkgate.service.db.work import UnitOfWork
from inkgate.service.samples import sample

router = APIRouter()
PICTURE_BYTES = 2 * 1024 * 1024  # manual 7.4


@dataclass(frozen=True, slots=True)
class Ready:
    """What the form offers: apps with what they have opened, and whether there is a key to sign with."""

    apps: list[AppRow]
    opened: dict[str, list[str]]
    key: AccessKeyRow | None


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """A quadrilateral over the picture: `points` as SVG has them, in pixels of the stored picture."""

    points: str
    text: str
    note: str = ""
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  # x, y, width, height


@dataclass(frozen=True, slots=True)
class Drawn:
    """A result for the page: marks over the picture, and labelled fields in the order of the document. With `cut_out`
    each mark's part of the picture stands beside its text."""

    marks: list[PlacedMark]
    fields: list[tuple[str, str]]
    fault: str
    cut_out: bool = False


async def view(unit: UnitOfWork, scope: Scope, account_id: str) -> Ready:
    """What the caller can call with."""
    apps = await accounts.apps(unit.session, scope.account_ids)
    opened = await repository.opened_by(unit.session, [each.id for each in apps])
    live = [row for row, state in await keys_view(unit, account_id) if state == "live"]
    return Ready(apps, opened, live[0] if live else None)


def drawn(capability: str, answer: Mapping[str, Any], language: str = "zh") -> Drawn:
    """What an answer shows, whatever its capability; a refused call or a failed image has only a fault."""
    if answer.get("statusCode") != 0:
        return Drawn([], [], f"{answer.get('statusCode')} {answer.get('details') or answer.get('message')}")
    returned = answer.get("returnObj")
    element = returned[0] if isinstance(returned, list) and returned else returned
    if not isinstance(element, dict):
        return Drawn([], [], "")
    if element.get("err_code"):
        return Drawn([], [], f"{element['err_code']} {element.get('err_msg', '')}")
    known = CAPABILITIES[capability]
    view = known.view(element)
    labelled = [each.name for each in known.fields]
    values = dict(view.fields)
    order = [*(key for key in labelled if key in values), *(key for key in values if key not in labelled)]
    fields = [(known.label(key, language), values[key]) for key in order]
    return Drawn([_placed(each) for each in view.marks], fields, "", view.cut_out)


def _placed(mark: Mark) -> PlacedMark:
    xs, ys = mark.box[0::2], mark.box[1::2]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    left, top = round(min(xs)), round(min(ys))
    confidence = "" if mark.confidence is None else f"{mark.confidence:.1%}"
    note = " · ".join(part for part in (mark.kind, confidence) if part)
    return PlacedMark(points, mark.text, note, (left, top, round(max(xs)) - left, round(max(ys)) - top))


@router.get("/try")
async def page(visit: Customer, capability: str = DEFAULT) -> Response:
    assert visit.account is not None
    async with visit.reading() as unit:
        model = await view(unit, await scope_of(unit, visit.account), visit.account.id)
    name = capability if capability in CAPABILITIES else DEFAULT
    return render(visit, "try.html", model=model, name=name, capabilities=CAPABILITIES)


@router.get("/samples/{name}.jpg")
async def sample_picture(visit: Customer, name: str) -> Response:
    if name not in CAPABILITIES:
        raise Missing
    image = sample(name)
    return Response(image, media_type=media_type(image), headers={"cache-control": "private, max-age=86400"})


@router.post("/try/{name}")
async def call(visit: Customer, name: str) -> Response:
    """Make the call; a fragment with everything about it."""
    if name not in CAPABILITIES:
        raise Missing
    picture = await _picture(visit, name)
    problem = _unfit(visit, picture)
    if problem:
        return render(visit, "try_result.html", problem=problem, made=None)
    signer = await _signer(visit)
    if signer is None:
        return render(visit, "try_result.html", problem=visit.words("没有可用的 AccessKey，请先新建。"), made=None)
    made = await calling.call(
        gateway_url(visit), CAPABILITIES[name], signer, picture, visit.parts.settings.limits.deadline + 10
    )
    width, height = dimensions(picture)
    return _result(visit, made, signer, width, height)


def _result(visit: Visit, made: Call, signer: Signer, width: int, height: int) -> Response:
    where = endpoint(visit)
    problem = visit.words("网关没有应答：{why}", why=made.failure) if made.answer is None else ""
    model = drawn(made.capability.name, made.answer, visit.words.language) if made.answer is not None else None
    return render(
        visit,
        "try_result.html",
        problem=problem,
        made=made,
        model=model,
        width=width,
        height=height,
        answer=json.dumps(made.answer, ensure_ascii=False, indent=2),
        requests=[
            ("curl", calling.as_curl(made, where)),
            ("Python", calling.as_python(made.capability, signer, where)),
            ("Java", calling.as_java(made.capability, signer, where)),
        ],
    )


def gateway_url(visit: Visit) -> str:
    """Where the gateway listens: the setting, or the socket that this very request came in by."""
    given = visit.parts.settings.console.gateway_url
    if given:
        return given.rstrip("/")
    host, port = visit.request.scope["server"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _picture(visit: Visit, name: str) -> bytes:
    if visit.text("sample"):
        return sample(name)
    upload = visit.form.get("picture")
    return await upload.read(PICTURE_BYTES + 1) if isinstance(upload, UploadFile) else b""


def _unfit(visit: Visit, picture: bytes) -> str:
    """Why a picture is not sent at all (manual 7.4): the gateway would read larger ones, this page does not."""
    _ = visit.words
    if not picture:
        return _("请选择一张图片。")
    if len(picture) > PICTURE_BYTES:
        return _("图片不能超过 2 MB。API 接口可接受更大的图片。")
    try:
        dimensions(picture)
    except ImageFault:
        return _("只支持 jpg、png、bmp 图片。")
    return ""


async def _signer(visit: Visit) -> Signer | None:
    """The caller's newest live key and the chosen app."""
    assert visit.account is not None
    async with visit.reading() as unit:
        scope = await scope_of(unit, visit.account)
        app = await own_app(unit, scope, visit.text("app"))
        key = (await view(unit, scope, visit.account.id)).key
    if key is None:
        return None
    return Signer(key.ak, visit.parts.vault.open(key.sealed_secret, key_context(key.ak)), app.appkey)
