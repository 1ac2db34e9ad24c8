"""Names of roles and permissions in the language of a page."""

from __future__ import annotations

from inkgate.service.permissions.permission import TITLES as PERMISSION_TITLES
from inkgate.service.permissions.permission import Permission
from inkgate.service.permissions.roles import TITLES as ROLE_TITLES
from inkgate.service.permissions.roles import Role


def role(held: Role | None, language: str) -> str:
    """The name of a role in "zh" or "en"; "–" without one."""
    return ROLE_TITLES[held][language == "en"] if held is not None else "–"


def permission(wanted: Permission, language: str) -> str:
    """The name of a permission in "zh" or "en"."""
    return PERMISSION_TITLES[wanted][language == "en"]
