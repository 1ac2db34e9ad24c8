"""Speed against accuracy: which networks read a page, how large it is seen, and when a reading is doubted.

Figures behind the numbers: docs/explanation/performance.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from inkgate.engines.text.cascade import Doubt
from inkgate.engines.text.detect import DetectOptions

_TINY = 0.4  # the tiny detector's published box threshold; the larger ones' is 0.45


@dataclass(frozen=True, slots=True)
class Profile:
    """Names in the manifest. With no `doubt` the careful network reads every line whole.

    `careful_in_bytes` is the careful network in eight bits, which reads pages where the processor multiplies bytes.
    `squeeze` is the share of its width at which the cascade reads a line that is not short.
    """

    detector: str
    page: DetectOptions
    careful_detector: str
    careful: str
    doubt: Doubt | None
    careful_in_bytes: str | None = None
    squeeze: float = 1.0


PROFILES = MappingProxyType(
    {
        "fast": Profile(
            detector="ppocrv6-tiny-det",
            page=DetectOptions(short_side=32, long_side=704, box_threshold=_TINY),
            careful_detector="ppocrv6-small-det",
            careful="ppocrv6-small-rec",
            doubt=Doubt(prose=0.2, short=0.4),
            careful_in_bytes="ppocrv6-small-rec-int8",
            squeeze=0.8,
        ),
        "balanced": Profile(
            detector="ppocrv6-tiny-det",
            page=DetectOptions(long_side=1600, box_threshold=_TINY),
            careful_detector="ppocrv6-small-det",
            careful="ppocrv6-small-rec",
            doubt=Doubt(prose=0.8, short=0.98, short_width=360),
            careful_in_bytes="ppocrv6-small-rec-int8",
        ),
        "accurate": Profile(
            detector="ppocrv6-medium-det",
            page=DetectOptions(),
            careful_detector="ppocrv6-medium-det",
            careful="ppocrv6-medium-rec",
            doubt=None,
        ),
    }
)

QUICK = "ppocrv6-tiny-rec"
QUICK_CHARSET = "ppocrv6-tiny-charset"
CHARSET = "ppocrv6-charset"
ORIENTER = "pplcnet-doc-orientation"
PAIRS = "chinese-pairs"
