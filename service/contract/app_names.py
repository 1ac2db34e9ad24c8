"""The rule for names of apps (manual 4.2)."""

from __future__ import annotations

import re

CJK_RANGES = "\u3400-\u4dbf\u4e00-\u9fff"
APP_NAME = re.compile(rf"[A-Za-z{CJK_RANGES}][A-Za-z0-9_{CJK_RANGES}]{{3,14}}")
"""4-15 characters, 汉字, Latin letters, digits and underscores, beginning with a letter or 汉字."""
