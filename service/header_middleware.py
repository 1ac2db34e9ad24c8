"""ASGI middleware for repeated headers, by the table of `service/contract/headers.py`."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from inkgate.service.contract.headers import Surface, one_line_each, repeated


class RepeatedHeaderMiddleware:
    """Joins or drops repeated header lines, and answers 400 to those that `surface` refuses."""

    def __init__(self, app: ASGIApp, surface: Surface) -> None:
        self._app, self._surface = app, surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if names := repeated(scope["headers"], self._surface):
                refusal = PlainTextResponse(f"The header {names[0]} came more than once.\n", 400)
                await refusal(scope, receive, send)
                return
            scope = {**scope, "headers": one_line_each(scope["headers"])}
        await self._app(scope, receive, send)
