"""Enforces the table of permissions: every route of the console asks here before its page function runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from inkgate.service.console import forms
from inkgate.service.console.page_errors import Forbidden, PasswordChangeRequired, SecondFactorRequired, SignInRequired
from inkgate.service.console.page_request import PageRequest, any_request
from inkgate.service.permissions.permission import Permission
from inkgate.service.permissions.routes import CONSOLE


async def enforce(request: Request, page_request: Annotated[PageRequest, Depends(any_request)]) -> None:
    """Check the permission, then claim the form, so that a repeat gets the answer of the first one."""
    _check(request, page_request)
    if request.method == "POST":
        await forms.claim(page_request)


def _check(request: Request, page_request: PageRequest) -> None:
    """Raises SignInRequired, PasswordChangeRequired, SecondFactorRequired or Forbidden unless the user may go on.

    A route that the table does not have is refused to everybody. The handler of Forbidden writes it to the audit trail.
    """
    permission = CONSOLE.get((request.method, request.scope["route"].path))
    if permission is None:
        raise Forbidden
    if permission is Permission.ANYONE:
        return
    if page_request.signed_in is None:
        raise SignInRequired
    if permission is Permission.SELF:
        return
    if page_request.must_change_password:
        raise PasswordChangeRequired
    if page_request.must_set_up_factor:
        raise SecondFactorRequired
    if not page_request.may(permission):
        raise Forbidden(permission)
