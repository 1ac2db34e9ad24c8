"""Static files, read once and compressed. Their paths contain a digest of the content: browsers cache them for good."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
YEAR = "public, max-age=31536000, immutable"
SHEETS = ("base", "frame", "parts", "figures", "dialogs", "try", "shop", "phone", "print")
"""The files of static/css in the order of the cascade; a page loads them as one file, console.css."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, plain and gzip-compressed."""

    content_type: str
    plain: bytes
    packed: bytes
    digest: str


class Assets:
    """The static files by name ("console.css", "vendor/htmx.min.js")."""

    def __init__(self) -> None:
        static = files("inkgate.service.console").joinpath("static")
        sheet = b"".join(static.joinpath("css", f"{name}.css").read_bytes() for name in SHEETS)
        self._files: Mapping[str, Asset] = dict(_read(static, "")) | {"console.css": _asset("console.css", sheet)}

    def path(self, name: str) -> str:
        """The path under /static, with the digest of the content. Raises KeyError."""
        return f"static/{self._files[name].digest}/{name}"

    def answer(self, request: Request, digest: str, name: str) -> Response:
        """The file, or 404 if no file has this name and digest."""
        asset = self._files.get(name)
        if asset is None or asset.digest != digest:
            return Response(status_code=404)
        headers = {"cache-control": YEAR, "vary": "accept-encoding", "content-type": asset.content_type}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.packed, headers={**headers, "content-encoding": "gzip"})
        return Response(asset.plain, headers=headers)


def _read(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _read(entry, f"{prefix}{entry.name}/") if entry.name != "css" else []
        elif entry.name.rpartition(".")[2] in TYPES:
            found.append((prefix + entry.name, _asset(entry.name, entry.read_bytes())))
    return found


def _asset(name: str, plain: bytes) -> Asset:
    digest = hashlib.sha256(plain).hexdigest()[:12]
    return Asset(TYPES[name.rpartition(".")[2]], plain, gzip.compress(plain, 9, mtime=0), digest)
