"""ASGI middleware for repeated headers, by the table of `service/contract/headers.py`."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from inkgate.service.contract.headers import Surface, merge_repeats, refused_repeats


class RepeatedHeaderMiddleware:
    """Merges repeated header lines; answers 400 to those that `surface` refuses."""

    def __init__(self, app: ASGIApp, surface: Surface) -> None:
        self._app, self._surface = app, surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if names := refused_repeats(scope["headers"], self._surface):
                refusal = PlainTextResponse(f"The header {names[0]} came more than once.\n", 400)
                await refusal(scope, receive, send)
                return
            scope = {**scope, "headers": merge_repeats(scope["headers"])}
        await self._app(scope, receive, send)
