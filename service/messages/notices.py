"""Messages of notices: channels and thresholds."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "notice.too_many_channels": Message(
        Kind.LIMIT,
        "there are {most} channels already; remove one first",
        "通知通道已达 {most} 个，请先删除一个。",
    ),
    "notice.name_invalid": Message(
        Kind.INVALID,
        "a channel's name has 1 to {most} characters",
        "通道名称为 1 到 {most} 个字符。",
    ),
    "notice.kind_unknown": Message(
        Kind.INVALID,
        "no kind of notice {kind!r}; there are {choices}",
        "没有通知类型“{kind}”，可选：{choices}。",
    ),
    "notice.state_unknown": Message(
        Kind.INVALID,
        "no state {state!r}; there are {choices}",
        "没有状态“{state}”，可选：{choices}。",
    ),
    "notice.channel_ambiguous": Message(
        Kind.INVALID,
        "several channels are called {name!r}; name one by its id: {ids}",
        "有多个通道名为“{name}”，请用编号指定：{ids}。",
    ),
    "notice.language_unknown": Message(
        Kind.INVALID,
        "no language {language!r}; there are zh and en",
        "没有语言“{language}”，可选：zh、en。",
    ),
    "notice.addresses_missing": Message(
        Kind.INVALID,
        "give 1 to {most} e-mail addresses",
        "请填写 1 到 {most} 个邮箱地址。",
    ),
    "notice.address_invalid": Message(
        Kind.INVALID,
        "{address!r} is no e-mail address",
        "“{address}”不是有效的邮箱地址。",
    ),
    "notice.url_invalid": Message(
        Kind.INVALID,
        "give a URL like https://HOST/PATH, without user, password and fragment",
        "请填写形如 https://主机/路径 的地址，不含用户名、密码和 # 部分。",
    ),
    "notice.url_not_https": Message(
        Kind.INVALID,
        "the URL must begin with https://; INKGATE_NOTICES__PLAIN_HTTP allows http://",
        "地址须以 https:// 开头；INKGATE_NOTICES__PLAIN_HTTP 可允许 http://。",
    ),
    "notice.url_host_not_allowed": Message(
        Kind.INVALID,
        "{host!r} is not among the allowed hosts {choices}; the operator sets INKGATE_NOTICES__CUSTOMER_HOSTS",
        "“{host}”不在允许的主机之列：{choices}；由运营方在 INKGATE_NOTICES__CUSTOMER_HOSTS 中设置。",
    ),
    "notice.secret_invalid": Message(
        Kind.INVALID,
        "a secret has at most {most} printable characters",
        "密钥最多 {most} 个可打印字符。",
    ),
    "notice.channel_not_found": Message(
        Kind.NOT_FOUND,
        "there is no such channel",
        "没有这个通知通道。",
    ),
    "notice.channel_paused": Message(
        Kind.CONFLICT,
        "the channel is paused; resume it first",
        "通道已暂停，请先恢复。",
    ),
    "notice.already_so": Message(
        Kind.CONFLICT,
        "the channel is so already",
        "通道已处于该状态。",
    ),
    "notice.test_too_soon": Message(
        Kind.LIMIT,
        "one test per channel every {seconds} seconds",
        "每个通道每 {seconds} 秒只能测试一次。",
    ),
    "notice.not_found": Message(
        Kind.NOT_FOUND,
        "there is no such notice",
        "没有这条通知。",
    ),
    "notice.not_failed": Message(
        Kind.CONFLICT,
        "the notice has not failed, or its channel was removed",
        "该通知并未失败，或其通道已删除。",
    ),
    "notice.percent_out_of_range": Message(
        Kind.INVALID,
        "the share is a whole number from 0 to {most}; 0 switches it off",
        "百分比为 0 到 {most} 的整数，0 表示不提醒。",
    ),
    "notice.days_out_of_range": Message(
        Kind.INVALID,
        "days are a whole number from 0 to {most}; 0 switches it off",
        "天数为 0 到 {most} 的整数，0 表示不提醒。",
    ),
    "notice.sub_account": Message(
        Kind.CONFLICT,
        "packs belong to the main account: set notices there",
        "资源包属于主账号，请在主账号中设置通知。",
    ),
}
