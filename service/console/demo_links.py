"""One-time links that sign a browser of this machine in, for `inkgate demo` only.

The routes exist only in a console that was given links; `inkgate serve`, `gateway` and `console` give none.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console.entry import begin_session
from inkgate.service.console.page_request import AnyRequest, NotFound, visit_of
from inkgate.service.console.pages.sign_in import from_this_machine
from inkgate.service.console.parts import lifetime, lock_of
from inkgate.service.users import service as users

VALID_SECONDS = 600
TOKEN_BYTES = 32
LINK = "link"  # how a session began


class DemoLinks:
    """The links of one process. A link is for one user, works once, and VALID_SECONDS long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._issued: dict[bytes, tuple[str, float]] = {}

    def issue(self, login: str) -> str:
        """The path of a new link below the console."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._issued[_hash(token)] = (login, self._clock() + VALID_SECONDS)
        return f"/demo/{token}"

    def take(self, token: str) -> str | None:
        """The login of a link, which is used up by this; None for one that is unknown, used or too old."""
        login, until = self._issued.pop(_hash(token), ("", 0.0))
        return login if login and self._clock() < until else None


def routes(links: DemoLinks) -> APIRouter:
    """The route of the links. It stands outside of the table of permissions, for it is no page of an installation."""
    router = APIRouter()

    @router.get("/demo/{token}")
    async def follow(page_request: AnyRequest, token: str) -> Response:
        """Sign in and go to the overview. 404 for another machine and for a link that is not valid."""
        login = links.take(token) if from_this_machine(page_request) else None
        if login is None:
            raise NotFound
        parts = page_request.parts
        async with page_request.begin() as unit:
            session = await users.sign_in_by_provider(
                unit, login, lifetime(parts), method=LINK, lock=lock_of(parts), visit=visit_of(page_request)
            )
        if session is None:
            raise NotFound
        return await begin_session(page_request, login, session, "/")

    return router


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
