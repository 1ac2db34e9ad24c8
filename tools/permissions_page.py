"""Builds docs/reference/permissions.md: the roles, and the permission of every page, request and command."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from inkgate.service.permissions import CUSTOMER_ROLES, OPERATOR_ROLES, ROLES, Permission, Role
from inkgate.service.permissions.commands import COMMANDS
from inkgate.service.permissions.permission import OPEN
from inkgate.service.permissions.permission import TITLES as PERMISSIONS
from inkgate.service.permissions.roles import TITLES as ROLE_TITLES
from inkgate.service.permissions.routes import ADMIN, CONSOLE, SCOPES, Route

Table = Callable[[tuple[str, ...], list[tuple[object, ...]]], str]

_HEAD = """---
language: zh en
---

# 角色与权限 · Roles and permissions
"""
_ABOUT = """
一个用户只有一个角色，角色拥有权限，每个页面、每个管理接口请求、每条命令需要一种权限。三者都取自同一张表（`service/permissions`）：程序按它放行，
测试逐一请求每个角色与每个页面，本页由它生成。拒绝以文字说明缺少的权限，并记入操作审计。
命令不受此约束：能以服务的设置运行 `inkgate` 的人可以读数据库与主密钥；表中只说明命令属于谁的工作，其改动以 `cli:用户` 记入审计。

A user has one role, a role holds permissions, and every page, request of the admin API and command needs one permission. All of it is in one table
(`service/permissions`): the service admits by it, tests ask for every page with every role, and this page is made from it. A refusal names the missing
permission in words and is written to the audit trail. Commands are not bound by it: a user of the host who runs `inkgate` with the settings can read its
database and master key. For them the table says whose work a command is; their changes are in the trail as `cli:USER`.
"""
_SEPARATE = """
## 三员分立 · Separate duties

`INKGATE_ACCESS__SEPARATE_DUTIES=true` 之后，拥有全部权限的运营人员不能再操作，工作分给三个角色，各自能改动的内容互不重叠；
没有任何权限可以改动审计记录，只有审计员能查看。
启用前先建立安全管理员：`inkgate user create 登录名 --role security`，由其建立另外两员。管理接口的令牌也不能同时具有系统管理与审计的权限。

With `INKGATE_ACCESS__SEPARATE_DUTIES=true` the operator who may do everything may do nothing, and the work is divided between three roles whose changes
do not overlap. No permission changes the audit trail, and only the auditor sees it. Make a security administrator first, who makes the other two:
`inkgate user create LOGIN --role security`. Nor may a token of the admin API have permissions of system administration and of the audit together.
"""


def permissions_page(generated_note: str, table: Table) -> str:
    """The page."""
    return "\n".join(
        [
            _HEAD,
            generated_note,
            _ABOUT.strip(),
            "",
            "## 运营人员的角色 · Roles of operators\n",
            _roles(table, OPERATOR_ROLES),
            "## 客户的角色 · Roles of customers\n",
            _roles(table, CUSTOMER_ROLES),
            _SEPARATE.strip(),
            "",
            "## 控制台页面 · Pages of the console\n",
            _routes(table, CONSOLE),
            "## 管理接口 · Admin API\n",
            "令牌的权限组，也可以直接写单项权限 · Scopes of a token, which may name single permissions too:\n",
            table(
                ("权限组 / Scope", "权限 / Permissions"),
                [(f"`{scope}`", _codes(held)) for scope, held in SCOPES.items()],
            ),
            _routes(table, ADMIN),
            "## 命令 · Commands\n",
            table(
                ("命令 / Command", "权限 / Permission"),
                [(f"`inkgate {name}`", f"`{permission.value}`") for name, permission in COMMANDS.items()],
            ),
        ]
    )


def _roles(table: Table, roles: tuple[Role, ...]) -> str:
    """Permissions as rows, roles as columns."""
    held = [each for each in Permission if any(each in ROLES[role] for role in roles)]
    head = ("权限 / Permission", "", *(f"{ROLE_TITLES[role][0]} `{role.value}`" for role in roles))
    return table(
        head,
        [
            (
                f"`{each.value}`",
                " · ".join(PERMISSIONS[each]),
                *("✓" if each in ROLES[role] else "" for role in roles),
            )
            for each in held
        ],
    )


def _routes(table: Table, routes: Mapping[Route, Permission]) -> str:
    rows: list[tuple[object, ...]] = []
    for (method, path), permission in routes.items():
        shown = " · ".join(PERMISSIONS[permission]) if permission in OPEN else ""
        rows.append((f"`{method} {path}`", f"`{permission.value}`", shown))
    return table(("请求 / Request", "权限 / Permission", ""), rows)


def _codes(permissions: frozenset[Permission]) -> str:
    return ", ".join(f"`{each.value}`" for each in sorted(permissions))
