"""Input shapes for which a runtime that compiles networks compiles them: few, as each takes memory (ADR 0068)."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.engines.runtimes.interface import Shape
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS

_DRAFT_WIDTHS = (160, 224, 288, 384, 512, 704, 896, 1088, 1280, 1472, 1664, 1920)  # pixels
_ACCURATE_WIDTHS = (160, 208, 256, 320, 416, 576, 832, 1152, 1440, 1728)  # most are parts of lines
_WHOLE_WIDTHS = (160, 224, 288, 384, 512, 704, 896, 1088, 1280, 1472, 1664, 1920)


def _lines(widths: tuple[int, ...]) -> tuple[Shape, ...]:
    return tuple((1, 3, LINE_HEIGHT_PIXELS, width) for width in widths)


@dataclass(frozen=True, slots=True)
class CompiledShapes:
    """The shapes of a profile's two recognisers. Its page detector stays in float32 on ONNX Runtime (ADR 0068)."""

    draft_lines: tuple[Shape, ...] = ()
    accurate_lines: tuple[Shape, ...] = ()


NO_SHAPES = CompiledShapes()
CASCADE = CompiledShapes(
    draft_lines=_lines(_DRAFT_WIDTHS),
    accurate_lines=_lines(_ACCURATE_WIDTHS),
)
WHOLE_LINES = CompiledShapes(accurate_lines=_lines(_WHOLE_WIDTHS))
