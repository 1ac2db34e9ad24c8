"""Names of browsers from User-Agent headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.console.browsers import MAX_UNKNOWN, browser_name

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (f"{WINDOWS} Chrome/140.0.0.0 Safari/537.36", "Chrome 140 · Windows"),
        (f"{WINDOWS} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge 140 · Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox 128 · Linux"),
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Safari 17 · iOS"),
        (f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN", "WeChat 8 · iOS"),
        (
            f"{ANDROID} Chrome/116.0.0.0 Mobile Safari/537.36 XWEB/1160117 MMWEBSDK/2024 MicroMessenger/8.0.50",
            "WeChat 8 · Android",
        ),
        (f"{ANDROID} Chrome/100.0.4896.58 MQQBrowser/14.7 Mobile Safari/537.36", "QQ 14 · Android"),
        (f"{MAC} Version/17.4 Safari/605.1.15", "Safari 17 · macOS"),
        (
            "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0",
            "Chrome 114 · HarmonyOS",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "–"),
    ],
)
def test_a_browser_is_named_with_its_system(header: str, name: str) -> None:
    assert browser_name(header) == name


@given(st.text(max_size=300))
def test_any_header_has_a_short_name(header: str) -> None:
    assert 1 <= len(browser_name(header)) <= MAX_UNKNOWN
