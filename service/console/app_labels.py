"""Texts that name apps on a page: different for each app, although accounts may use the same name (ADR 0090). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

NONE: Mapping[str, int] = MappingProxyType({})
ID_DIGITS = 8  # of the random end of an id, which distinguishes deleted apps


@dataclass(frozen=True, slots=True)
class NamedApp:
    """An app, live or deleted, with its account."""

    app_id: str
    name: str
    account_id: str
    account_name: str
    deleted: bool


def label(app: NamedApp, home_id: str) -> str:
    """The name, with the end of the id of a deleted app, and with the account unless that is `home_id`.

    No two apps have the same label: names of live apps are unique within an account and hold neither blank nor "#".
    """
    gone = f" #{app.app_id[-ID_DIGITS:]}" if app.deleted else ""
    owner = f" · {app.account_name}" if app.account_id != home_id else ""
    return f"{app.name}{gone}{owner}"


def labels(apps: Iterable[NamedApp], home_id: str, live: Mapping[str, int] = NONE) -> dict[str, str]:
    """App id → label; a name that only one of `apps` has stands alone, unless other live apps have it too.

    `live`: name → number of live apps, whether or not they are among `apps`.
    """
    listed = list(apps)
    count = Counter(each.name for each in listed)
    for name, deleted in Counter(each.name for each in listed if each.deleted).items():
        count[name] = max(count[name], live.get(name, 0) + deleted)
    return {
        each.app_id: label(each, home_id) if max(count[each.name], live.get(each.name, 0)) > 1 else each.name
        for each in listed
    }
