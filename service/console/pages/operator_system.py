"""Operator page: the effective settings."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from inkgate.service.console.page_request import Operator
from inkgate.service.console.render import render
from inkgate.service.settings import Settings, without_passwords

router = APIRouter(prefix="/operator")


@router.get("/settings")
async def settings_page(page_request: Operator) -> Response:
    return render(page_request, "operator_settings.html", groups=settings_view(page_request.parts.settings))


def settings_view(settings: Settings) -> list[tuple[str, list[tuple[str, str, bool, str]]]]:
    """Each settings group with its (environment name, value, differs from default, description)."""
    return [(name, list(_group(name, getattr(settings, name)))) for name in type(settings).model_fields]


def _group(group: str, values: BaseModel) -> Iterator[tuple[str, str, bool, str]]:
    for name, about in type(values).model_fields.items():
        value = getattr(values, name)
        yield f"INKGATE_{group}__{name}".upper(), shown(value), value != about.default, about.description or ""


def shown(value: object) -> str:
    """A setting as text, with secrets and passwords in URLs masked."""
    if value is None or value == "" or value == ():
        return "–"
    if isinstance(value, SecretStr):
        return "••••••"
    return without_passwords(str(value))
