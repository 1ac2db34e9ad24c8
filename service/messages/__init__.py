"""The catalogue of error messages for people: code → kind, English and Chinese template. Pure.

`inkgate.service.errors.Misuse` carries a code of this catalogue and its parameters. The command line and the admin API
print the English text, the console the one of the visitor's language (ADR 0039).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from inkgate.service.messages import (
    accounts,
    admin,
    command,
    importing,
    metering,
    notices,
    orders,
    runtime,
    takeover,
    users,
)
from inkgate.service.messages.message import Kind, Message, Param

__all__ = ["CHINESE", "ENGLISH", "MESSAGES", "Kind", "Message", "Param", "render"]

ENGLISH, CHINESE = "en", "zh"
PARTS = (accounts, importing, orders, metering, users, admin, takeover, notices, command, runtime)

MESSAGES: Mapping[str, Message] = MappingProxyType(
    {code: each for part in PARTS for code, each in part.MESSAGES.items()}
)
"""Code → message. A code is `<noun>.<problem>`; it is stable, since the admin API sends it."""


def render(code: str, params: Mapping[str, Param], language: str) -> str:
    """The text of a message in a language (`ENGLISH`, `CHINESE`; any other is English); sequences are joined by commas.

    Raises KeyError for an unknown code or a missing parameter.
    """
    message = MESSAGES[code]
    template = message.chinese if language == CHINESE else message.english
    return template.format_map({name: _shown(value) for name, value in params.items()})


def _shown(value: Param) -> str | float:
    return ", ".join(value) if isinstance(value, tuple) else value
