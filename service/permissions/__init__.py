"""Who may do what: permissions, the roles that hold them, and the permission of every page, request and command.

Pure: no I/O, no database, no settings. `permission` has the names, `roles` who holds them, `routes` and `commands`
where they are needed (ADR 0075).
"""

from __future__ import annotations

from inkgate.service.permissions.permission import Permission
from inkgate.service.permissions.roles import (
    CUSTOMER_ROLES,
    OPERATOR_ROLES,
    ROLES,
    SEPARATE_ROLES,
    Role,
    permissions_of,
    role_of,
)

__all__ = [
    "CUSTOMER_ROLES",
    "OPERATOR_ROLES",
    "ROLES",
    "SEPARATE_ROLES",
    "Permission",
    "Role",
    "permissions_of",
    "role_of",
]
