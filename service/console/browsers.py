"""Names of browsers from the User-Agent header. For display only: a client writes the header as it likes."""

from __future__ import annotations

import re

MAX_UNKNOWN = 60  # characters shown of a header that names no known browser

BROWSERS = (
    ("Edge", r"\bEdgA?/(\d{1,6})"),
    ("Opera", r"\bOPR/(\d{1,6})"),
    ("WeChat", r"\bMicroMessenger/(\d{1,6})"),
    ("QQ", r"\bM?QQBrowser/(\d{1,6})"),
    ("Huawei", r"\bHuaweiBrowser/(\d{1,6})"),
    ("UC", r"\bUCBrowser/(\d{1,6})"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/(\d{1,6})"),
    ("Chrome", r"\b(?:Headless)?(?:Chrome|CriOS)/(\d{1,6})"),
    ("Safari", r"\bVersion/(\d{1,6})\S* (?:Mobile/\S+ )?Safari/"),
)
"""Name and pattern of the major version, those that imitate others first."""

SYSTEMS = (
    ("HarmonyOS", r"\b(?:HarmonyOS|OpenHarmony)\b"),
    ("Android", r"\bAndroid\b"),
    ("iOS", r"\b(?:iPhone|iPad)\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac OS X\b"),
    ("Linux", r"\bLinux\b"),
)


def browser_name(header: str) -> str:
    """`Chrome 140 · Windows`; the beginning of a header of another form; "–" for none."""
    named = ((name, re.search(pattern, header)) for name, pattern in BROWSERS)
    found = next((f"{name} {version[1]}" for name, version in named if version), "")
    if not found:
        return header[:MAX_UNKNOWN] or "–"
    system = next((name for name, pattern in SYSTEMS if re.search(pattern, header)), "")
    return f"{found} · {system}" if system else found
