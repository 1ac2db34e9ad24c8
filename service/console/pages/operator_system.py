"""Operator page: the effective settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from markupsafe import Markup, escape
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from inkgate.service.console.page_request import Operator
from inkgate.service.console.render import render, size
from inkgate.service.console.setting_texts import group_title, meaning
from inkgate.service.console.translations import Translator
from inkgate.service.settings import Settings, without_passwords

router = APIRouter(prefix="/operator")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: the name in the environment, the value, whether it differs from the default, what it means."""

    name: str
    value: str
    changed: bool
    about: Markup


@router.get("/settings")
async def settings_page(page_request: Operator) -> Response:
    groups = settings_view(page_request.parts.settings, page_request.translate)
    return render(page_request, "operator_settings.html", groups=groups)


def settings_view(settings: Settings, translate: Translator) -> list[tuple[str, list[Setting]]]:
    """The title of each group of settings, with its settings."""
    return [
        (group_title(name, translate.language), list(_group(name, getattr(settings, name), translate)))
        for name in type(settings).model_fields
    ]


def _group(group: str, values: BaseModel, translate: Translator) -> Iterator[Setting]:
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        about = with_code(meaning(group, name, field.description or "", translate.language))
        text = size(value) if name.endswith("_bytes") and isinstance(value, int) else shown(value, translate)
        yield Setting(f"INKGATE_{group}__{name}".upper(), text, value != field.default, about)


def with_code(text: str) -> Markup:
    """HTML of a text in which backticks enclose code."""
    texts = enumerate(re.split(r"`([^`]*)`", text))  # odd ones stood between backticks
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in texts)


def shown(value: object, translate: Translator) -> str:
    """A setting as text, with secrets and passwords in URLs masked."""
    if isinstance(value, bool):
        return translate("是") if value else translate("否")
    if value is None or value in ("", (), {}):
        return "–"
    if isinstance(value, SecretStr):
        return "••••••"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {shown(each, translate)}" for key, each in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(shown(each, translate) for each in value)
    return without_passwords(str(value))
