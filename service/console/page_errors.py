"""Why a page is not shown. app.py turns each into its answer."""

from __future__ import annotations

from inkgate.service.permissions import Permission


class SignInRequired(Exception):
    """No user is signed in; redirects to the login page."""


class PasswordChangeRequired(Exception):
    """The password was set by an operator and must be changed first."""


class SecondFactorRequired(Exception):
    """The role of the user requires a second factor, which must be set up first."""


class Forbidden(Exception):
    """The user lacks the permission for this page, or the form token or origin is wrong."""

    def __init__(self, permission: Permission | None = None) -> None:
        super().__init__()
        self.permission = permission


class StaleForm(Exception):
    """The form is of an earlier session of this browser: it expired, or another tab signed in.

    `page` is where the form was. Nothing is executed; the browser keeps what was typed.
    """

    def __init__(self, page: str, *, signed_in: bool) -> None:
        super().__init__()
        self.page, self.signed_in = page, signed_in


class NotFound(Exception):
    """The object does not exist or belongs to another account; the answer does not distinguish the two."""


class Malformed(Exception):
    """The address or the form has a value that no page of the console sends."""
