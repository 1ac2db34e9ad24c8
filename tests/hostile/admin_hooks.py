"""Schemathesis hooks for the admin API: SCHEMATHESIS_HOOKS=tests.hostile.admin_hooks."""

from __future__ import annotations

from typing import Any

import schemathesis

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Asks for an unknown object where a link found none.

    Schemathesis takes path parameters from the lists that it has read, at random. The `account_id` of an audit entry is
    null where the action concerned no account; schemathesis counts the address made of it as a valid one.
    """
    for name, value in (case.path_parameters or {}).items():
        if value is None:
            case.path_parameters[name] = UNKNOWN
