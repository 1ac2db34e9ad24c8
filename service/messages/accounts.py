"""Messages about accounts, access keys, apps and capabilities."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.messages.message import Kind, Message

MESSAGES: Mapping[str, Message] = {
    "account.not_found": Message(
        Kind.NOT_FOUND,
        "no account {account_id}",
        "没有账号 {account_id}。",
    ),
    "account.name_taken": Message(
        Kind.CONFLICT,
        "there is an account {name!r} already",
        "账号“{name}”已存在。",
    ),
    "account.name_invalid": Message(
        Kind.INVALID,
        "an account name has 1 to {most} printable characters",
        "账号名称须为 1-{most} 个可见字符。",
    ),
    "account.parent_invalid": Message(
        Kind.INVALID,
        "a sub-account belongs to an existing main account",
        "子账号须属于一个主账号。",
    ),
    "account.suspended": Message(
        Kind.CONFLICT,
        "account {name!r} is suspended; it cannot order until the operator resumes it",
        "账号“{name}”已停用，恢复之前不能下单，请联系运营人员。",
    ),
    "key.not_found": Message(
        Kind.NOT_FOUND,
        "no AccessKey {ak}",
        "没有 AccessKey {ak}。",
    ),
    "key.limit": Message(
        Kind.LIMIT,
        "an account holds at most {most} valid AccessKeys; disable one first",
        "每个账号最多 {most} 个有效 AccessKey，请先禁用一个。",
    ),
    "app.not_found": Message(
        Kind.NOT_FOUND,
        "no app {app_id}",
        "没有应用 {app_id}。",
    ),
    "app.not_in_account": Message(
        Kind.NOT_FOUND,
        "no app {app_id} in account {account!r}",
        "账号“{account}”没有应用 {app_id}。",
    ),
    "app.name_taken": Message(
        Kind.CONFLICT,
        "the account has an app {name!r} already; names are unique within an account",
        "账号中已有应用“{name}”，同一账号内名称不能重复。",
    ),
    "app.name_ambiguous": Message(
        Kind.CONFLICT,
        "{count} apps are named {name!r}; give the AppKey of one: {apps}",
        "有 {count} 个应用名为“{name}”，请改用其中一个的 AppKey：{apps}",
    ),
    "app.name_invalid": Message(
        Kind.INVALID,
        "“{name}” is not a valid app name: use 4–15 Chinese characters, Latin letters, digits and underscores, "
        "beginning with a letter or a Chinese character",
        "应用名称“{name}”不符合规则：4-15 个字符，支持汉字、英文字母、数字、下划线，须以字母或汉字开头。",
    ),
    "app.description_too_long": Message(
        Kind.INVALID,
        "an app description has at most {most} characters",
        "内容不超过 {most} 个字符。",
    ),
    "app.description_unstorable": Message(
        Kind.INVALID,
        "an app description has characters that cannot be stored",
        "有内容含无法保存的字符。",
    ),
    "app.limit": Message(
        Kind.LIMIT,
        "an account holds at most {most} apps; delete one first",
        "每个账号最多 {most} 个应用，请先删除不用的应用。",
    ),
    "app.capability_not_opened": Message(
        Kind.CONFLICT,
        "{capability} is not enabled in the app {app!r}",
        "应用“{app}”未开通能力 {capability}。",
    ),
    "capability.unknown": Message(
        Kind.INVALID,
        "no capability {capability!r}; choose from {choices}",
        "没有能力“{capability}”，可选：{choices}。",
    ),
    "network.invalid": Message(
        Kind.INVALID,
        "{network!r} is neither an address nor a network, such as 192.0.2.0/24",
        "“{network}”不是 IP 地址或网段，例如 192.0.2.0/24。",
    ),
    "network.limit": Message(
        Kind.LIMIT,
        "an allow-list holds at most {most} networks",
        "白名单最多 {most} 条。",
    ),
    "qps.out_of_range": Message(
        Kind.INVALID,
        "requests per second must be above 0 and at most {most:g}",
        "QPS 须大于 0。",
        english_only=("most",),
    ),
}
