"""两步验证: a user sets up a second factor, gets recovery codes, and turns it off."""

from __future__ import annotations

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from inkgate.service.console.forms import keep_secret, secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import PageRequest, SignedInRequest
from inkgate.service.console.pages.sign_in import not_proved, password_of, prove, recently_proved
from inkgate.service.console.render import go, render
from inkgate.service.errors import Misuse
from inkgate.service.users import factor, repository, totp

router = APIRouter()
ISSUER = "InkGate"
PAGE = "/second-factor"


@router.get("/second-factor")
async def page(page_request: SignedInRequest) -> Response:
    return await _render(page_request)


@router.post("/second-factor")
async def set_up(page_request: SignedInRequest) -> Response:
    """Without a code: a new key, shown as a QR code. With the code that the app shows: the second factor is on."""
    assert page_request.signed_in is not None
    user, code = page_request.signed_in.user, page_request.text("code", 64)
    if not code and not await _may_begin(page_request):
        return await _render(page_request, problem=not_proved(page_request))
    try:
        async with page_request.begin() as unit:
            if not code:
                await factor.begin(unit, page_request.parts.vault, user.id)
            else:
                codes = await factor.confirm(unit, page_request.parts.vault, user.login, code)
                await keep_secret(unit, page_request, PAGE, "codes", codes=" ".join(codes))
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, PAGE, "codes-made" if code else "")


@router.post("/second-factor/codes")
async def new_codes(page_request: SignedInRequest) -> Response:
    """New recovery codes in place of the old ones, after the password and a code."""
    if not await prove(page_request, password_of(page_request)):
        return await _render(page_request, problem=not_proved(page_request))
    try:
        async with page_request.begin() as unit:
            codes = await factor.renew_recovery_codes(unit, page_request.login)
            await keep_secret(unit, page_request, PAGE, "codes", codes=" ".join(codes))
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, PAGE, "codes-made")


@router.post("/second-factor/remove")
async def remove(page_request: SignedInRequest) -> Response:
    """Turn the second factor off, after the password and a code, unless the role requires it."""
    if page_request.role in page_request.parts.settings.access.second_factor:
        return await _render(page_request, problem=explain(page_request.translate, Misuse("factor.required")))
    if not await prove(page_request, password_of(page_request)):
        return await _render(page_request, problem=not_proved(page_request))
    try:
        async with page_request.begin() as unit:
            await factor.remove(unit, page_request.login)
    except Misuse as problem:
        return await _render(page_request, problem=explain(page_request.translate, problem))
    return go(page_request, PAGE, "factor-removed")


async def _may_begin(page_request: PageRequest) -> bool:
    """Whether the user has just signed in or gives the password: a left browser must not set up another's phone."""
    return await recently_proved(page_request) or await prove(page_request, password_of(page_request))


async def _render(page_request: PageRequest, *, problem: str = "") -> Response:
    assert page_request.signed_in is not None
    async with page_request.reading() as unit:
        user = await repository.user(unit.session, page_request.signed_in.user.id)
        assert user is not None
        left = await repository.count_recovery_codes(unit.session, user.id)
        secrets = await secrets_on(unit, page_request, PAGE) if user.factor_at is not None else []
    key = factor.pending_key(page_request.parts.vault, user)
    fresh = await recently_proved(page_request)
    return render(
        page_request,
        "second_factor.html",
        422 if problem else 200,
        problem=problem,
        since=user.factor_at,
        key=totp.text_of(key) if key and fresh else "",
        qr_code=_qr_code(totp.address_of(key, user.login, ISSUER)) if key and fresh else "",
        secrets=secrets,
        left=left,
        fresh=fresh,
        required=page_request.role in page_request.parts.settings.access.second_factor,
    )


def _qr_code(address: str) -> Markup:
    """The QR code as an SVG element without styles, which the content security policy would refuse. Its size is
    that of the style sheet: one of its own would be cut off on a phone."""
    drawn = segno.make(address, error="m").svg_inline(svgclass="qr", lineclass=None, light="#fff", omitsize=True)
    return Markup(drawn)  # noqa: S704 - drawn by the library from text that it encodes as modules
