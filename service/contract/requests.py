"""From body bytes to images and faults, in the order that the manual's numbers and CONTRACT section 4 give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from service.contract.capabilities import Capability
from service.contract.images import ImageFault, check_image, decode_base64
from service.errors import RequestFault

ACTION = "BusinessCardOCR"


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """The images of one call in the order sent: file bytes, or the name of the fault that image has."""

    images: tuple[bytes | str, ...]

    @property
    def good(self) -> int:
        """How many images go on to a worker."""
        return sum(isinstance(image, bytes) for image in self.images)


def parse(capability: Capability, body: bytes | bytearray) -> list[Any]:
    """The base64 texts of a body, not yet decoded. Raises RequestFault."""
    if not body:
        raise RequestFault(capability.name, "empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestFault(capability.name, "json") from None
    if not isinstance(document, dict):
        raise RequestFault(capability.name, "object")
    return [_single(document, capability)] if capability.single else _batch(document, capability)


def _batch(document: dict[str, Any], capability: Capability) -> list[Any]:
    if "data" not in document:
        raise RequestFault(capability.name, "missing")
    data = document["data"]
    if not isinstance(data, list):
        raise RequestFault(capability.name, "type")
    if not data:
        raise RequestFault(capability.name, "none")
    if len(data) > capability.max_images:
        raise RequestFault(capability.name, "many")
    return data


def _single(document: dict[str, Any], capability: Capability) -> str:
    if not {"Action", "ImageData"} <= document.keys():
        raise RequestFault(capability.name, "missing")
    if len(document) > 2:
        raise RequestFault(capability.name, "unknown")
    action, image = document["Action"], document["ImageData"]
    if not isinstance(action, str) or not isinstance(image, str):
        raise RequestFault(capability.name, "type")
    if action != ACTION:
        raise RequestFault(capability.name, "action")
    if not image:
        raise RequestFault(capability.name, "none")
    return image


def check(capability: Capability, texts: list[Any]) -> ParsedRequest:
    """Decode and check every image. For the licence the first fault is the request's: raises RequestFault.

    Takes the texts out of the list one by one: a batch is not in memory as text and as bytes at once.
    """
    texts.reverse()
    images = tuple(_image(texts.pop(), capability) for _ in range(len(texts)))
    if capability.single and isinstance(images[0], str):
        raise RequestFault(capability.name, images[0])
    return ParsedRequest(images)


def _image(text: object, capability: Capability) -> bytes | str:
    try:
        data = decode_base64(text)
        check_image(data, capability)
        return data
    except ImageFault as error:
        return error.fault
