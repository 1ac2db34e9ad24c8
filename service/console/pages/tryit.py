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
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.images import ImageFault, dimensions
from inkgate.service.db.work import UnitOfWork
from inkgate.service.samples import sample

router = APIRouter()
PICTURE_BYTES = 2 * 1024 * 1024  # manual 7.4
IDCARD_LABELS = {
    "name": "姓名",
    "sex": "性别",
    "nation": "民族",
    "birthday": "出生",
    "addr": "住址",
    "idn": "公民身份号码",
    "org": "签发机关",
    "validperiod": "有效期限",
}
LICENCE_LABELS = {
    "union_id": "统一社会信用代码",
    "regist_no": "注册号",
    "name": "名称",
    "type": "类型",
    "addr": "住所",
    "legal_rep": "法定代表人",
    "regist_capital": "注册资本",
    "establish_date": "成立日期",
    "operation_period": "营业期限",
    "real_capital": "实收资本",
}


@dataclass(frozen=True, slots=True)
class Ready:
    """What the form offers: apps with what they have opened, and whether there is a key to sign with."""

    apps: list[AppRow]
    opened: dict[str, list[str]]
    key: AccessKeyRow | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A quadrilateral over the picture: `points` as SVG has them, in pixels of the stored picture."""

    points: str
    text: str
    note: str = ""
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  # x, y, width, height


@dataclass(frozen=True, slots=True)
class Drawn:
    """A result for the page: marks over the picture, and fields in the order of the document."""

    marks: list[Mark]
    fields: list[tuple[str, str]]
    fault: str


async def view(unit: UnitOfWork, scope: Scope, account_id: str) -> Ready:
    """What the caller can call with."""
    apps = await accounts.apps(unit.session, scope.account_ids)
    opened = await repository.opened_by(unit.session, [each.id for each in apps])
    live = [row for row, state in await keys_view(unit, account_id) if state == "live"]
    return Ready(apps, opened, live[0] if live else None)


def drawn(capability: str, answer: Mapping[str, Any]) -> Drawn:
    """What an answer shows, whatever its capability; a refused call or a failed picture has only a fault."""
    if answer.get("statusCode") != 0:
        return Drawn([], [], f"{answer.get('statusCode')} {answer.get('details') or answer.get('message')}")
    returned = answer.get("returnObj")
    element = returned[0] if isinstance(returned, list) and returned else returned
    if not isinstance(element, dict):
        return Drawn([], [], "")
    if element.get("err_code"):
        return Drawn([], [], f"{element['err_code']} {element.get('err_msg', '')}")
    detail = element.get("detail")
    if capability == "general" and isinstance(detail, list):
        return Drawn([_mark(each["box"], each["text"]) for each in detail], [], "")
    if capability == "plate" and isinstance(detail, list):
        return Drawn([_plate(each) for each in detail], [], "")
    labels = IDCARD_LABELS if capability == "idcard" else LICENCE_LABELS
    held = detail if isinstance(detail, dict) else {}
    return Drawn([], [(label, str(held[key])) for key, label in labels.items() if key in held], "")


def _plate(found: Mapping[str, Any]) -> Mark:
    corners = [value for point in found["box"] for value in point]
    return _mark(corners, found["platelicense"], f"{found['plate_type']} · {float(found['confidence']):.1%}")


def _mark(box: list[float], text: str, note: str = "") -> Mark:
    xs, ys = box[0::2], box[1::2]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    left, top = round(min(xs)), round(min(ys))
    return Mark(points, text, note, (left, top, round(max(xs)) - left, round(max(ys)) - top))


@router.get("/try")
async def page(visit: Customer, capability: str = "general") -> Response:
    assert visit.account is not None
    async with visit.reading() as unit:
        model = await view(unit, await scope_of(unit, visit.account), visit.account.id)
    name = capability if capability in CAPABILITIES else "general"
    return render(visit, "try.html", model=model, name=name, capabilities=CAPABILITIES)


@router.get("/samples/{name}.jpg")
async def sample_picture(visit: Customer, name: str) -> Response:
    if name not in CAPABILITIES:
        raise Missing
    return Response(sample(name), media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})


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
    model = drawn(made.capability.name, made.answer) if made.answer is not None else None
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
