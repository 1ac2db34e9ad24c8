"""Messages of the takeover from the cloud."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "takeover.disabled": Message(
        Kind.CONFLICT,
        "INKGATE_TAKEOVER__URL is empty, so no call can be sent to the cloud; set it for every gateway first",
        "INKGATE_TAKEOVER__URL 为空，调用无法转发到云端；请先为所有网关设置。",
    ),
    "takeover.mode_unknown": Message(
        Kind.INVALID,
        "no mode {mode!r}; there are {choices}",
        "没有方式“{mode}”，可选：{choices}。",
    ),
    "takeover.target_unknown": Message(
        Kind.INVALID,
        "no target {target!r}; there are {choices}",
        "没有目标“{target}”，可选：{choices}。",
    ),
    "takeover.percent_invalid": Message(
        Kind.INVALID,
        "a split takes the share answered here, a whole number from 0 to 100",
        "分流须给出在本地处理的比例：0 到 100 的整数。",
    ),
    "takeover.percent_without_split": Message(
        Kind.INVALID,
        "{mode} takes no share; only a split does",
        "{mode} 不带比例，只有 split 带。",
    ),
    "takeover.no_route": Message(
        Kind.NOT_FOUND,
        "there is no such route; see: inkgate takeover status",
        "没有这条路由，请查看：inkgate takeover status",
    ),
    "takeover.limit": Message(
        Kind.LIMIT,
        "there are {most} routes already; forget some first",
        "路由已达 {most} 条，请先删除一些。",
    ),
}
