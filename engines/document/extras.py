"""Extras of a document beyond the contract: boxes and confidence of fields, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import cv2
import numpy as np

from inkgate.engines.document.geometry import rotate_back
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.types import Image

_MIN_SATURATION = 12.0  # mean saturation below which an image is a photocopy or has no colour
_EDGE_SHARE = 0.004  # share of the longer side: text nearer to the edge may be cut off
_MIN_LAPLACIAN_VARIANCE = 25.0  # variance of the Laplacian, at 1000 pixels, below which text is blurred


class FieldExtras(TypedDict):
    """One field: the lowest score of its strips, 0..1, and a quadrilateral for each segment."""

    confidence: float
    boxes: list[list[list[float]]]


def field_extras(sources: Mapping[str, Sequence[TextSegment]], angle: int, image: Image) -> dict[str, FieldExtras]:
    """Per field its confidence (the lowest of its strips, 0..1) and boxes in pixels of the source image `image`,
    one quadrilateral for each segment, corners clockwise from the text's top left."""
    height, width = image.shape[:2]
    return {
        key: {
            "confidence": round(min(p.strip.score for p in segments), 4),
            "boxes": [
                [[round(v, 1) for v in rotate_back(corner, angle, width, height)] for corner in p.quad]
                for p in segments
            ],
        }
        for key, segments in sources.items()
        if segments and not key.startswith("_")
    }


def border_warnings(fields: Mapping[str, FieldExtras], image: Image) -> list[str]:
    """ "incomplete_border" where a field of `field_extras` touches the edge of the image and may be cut off."""
    height, width = image.shape[:2]
    margin = _EDGE_SHARE * max(height, width)
    corners = np.array([box for field in fields.values() for box in field["boxes"]], np.float64).reshape(-1, 2)
    inside = (corners > margin) & (corners < np.array([width, height]) - margin)
    return [] if inside.all() else ["incomplete_border"]


def image_warnings(image: Image) -> list[str]:
    """ "copy" for an image without colour, "blur" for one without sharp edges."""
    scale = 1000 / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    warnings = []
    if float(cv2.cvtColor(small, cv2.COLOR_BGR2HSV)[..., 1].mean()) < _MIN_SATURATION:
        warnings.append("copy")
    if float(np.var(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.CV_64F))) < _MIN_LAPLACIAN_VARIANCE:
        warnings.append("blur")
    return warnings
