"""Roles that the groups of an identity provider or a directory give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, Role
from inkgate.service.permissions.roles import OPERATOR_KIND


@dataclass(frozen=True, slots=True)
class Grant:
    """The roles that the groups of a user give, the first one first; `create` makes an operator who does not exist."""

    roles: tuple[Role, ...]
    create: bool = False

    def role_for(self, kind: str) -> Role | None:
        """The first role that fits an operator or a customer."""
        choices = OPERATOR_ROLES if kind == OPERATOR_KIND else CUSTOMER_ROLES
        return next((role for role in self.roles if role in choices), None)


def grant_of(groups: Iterable[str], roles: Mapping[str, Role], *, create: bool) -> Grant | None:
    """What the groups give by the mapping of the settings, in its order; None without a mapping: then roles are those
    set here. Names of groups are compared whatever their case and the blanks around the commas of a DN."""
    if not roles:
        return None
    held = {_plain(each) for each in groups}
    return Grant(tuple(role for group, role in roles.items() if _plain(group) in held), create)


def _plain(name: str) -> str:
    return ",".join(part.strip() for part in name.split(",")).casefold()
