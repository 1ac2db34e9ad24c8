"""Input shapes for which a runtime that compiles networks compiles them: few, as each takes memory (ADR 0068)."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.engines.runtimes.interface import Shape
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS

_DRAFT_WIDTHS = (160, 224, 288, 384, 512, 704, 896, 1088, 1280, 1472, 1664, 1920)  # pixels
_ACCURATE_WIDTHS = (160, 208, 256, 320, 416, 576, 832, 1152, 1440, 1728)  # most are parts of lines
_WHOLE_WIDTHS = (160, 224, 288, 384, 512, 704, 896, 1088, 1280, 1472, 1664, 1920)

# (height, width) in pixels. Large images are reduced to the area of 1600 x 1200 (DetectOptions), small ones enlarged to
# a short side of 736, so that common formats fall into few sizes.
_PAGES = (
    (1024, 768),  # 4:3 and A4, small
    (768, 1024),
    (1696, 1216),  # 4:3, A4 and 3:2, large
    (1216, 1696),
    (736, 1312),  # 16:9, small
    (1312, 736),
    (1024, 1856),  # 16:9, large
    (1856, 1024),
    (1280, 992),  # between them
    (992, 1280),
    (2048, 928),  # screenshots of telephones
)


def _lines(widths: tuple[int, ...]) -> tuple[Shape, ...]:
    return tuple((1, 3, LINE_HEIGHT_PIXELS, width) for width in widths)


@dataclass(frozen=True, slots=True)
class CompiledShapes:
    """The shapes of a profile's networks: the detector of pages, and the two recognisers."""

    pages: tuple[Shape, ...] = ()
    draft_lines: tuple[Shape, ...] = ()
    accurate_lines: tuple[Shape, ...] = ()


NO_SHAPES = CompiledShapes()
CASCADE = CompiledShapes(
    pages=tuple((1, 3, height, width) for height, width in _PAGES),
    draft_lines=_lines(_DRAFT_WIDTHS),
    accurate_lines=_lines(_ACCURATE_WIDTHS),
)
WHOLE_LINES = CompiledShapes(pages=CASCADE.pages, accurate_lines=_lines(_WHOLE_WIDTHS))
