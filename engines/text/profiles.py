"""Profiles: networks, input size and confidence thresholds, from fast to accurate.

Figures behind the numbers: docs/appendix/text-engine-log.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from inkgate.engines.text.cascade import ConfidenceThresholds
from inkgate.engines.text.compiled_shapes import CASCADE, WHOLE_LINES, CompiledShapes
from inkgate.engines.text.detect import DetectOptions
from inkgate.engines.text.marks import MarkThresholds

_TINY_BOX_THRESHOLD = 0.4  # the tiny detector's published box threshold; the larger ones' is 0.45


@dataclass(frozen=True, slots=True)
class Profile:
    """Model names are those of the manifest. Without `thresholds` the accurate recogniser reads every line whole.

    `cpu_detector` is the detector with its graph rewritten for CPUs. `accurate_int8` is the INT8 file of the accurate
    recogniser, used for pages on CPUs with VNNI. `compiled` names the input shapes for a runtime that compiles
    networks, None where none of this profile's should be.
    `horizontal_scale` is the share of its width at which the cascade reads a line that is not short.
    """

    detector: str
    page: DetectOptions
    accurate_detector: str
    accurate_recogniser: str
    thresholds: ConfidenceThresholds | None
    accurate_int8: str | None = None
    cpu_detector: str | None = None
    compiled: CompiledShapes | None = None
    horizontal_scale: float = 1.0


PROFILES = MappingProxyType(
    {
        "fast": Profile(
            detector="ppocrv6-tiny-det",
            page=DetectOptions(short_side=32, long_side=704, box_threshold=_TINY_BOX_THRESHOLD),
            accurate_detector="ppocrv6-small-det",
            accurate_recogniser="ppocrv6-small-rec",
            thresholds=ConfidenceThresholds(long_line=0.2, short_line=0.4),
            accurate_int8="ppocrv6-small-rec-int8",
            cpu_detector="ppocrv6-tiny-det-cpu",
            horizontal_scale=0.8,
        ),
        "balanced": Profile(
            detector="ppocrv6-tiny-det",
            page=DetectOptions(long_side=1600, box_threshold=_TINY_BOX_THRESHOLD),
            accurate_detector="ppocrv6-small-det",
            accurate_recogniser="ppocrv6-small-rec",
            thresholds=ConfidenceThresholds(long_line=0.8, short_line=0.98, short_line_pixels=360),
            accurate_int8="ppocrv6-small-rec-int8",
            cpu_detector="ppocrv6-tiny-det-cpu",
            compiled=CASCADE,
        ),
        "best": Profile(
            detector="ppocrv6-tiny-det",
            page=DetectOptions(long_side=1600, box_threshold=_TINY_BOX_THRESHOLD),
            accurate_detector="ppocrv6-small-det",
            accurate_recogniser="ppocrv6-small-rec",
            thresholds=None,
            accurate_int8="ppocrv6-small-rec-int8",
            cpu_detector="ppocrv6-tiny-det-cpu",
            compiled=WHOLE_LINES,
        ),
        "accurate": Profile(
            detector="ppocrv6-medium-det",
            page=DetectOptions(),
            accurate_detector="ppocrv6-medium-det",
            accurate_recogniser="ppocrv6-medium-rec",
            thresholds=None,
        ),
    }
)

ACCURATE_MARKS = MarkThresholds()
DRAFT_MARKS = MarkThresholds()  # an inserted mark has low confidence: the accurate recogniser decides
DRAFT_RECOGNISER = "ppocrv6-tiny-rec"
DRAFT_CHARSET = "ppocrv6-tiny-charset"
CHARSET = "ppocrv6-charset"
ORIENTER = "pplcnet-doc-orientation"
BIGRAM_TABLE = "chinese-pairs"
