"""From body bytes to images and faults, in the order that the manual's numbers and CONTRACT section 4 give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inkgate.service.contract.bounded_json import BOM, Buffer, Document, InvalidJson, LongString, loads
from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.images import ImageFault, check_image, decode_base64
from inkgate.service.errors import RequestFault

_ENCODED = "不支持 Content-Encoding，请发送未压缩的请求体 (send the body without Content-Encoding)"


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """The images of one call in the order sent: file bytes, or the name of the fault that image has."""

    images: tuple[bytes | str, ...]

    @property
    def good(self) -> int:
        """How many images go on to a worker."""
        return sum(isinstance(image, bytes) for image in self.images)


def refuse_encoding(capability: Capability, encoding: str) -> None:
    """Raise RequestFault for a body under a Content-Encoding: what it becomes when unpacked has no bound."""
    if encoding.strip().lower() not in ("", "identity"):
        raise RequestFault(capability.name, "json", _ENCODED)


def parse(capability: Capability, body: Buffer) -> list[Any]:
    """The base64 texts of a body, not yet decoded; long ones as places in `body`. Raises RequestFault."""
    if not body or body == BOM:
        raise RequestFault(capability.name, "empty")
    try:
        document = loads(body)
    except InvalidJson as error:
        raise RequestFault(capability.name, "json", error.detail) from None
    if not isinstance(document.value, dict):
        raise RequestFault(capability.name, "object")
    return [_single(document, capability)] if capability.single else _batch(document, capability)


def _batch(document: Document, capability: Capability) -> list[Any]:
    if "data" not in document.value:
        raise RequestFault(capability.name, "missing")
    data = document.value["data"]
    if not isinstance(data, list):
        raise RequestFault(capability.name, "type")
    if not data:
        raise RequestFault(capability.name, "none")
    if len(data) > capability.max_images:
        raise RequestFault(capability.name, "many")
    return [document.resolve(text) for text in data]


def _single(document: Document, capability: Capability) -> str | LongString:
    fields: dict[str, Any] = document.value
    if not {"Action", "ImageData"} <= fields.keys():
        raise RequestFault(capability.name, "missing")
    if len(fields) > 2:
        raise RequestFault(capability.name, "unknown")
    action, image = document.resolve(fields["Action"]), document.resolve(fields["ImageData"])
    if not isinstance(action, str | LongString) or not isinstance(image, str | LongString):
        raise RequestFault(capability.name, "type")
    if action != capability.action:
        raise RequestFault(capability.name, "action")
    if not image:
        raise RequestFault(capability.name, "none")
    return image


def check(capability: Capability, texts: list[Any]) -> ParsedRequest:
    """Decode and check every image. A fault of a single image is the request's: raises RequestFault.

    Takes the texts out of the list one by one: a batch is not in memory as text and as bytes at once.
    """
    texts.reverse()
    images = tuple(_image(texts.pop(), capability) for _ in range(len(texts)))
    if capability.single and isinstance(images[0], str):
        raise RequestFault(capability.name, images[0])
    return ParsedRequest(images)


def _image(text: object, capability: Capability) -> bytes | str:
    try:
        data = decode_base64(text, keep=capability.max_image_bytes)
        check_image(data, capability)
        return data
    except ImageFault as error:
        return error.fault
