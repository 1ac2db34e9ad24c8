"""The table of permissions has every page, request and command that exists, and no other; roles divide the work."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import click
import pytest
import typer.main
from fastapi.routing import APIRoute

from inkgate.service.admin import access, tokens
from inkgate.service.admin.app import ROUTERS
from inkgate.service.cli import app as command_line
from inkgate.service.console.pages import PAGES
from inkgate.service.permissions import (
    CUSTOMER_ROLES,
    OPERATOR_ROLES,
    ROLES,
    SEPARATE_ROLES,
    Permission,
    Role,
    permissions_of,
    role_of,
    roles,
)
from inkgate.service.permissions import permission as names
from inkgate.service.permissions.commands import COMMANDS
from inkgate.service.permissions.routes import ADMIN, CONSOLE, SCOPES, permissions_of_scopes


def routes_of(routers: tuple) -> Iterator[tuple[str, APIRoute]]:  # type: ignore[type-arg]
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield from ((method, route) for method in sorted(route.methods))


def commands_of(command: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command of the real command line, as it is typed."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path)
        return
    if path and getattr(command, "invoke_without_command", False):  # a group that is a command by itself, as `audit`
        yield " ".join(path)
    context = click.Context(click.Command("inkgate"))
    for name in command.list_commands(context):
        yield from commands_of(command.get_command(context, name), (*path, name))


def test_every_page_has_a_permission_and_every_entry_a_page() -> None:
    assert {(method, route.path) for method, route in routes_of(PAGES)} == set(CONSOLE)


def test_every_admin_request_has_a_permission_and_every_entry_a_request() -> None:
    assert {(method, route.path) for method, route in routes_of(ROUTERS)} == set(ADMIN)


def test_every_command_has_a_permission_and_every_entry_a_command() -> None:
    assert sorted(commands_of(typer.main.get_command(command_line))) == sorted(COMMANDS)


def test_the_scope_that_a_request_declares_has_its_permission() -> None:
    for method, route in routes_of(ROUTERS):
        scopes = [
            each.call._scope for each in route.dependant.dependencies if isinstance(each.call, access.RequireScope)
        ]
        assert len(scopes) == 1, route.path
        assert ADMIN[method, route.path] in SCOPES[scopes[0]], (method, route.path)


def test_a_customers_page_needs_a_customers_permission_and_an_operators_one_of_an_operator() -> None:
    customers = frozenset().union(*(ROLES[each] for each in CUSTOMER_ROLES))
    operators = frozenset().union(*(ROLES[each] for each in OPERATOR_ROLES))
    assert not customers & operators
    for (_, path), permission in CONSOLE.items():
        if permission not in names.OPEN:
            assert permission in (operators if path.startswith("/operator") else customers), path
    for permission in ADMIN.values():
        assert permission in operators


def test_no_two_separate_roles_can_do_each_others_work() -> None:
    for first, second in combinations(SEPARATE_ROLES, 2):
        shared = {each for each in ROLES[first] & ROLES[second] if each.changes}
        assert not shared, (first, second)
    assert frozenset().union(*(ROLES[each] for each in SEPARATE_ROLES)) == ROLES[Role.OPERATOR]
    assert [role for role in SEPARATE_ROLES if Permission.AUDIT_SEE in ROLES[role]] == [Role.AUDITOR]


def test_no_role_has_a_permission_to_change_the_trail() -> None:
    assert {each for each in Permission if each.startswith("audit")} == {Permission.AUDIT_SEE}
    assert not any(each.changes for each in ROLES[Role.AUDITOR])


def test_the_all_in_one_operator_may_do_nothing_while_duties_are_separate() -> None:
    assert not permissions_of(Role.OPERATOR, separate=True)
    for role in set(Role) - {Role.OPERATOR}:
        assert permissions_of(role, separate=True) == permissions_of(role, separate=False) == ROLES[role]


def test_every_role_and_permission_has_names_in_both_languages() -> None:
    assert set(names.TITLES) == set(Permission) and set(roles.TITLES) == set(Role) == set(ROLES)
    assert all(zh and en for zh, en in [*names.TITLES.values(), *roles.TITLES.values()])


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", ["operator", "customer", "", "root"])
def test_a_role_counts_for_its_kind_of_user_only(kind: str, role: Role) -> None:
    fits = role in {"operator": OPERATOR_ROLES, "customer": CUSTOMER_ROLES}.get(kind, ())
    assert role_of(kind, role.value) is (role if fits else None)


def test_users_from_before_there_were_roles_keep_what_they_could_do() -> None:
    assert role_of("operator", None) is Role.OPERATOR and role_of("customer", None) is Role.OWNER
    assert role_of("", None) is None and role_of("operator", "later-release") is None
    assert permissions_of(None, separate=False) == frozenset()


@pytest.mark.parametrize(
    ("scopes", "several"),
    [
        ({"accounts:write", "orders:write", "usage:read"}, False),
        ({"audit:read", "usage:read"}, False),
        ({"orders:read", "audit:read"}, False),
        ({"orders.decide", "audit:read"}, False),  # no such permission: it gives none
        ({"sales.decide", "audit:read"}, True),
        ({"accounts:write", "audit:read"}, True),
    ],
)
def test_a_token_with_the_changes_of_one_duty_and_another_duty_is_recognised(scopes: set[str], several: bool) -> None:
    assert tokens.has_several_duties(permissions_of_scopes(frozenset(scopes))) is several
