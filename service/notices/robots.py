"""Notices through the robots of group chats: 企业微信, 钉钉, 飞书.

Each answers HTTP 200 also when it refuses; the body has the code. Names in Markdown are escaped: a name must not
mention everybody or become a link.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from inkgate.service.notices.kinds import ChannelKind
from inkgate.service.notices.outbound import Outbound
from inkgate.service.notices.outgoing import ChannelConfig, DeliveryFailed, OutgoingNotice
from inkgate.service.notices.texts import plain

WECOM_BYTES = 4096  # of a message of 企业微信, in UTF-8
_MARKUP = str.maketrans(
    {
        "<": "＜",
        ">": "＞",
        "[": "［",
        "]": "］",
        "(": "（",
        ")": "）",
        "*": "＊",
        "`": "｀",
        "_": "＿",
        "#": "＃",
        "@": "＠",
        "\\": "＼",
        "!": "！",
        "|": "｜",
        "~": "～",
        "&": "＆",
    }
)


async def send(
    outbound: Outbound, kind: ChannelKind, config: ChannelConfig, notice: OutgoingNotice, *, customer: bool
) -> None:
    """Post a notice to a robot. Raises DeliveryFailed."""
    url, content = request(kind, config, notice, time.time())
    body = json.dumps(content, ensure_ascii=False).encode()
    status, answer = await outbound.post(url, body, {}, customer=customer)
    if status != 200:
        raise DeliveryFailed(f"the robot answered HTTP {status}")
    _check(answer)


def request(kind: ChannelKind, config: ChannelConfig, notice: OutgoingNotice, now: float) -> tuple[str, dict[str, Any]]:
    """URL and JSON of the request; `now` in seconds since 1970 is signed."""
    if kind is ChannelKind.WECOM:
        return config.url, {"msgtype": "markdown", "markdown": {"content": _cut(markdown(notice), WECOM_BYTES)}}
    if kind is ChannelKind.DINGTALK:
        content = {"title": notice.text.title.translate(_MARKUP), "text": markdown(notice, pause="\n\n")}
        return _dingtalk_url(config, str(round(now * 1000))), {"msgtype": "markdown", "markdown": content}
    language = "zh_cn" if notice.language == "zh" else "en_us"
    paragraphs = [[{"tag": "text", "text": line}] for line in notice.text.lines]
    post = {language: {"title": notice.text.title, "content": paragraphs}}
    signed = _feishu_signature(config.secret, str(int(now))) if config.secret else {}
    return config.url, {**signed, "msg_type": "post", "content": {"post": post}}


def markdown(notice: OutgoingNotice, pause: str = "\n") -> str:
    """A notice as Markdown."""
    title, *lines = (each.translate(_MARKUP) for each in (notice.text.title, *notice.text.lines))
    return pause.join((f"### {title}", *lines))


def _dingtalk_url(config: ChannelConfig, timestamp: str) -> str:
    """The URL with the signature that 钉钉 requires: HMAC-SHA256 of time (ms) and secret, under the secret."""
    if not config.secret:
        return config.url
    mac = hmac.new(config.secret.encode(), f"{timestamp}\n{config.secret}".encode(), hashlib.sha256).digest()
    separator = "&" if "?" in config.url else "?"
    return f"{config.url}{separator}{urlencode({'timestamp': timestamp, 'sign': base64.b64encode(mac).decode()})}"


def _feishu_signature(secret: str, timestamp: str) -> dict[str, str]:
    """The fields of the signature of 飞书: HMAC-SHA256 of nothing, under time (s) and secret."""
    mac = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": base64.b64encode(mac).decode()}


def _check(answer: bytes) -> None:
    """Raise DeliveryFailed unless the body says 0."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        raise DeliveryFailed("the robot's answer is not JSON") from None
    if not isinstance(found, Mapping):
        raise DeliveryFailed("the robot's answer is not a JSON object")
    code = next((found[name] for name in ("errcode", "code", "StatusCode") if name in found), None)
    if code != 0:
        reason = plain(str(found.get("errmsg") or found.get("msg") or found.get("StatusMessage") or ""))[:80]
        raise DeliveryFailed(f"the robot answered {plain(str(code))[:20]} {reason}".rstrip())


def _cut(text: str, size: int) -> str:
    """The beginning of a text, at most `size` bytes of UTF-8."""
    return text.encode()[:size].decode("utf-8", "ignore")
