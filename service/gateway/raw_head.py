"""The head of a request as it was received, for calls that are sent on to the cloud.

uvicorn gives headers with names in lower case and the target in parts; its answers begin with a Date of its own.
`RawHeadProtocol` keeps what was received, at the cost of one more list per request: it serves only gateways that may
send calls on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from inkgate.service.gateway.protocol import LimitedHttpProtocol
from inkgate.service.gateway.request_line import RAW_QUERY

EXTENSION = "inkgate.raw_head"  # in scope["extensions"]
RawHeaders = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class RawHead:
    """`target` is path and query as sent, `headers` the lines as sent, without blanks around the values."""

    target: bytes
    headers: RawHeaders = field(repr=False)
    cycle: RequestResponseCycle | None = field(default=None, repr=False)

    def omit_default_headers(self) -> None:
        """Send the answer without the headers that the server adds (Date)."""
        if self.cycle is not None:
            self.cycle.default_headers = []


class RawHeadProtocol(LimitedHttpProtocol):
    """One connection, with the head of each request as received in its scope."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._raw_headers: RawHeaders = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw_headers.append((name, value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        scope = cast(Scope, self.scope)
        target = self._request_line.target or self.url
        if not target.startswith(b"/"):  # absolute form, as sent to a proxy
            target = origin_form(scope)
        scope["extensions"][EXTENSION] = RawHead(target, self._raw_headers, self.cycle)


def raw_head(scope: Scope) -> RawHead:
    """The head of a request. Under another server than RawHeadProtocol the names are in lower case."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found if isinstance(found, RawHead) else RawHead(origin_form(scope), list(scope["headers"]))


def origin_form(scope: Scope) -> bytes:
    """Path and query as they came, from their parts."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("extensions", {}).get(RAW_QUERY, scope["query_string"])
    return path + b"?" + query if query else path
