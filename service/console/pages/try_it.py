"""体验: one image sent to the gateway with the caller's keys, its result drawn over it, and the request to copy."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import AccessKeyRow, AppRow
from inkgate.service.accounts.service import key_context
from inkgate.service.console import app_choice, gateway_client, repository
from inkgate.service.console.code_texts import in_language
from inkgate.service.console.field_texts import ENGLISH_PLATE_TYPES
from inkgate.service.console.gateway_client import CallerKeys, GatewayCall
from inkgate.service.console.page_request import Customer, Malformed, NotFound, PageRequest
from inkgate.service.console.pages.reference import endpoint
from inkgate.service.console.render import render, title
from inkgate.service.console.scope import MAX_CHOICES, VisibleAccounts, app_labels, scope_of, visible_app
from inkgate.service.console.try_calls import ResultGone, call_once
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT, Capability
from inkgate.service.contract.images import ImageFault, check_image, image_dimensions, media_type
from inkgate.service.contract.views import Mark
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.permissions import Permission
from inkgate.service.samples import sample
from inkgate.service.users import forms

router = APIRouter()
MAX_IMAGE_BYTES = 2 * 1024 * 1024  # manual 7.4
TOKEN_BYTES = 32
TOKEN_LENGTH = 43  # of the base64 text of a token
CALL_OVERHEAD_SECONDS = 10.0  # beyond the deadline of the gateway
NOT_OPENED = 50002
NUMBERS = re.compile(r"\[\n\s*(-?[\d.eE+-]+(?:,\n\s*-?[\d.eE+-]+)*)\n\s*\]")
"""An array of numbers in JSON that is indented."""
WITHOUT_UNITS = (51001, 51002, 51003)


@dataclass(frozen=True, slots=True)
class TryForm:
    """The form: apps with their capabilities, those that have opened the capability first, the app that is chosen, and
    the access key to sign with (None: there is none). `labels` maps the id of an app to the text that names it."""

    apps: list[AppRow]
    labels: dict[str, str]
    opened: dict[str, list[str]]
    chosen: AppRow | None
    key: AccessKeyRow | None


@dataclass(frozen=True, slots=True)
class NextStep:
    """The page on which a problem can be solved, and the text of the link to it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """A quadrilateral over the image: `points` in SVG syntax, in pixels of the image as a viewer shows it, after its
    EXIF turn."""

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


async def view(
    unit: UnitOfWork, scope: VisibleAccounts, account_id: str, capability: str, last_app: str = ""
) -> TryForm:
    """The apps and the access key of the caller; `last_app` is the app that the user chose last."""
    apps = await accounts.apps(unit.session, scope.account_ids, limit=MAX_CHOICES)
    opened = await repository.opened_by(unit.session, [each.id for each in apps])
    apps.sort(key=lambda each: capability not in opened.get(each.id, ()))
    key = await accounts.newest_live_key(unit.session, account_id)
    labels = await app_labels(unit, [each.id for each in apps], scope.family)
    return TryForm(apps, labels, opened, app_choice.preferred(apps, opened, capability, last_app), key)


def result_view(capability: str, answer: Mapping[str, Any], language: str = "zh") -> ResultView:
    """The view of an answer of any capability; a refused call or a failed image has a fault only."""
    if answer.get("statusCode") != 0:
        text = str(answer.get("details") or answer.get("message"))
        return ResultView([], [], f"{answer.get('statusCode')} {in_language(text, language)}")
    returned = answer.get("returnObj")
    element = returned[0] if isinstance(returned, list) and returned else returned
    if not isinstance(element, dict):
        return ResultView([], [], "")
    if element.get("err_code"):
        return ResultView([], [], f"{element['err_code']} {in_language(str(element.get('err_msg', '')), language)}")
    known = CAPABILITIES[capability]
    view = known.view(element)
    labelled = [each.name for each in known.fields]
    values = dict(view.fields)
    order = [*(key for key in labelled if key in values), *(key for key in values if key not in labelled)]
    fields = [(known.label(key, language), values[key]) for key in order]
    return ResultView([_placed(each, language) for each in view.marks], fields, "", view.show_crops)


def _placed(mark: Mark, language: str) -> PlacedMark:
    xs, ys = mark.box[0::2], mark.box[1::2]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    left, top = round(min(xs)), round(min(ys))
    confidence = "" if mark.confidence is None else f"{mark.confidence:.1%}"
    kind = ENGLISH_PLATE_TYPES.get(mark.kind or "", mark.kind) if language == "en" else mark.kind
    note = " · ".join(part for part in (kind, confidence) if part)
    return PlacedMark(points, mark.text, note, (left, top, round(max(xs)) - left, round(max(ys)) - top))


@router.get("/try")
async def page(page_request: Customer, capability: str = DEFAULT) -> Response:
    assert page_request.account is not None
    name = capability if capability in CAPABILITIES else DEFAULT
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account)
        model = await view(unit, scope, page_request.account.id, name, app_choice.remembered(page_request))
    return render(
        page_request,
        "try.html",
        model=model,
        name=name,
        capabilities=CAPABILITIES,
        known=CAPABILITIES[name],
        max_bytes=_max_bytes(CAPABILITIES[name]),
        once=_new_token(),
    )


@router.get("/samples/{name}.jpg")
async def sample_image(page_request: Customer, name: str) -> Response:
    if name not in CAPABILITIES:
        raise NotFound
    image = sample(name)
    return Response(image, media_type=media_type(image), headers={"cache-control": "private, max-age=86400"})


@router.post("/try/{name}")
async def call(page_request: Customer, name: str) -> Response:
    """Fragment: send the call and show its result and request. The same form sent again gets the same result."""
    if name not in CAPABILITIES:
        raise NotFound
    known = CAPABILITIES[name]
    image = await _image(page_request, name)
    problem = _image_problem(page_request, known, image)
    if problem:
        return _problem(page_request, problem)
    once = page_request.text("once", TOKEN_LENGTH + 1)
    if len(once) != TOKEN_LENGTH:
        raise Malformed
    app, is_open, keys = await _caller(page_request, known)
    if not is_open:
        text = page_request.translate(
            "应用“{app}”未开通{capability}，没有发出调用。", app=app.name, capability=_title(page_request, known)
        )
        return _problem(page_request, text, _open_app(page_request, app.id))
    if keys is None:
        return _problem(page_request, page_request.translate("没有可用的 AccessKey，请先新建。"))
    assert page_request.signed_in is not None
    fields = [("app", app.id), ("image", hashlib.sha256(image).hexdigest())]
    key = forms.key_of(page_request.signed_in.token_hash, once, f"/try/{name}", fields)
    seconds = page_request.parts.settings.limits.deadline + CALL_OVERHEAD_SECONDS
    work = partial(gateway_client.call, gateway_url(page_request), known, keys, image, seconds)
    try:
        sent_call = await call_once(page_request, key, work, seconds)
    except ResultGone:
        return _problem(page_request, page_request.translate("这次调用已经完成，没有再次发出。"), status=409)
    except forms.Unanswered:
        text = page_request.translate("这次调用已经发出，但没有得到结果，没有再次发出。")
        return _problem(page_request, text, status=409)
    answer = _result(page_request, sent_call, keys, app.id)
    app_choice.remember(page_request, answer, app.id)
    return answer


def _problem(page_request: PageRequest, text: str, step: NextStep | None = None, *, status: int = 422) -> Response:
    return render(page_request, "try_result.html", status, problem=text, sent_call=None, step=step, once=_new_token())


def _result(page_request: PageRequest, sent_call: GatewayCall, keys: CallerKeys, app_id: str) -> Response:
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
        step=_next_step(page_request, sent_call, app_id),
        once=_new_token(),
        answer=json_text(sent_call.answer),
        requests=[
            ("curl", gateway_client.as_curl(sent_call, where)),
            ("Python", gateway_client.as_python(sent_call.capability, keys, where)),
            ("Java", gateway_client.as_java(sent_call.capability, keys, where)),
        ],
    )


def json_text(answer: object) -> str:
    """The answer, indented; coordinates, which are arrays of numbers, in one line each. In a string a line never
    breaks."""
    text = json.dumps(answer, ensure_ascii=False, indent=2)
    return NUMBERS.sub(lambda found: f"[{', '.join(found[1].replace(',', '').split())}]", text)


def _next_step(page_request: PageRequest, sent_call: GatewayCall, app_id: str) -> NextStep | None:
    """Where the user can do something about a refused call."""
    code = (sent_call.answer or {}).get("statusCode")
    if code == NOT_OPENED:
        return _open_app(page_request, app_id)
    name = sent_call.capability.name
    may_buy = page_request.may(Permission.PURCHASES_CHANGE) and name not in FREE_CAPABILITIES
    if code in WITHOUT_UNITS and may_buy and page_request.account and not page_request.account.parent_id:
        return NextStep(f"/buy/{name}", page_request.translate("购买资源包"))
    return None


def _open_app(page_request: PageRequest, app_id: str) -> NextStep | None:
    if not page_request.may(Permission.APPS_CHANGE):
        return None
    return NextStep(f"/apps/{app_id}#open", page_request.translate("去开通"))


def _title(page_request: PageRequest, capability: Capability) -> str:
    return title(capability.name, page_request.translate.language)


def _new_token() -> str:
    """The token of one use of the form."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def _max_bytes(capability: Capability) -> int:
    return min(MAX_IMAGE_BYTES, capability.max_image_bytes)


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


def _image_problem(page_request: PageRequest, capability: Capability, image: bytes) -> str:
    """Why an image is not sent (manual 7.4), or "". The gateway accepts larger images than this page."""
    _ = page_request.translate
    if not image:
        return _("请选择一张图片。")
    if len(image) > _max_bytes(capability):
        return _("图片不能超过 2 MiB。API 接口可接受更大的图片。")
    try:
        check_image(image, capability)
    except ImageFault as problem:
        if problem.fault == "dimensions":
            width, height = image_dimensions(image)
            return _(
                "图片为 {width} × {height} 像素；每边须为 {low}-{high} 像素。",
                width=width,
                height=height,
                low=capability.min_side,
                high=capability.max_side,
            )
        return _("图片已损坏。") if problem.fault == "decode" else _("只支持 jpg、png、bmp 图片。")
    return ""


async def _caller(page_request: PageRequest, capability: Capability) -> tuple[AppRow, bool, CallerKeys | None]:
    """The selected app, whether it has opened the capability, and the keys: the caller's newest live access key with
    the app's; None without an access key. Raises NotFound for an app that is not visible."""
    assert page_request.account is not None
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account)
        app = await visible_app(unit, scope, page_request.text("app"))
        opened = await repository.opened_by(unit.session, [app.id])
        key = await accounts.newest_live_key(unit.session, page_request.account.id)
    is_open = capability.name in opened.get(app.id, ())
    if key is None:
        return app, is_open, None
    secret = page_request.parts.vault.open(key.sealed_secret, key_context(key.ak))
    return app, is_open, CallerKeys(key.ak, secret, app.appkey)
