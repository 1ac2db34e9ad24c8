"""The roles and the permissions that each of them holds.

A user has one role, so no user holds two. `Role.OPERATOR` may do everything that an operator can; with separate
duties (三员分立) it may do nothing, and the work is divided between three roles whose changes do not overlap. No
permission changes the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from inkgate.service.permissions.permission import Permission as P

CUSTOMER_KIND = "customer"
OPERATOR_KIND = "operator"


class Role(StrEnum):
    """The role of a user; the value is stored in `console_user.duty`."""

    OPERATOR = "operator"
    SYSTEM = "system"
    SECURITY = "security"
    AUDITOR = "auditor"
    OWNER = "owner"
    FINANCE = "finance"
    DEVELOPER = "developer"
    VIEWER = "viewer"


OPERATOR_ROLES = (Role.OPERATOR, Role.SYSTEM, Role.SECURITY, Role.AUDITOR)
SEPARATE_ROLES = (Role.SYSTEM, Role.SECURITY, Role.AUDITOR)
CUSTOMER_ROLES = (Role.OWNER, Role.FINANCE, Role.DEVELOPER, Role.VIEWER)

_SYSTEM = frozenset(
    {
        P.ACCOUNTS_SEE,
        P.ACCOUNTS_CHANGE,
        P.ACCOUNTS_KEYS,
        P.ACCOUNTS_IMPORT,
        P.SALES_SEE,
        P.SALES_DECIDE,
        P.SALES_PLACE,
        P.CATALOGUE_CHANGE,
        P.PACKS_GRANT,
        P.VOUCHERS_ISSUE,
        P.BALANCES_CHANGE,
        P.STATISTICS_SEE,
        P.TAKEOVER_SEE,
        P.TAKEOVER_CHANGE,
        P.LEDGER_SEE,
        P.WORKERS_SEE,
        P.NOTICES_SEE,
        P.NOTICES_CHANGE,
        P.SETTINGS_SEE,
    }
)
_SECURITY = frozenset({P.ACCOUNTS_SEE, P.USERS_SEE, P.USERS_CHANGE, P.TOKENS_CHANGE, P.SETTINGS_SEE})
_AUDITOR = frozenset({P.AUDIT_SEE, P.LEDGER_SEE, P.STATISTICS_SEE, P.USERS_SEE, P.SETTINGS_SEE})
_VIEWER = frozenset({P.USAGE_SEE, P.APPS_SEE, P.PURCHASES_SEE})
_FINANCE = frozenset({P.USAGE_SEE, P.PURCHASES_SEE, P.PURCHASES_CHANGE})
_DEVELOPER = frozenset({P.USAGE_SEE, P.APPS_SEE, P.APPS_CHANGE, P.APPS_SECRET, P.KEYS_SEE, P.KEYS_CHANGE, P.CALLS_TRY})

ROLES: Mapping[Role, frozenset[P]] = {
    Role.OPERATOR: _SYSTEM | _SECURITY | _AUDITOR,
    Role.SYSTEM: _SYSTEM,
    Role.SECURITY: _SECURITY,
    Role.AUDITOR: _AUDITOR,
    Role.OWNER: _VIEWER | _FINANCE | _DEVELOPER | {P.MEMBERS_CHANGE},
    Role.FINANCE: _FINANCE,
    Role.DEVELOPER: _DEVELOPER,
    Role.VIEWER: _VIEWER,
}

TITLES: Mapping[Role, tuple[str, str]] = {
    Role.OPERATOR: ("运营人员（全部权限）", "operator (full access)"),
    Role.SYSTEM: ("系统管理员", "system administrator"),
    Role.SECURITY: ("安全管理员", "security administrator"),
    Role.AUDITOR: ("审计员", "auditor"),
    Role.OWNER: ("所有者", "owner"),
    Role.FINANCE: ("财务", "finance"),
    Role.DEVELOPER: ("开发者", "developer"),
    Role.VIEWER: ("只读", "viewer"),
}
"""Role → Chinese and English name."""


def role_of(kind: str, duty: str | None) -> Role | None:
    """The role of a user by the stored columns `role` (`kind`) and `duty`; None, which may do nothing, when they do
    not fit. Users from before there were roles have no duty, and keep everything that their kind may do."""
    roles = OPERATOR_ROLES if kind == OPERATOR_KIND else CUSTOMER_ROLES if kind == CUSTOMER_KIND else ()
    if duty is None:
        return roles[0] if roles else None
    return next((role for role in roles if role.value == duty), None)


def permissions_of(role: Role | None, *, separate: bool) -> frozenset[P]:
    """What a role may do. `separate`: the duties of operators are separate, so that the all-in-one role has none."""
    if role is None or (separate and role is Role.OPERATOR):
        return frozenset()
    return ROLES[role]


def duties_of(permissions: frozenset[P]) -> frozenset[Role]:
    """The separate roles without which some of these permissions could not change what they change."""
    return frozenset(role for role in SEPARATE_ROLES for each in permissions if each.changes and each in ROLES[role])
