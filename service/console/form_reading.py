"""Reads the form of a request within its limits, and checks that a page of this console sent it."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from operator import xor
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from inkgate.service.console.page_errors import Forbidden, StaleForm
from inkgate.service.console.places import KEPT, page_behind

FORM_BYTES = 64 * 1024  # of a form without its file; parsing takes at most 40 ms of the event loop
_FIELDS, _FILES = 100, 1
TOKEN_CHARACTERS = 43  # of a form token: 32 bytes in base64


class _InMemoryFormParser(MultiPartParser):
    """Keeps an upload in memory at any size (the body limit applies), so that images are never written to disk."""

    spool_max_size = 0


async def read_form(request: Request) -> FormData:
    """The form of the request. Raises HTTPException 400 if it is malformed or exceeds the limits."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    bounds = {"max_fields": _FIELDS, "max_part_size": FORM_BYTES}
    try:
        if kind == "multipart/form-data":
            return await _InMemoryFormParser(request.headers, request.stream(), max_files=_FILES, **bounds).parse()
        if kind == "application/x-www-form-urlencoded":
            return await FormParser(request.headers, request.stream(), **bounds).parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    return FormData()


def checked_token(request: Request, form: FormData, expected: str, *, signed_in: bool) -> str:
    """The form token as the form carried it, once it is the `expected` one and the origin is this console.

    Raises Forbidden, and StaleForm for a form that this console showed to an earlier session.
    """
    headers = request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Forbidden
    given = form.get("csrf") or headers.get("x-csrf-token") or ""
    token = _unmask_token(given) if isinstance(given, str) else b""
    if not secrets.compare_digest(token, expected.encode()):
        page = page_behind(request, done=KEPT)
        if page and len(token) == TOKEN_CHARACTERS and _is_same_origin(request):
            raise StaleForm(page, signed_in=signed_in)
        raise Forbidden
    return str(given)


def _is_same_origin(request: Request) -> bool:
    """Whether the browser says that a page of this console sent the form; of a browser that says nothing, False."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    return site == "same-origin" or (origin is not None and urlsplit(origin).netloc == request.headers.get("host"))


def masked_token(token: str) -> str:
    """The form token for a page, masked with a new random pad each time.

    Compressed pages that repeat parts of the address would otherwise leak a constant token through the length of the
    response (BREACH).
    """
    pad = secrets.token_bytes(len(token))
    return urlsafe_b64encode(pad + bytes(map(xor, pad, token.encode()))).decode()


def _unmask_token(given: str) -> bytes:
    try:
        both = urlsafe_b64decode(given.encode())
    except ValueError:
        return b""
    half = len(both) // 2
    return bytes(map(xor, both[:half], both[half:]))
