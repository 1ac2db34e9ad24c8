"""Short messages: what was done (shown once, after a form), and why something could not be done."""

from __future__ import annotations

import re

from inkgate.service.console.catalogue import Words
from inkgate.service.console.visit import Visit


def notice(visit: Visit) -> str:
    """The message that `?done=…` names; unknown names show nothing."""
    _ = visit.words
    known = {
        "welcome": _("安装完成，欢迎使用。"),
        "password": _("密码已修改，其他设备上的登录已退出。"),
        "app-deleted": _("应用已删除。"),
        "opened": _("能力已开通。"),
        "allowed": _("IP 白名单已保存。"),
        "qps": _("QPS 已保存。"),
        "key-disabled": _("AccessKey 已禁用。"),
        "key-enabled": _("AccessKey 已启用。"),
        "cancelled": _("订单已取消。"),
        "refund-requested": _("退订申请已提交。"),
        "account-created": _("账号已创建。"),
        "account-suspended": _("账号已停用，其全部调用将被拒绝。"),
        "account-resumed": _("账号已恢复。"),
        "user-disabled": _("用户已停用。"),
        "user-enabled": _("用户已恢复。"),
        "approved": _("已通过。"),
        "rejected": _("已驳回。"),
        "refund-failed": _("退订失败：该资源包已被使用。"),
        "granted": _("资源包已发放。"),
        "price-saved": _("产品已保存。"),
    }
    return known.get(visit.request.query_params.get("done", ""), "")


PROBLEMS: tuple[tuple[str, str], ...] = (
    (
        r"the app name '(?P<name>.*)' does not fit.*",
        "应用名称“{name}”不符合规则：4-15 个字符，支持汉字、英文字母、数字、下划线，须以字母或汉字开头。",
    ),
    (r"there is an app '(?P<name>.*)' already.*", "应用名称“{name}”已被使用，名称全局唯一。"),
    (r".* has at most (?P<n>\d+) characters", "内容不超过 {n} 个字符。"),
    (r"an account holds at most (?P<n>\d+) apps.*", "每个账号最多 {n} 个应用，请先删除不用的应用。"),
    (r"an account holds at most (?P<n>\d+) live access keys.*", "每个账号最多 {n} 个有效 AccessKey，请先禁用一个。"),
    (r"'(?P<text>.*)' is neither an address nor a network.*", "“{text}”不是 IP 地址或网段，例如 192.0.2.0/24。"),
    (r"an allow-list holds at most (?P<n>\d+) networks", "白名单最多 {n} 条。"),
    (r"requests per second must be above 0.*", "QPS 须大于 0。"),
    (r"an account name has 1 to (?P<n>\d+) printable characters", "账号名称须为 1-{n} 个可见字符。"),
    (r"there is an account '(?P<name>.*)' already", "账号“{name}”已存在。"),
    (r"a sub-account belongs to an existing main account", "子账号须属于一个主账号。"),
    (r"there is a user '(?P<name>.*)' already", "登录名“{name}”已存在。"),
    (r"a login has 3 to 64.*", "登录名须为 3-64 位字母、数字或 . _ @ -。"),
    (r"a password has (?P<low>\d+) to (?P<high>\d+) characters", "密码长度须为 {low}-{high} 位。"),
    (r"this password is too easy to guess", "密码过于简单，请换一个。"),
    (r"the last operator who may sign in is not disabled.*", "不能停用最后一位可登录的运营人员，请先新建或恢复一位。"),
    (r"the password was changed meanwhile.*", "密码已被他人修改，请重新登录。"),
    (r"somebody else changed the same thing at the same time.*", "其他人同时修改了同一内容，请查看后重试。"),
    (
        r"a value is too long, out of range, or has characters that cannot be stored",
        "有内容过长、超出范围或含无法保存的字符。",
    ),
    (r".* has characters that cannot be stored", "有内容含无法保存的字符。"),
    (r"this installation has been set up already", "本系统已完成初始化。"),
    (r"order 1 to (?P<n>\d+) of a product", "每种规格可购买 1-{n} 个。"),
    (r"an order names at least one product", "请至少选择一个资源包。"),
    (r"no such voucher", "卡券不存在。"),
    (r"the voucher has been used", "卡券已被使用。"),
    (r"the voucher is not valid now", "卡券不在有效期内。"),
    (r"the voucher is for another product", "卡券不适用于所选产品。"),
    (r"here an order needs a voucher that covers it whole", "本系统只接受卡券支付，且卡券须覆盖全部金额。"),
    (r"order (?P<number>\d+) is (active|rejected|cancelled) already", "订单 {number} 已处理，无法重复操作。"),
    (r"a granted pack was not paid for and is not refunded", "发放的资源包不支持退订。"),
    (r"the pack has been refunded", "该资源包已退订。"),
    (r"a pack that has been used is not refunded", "资源包已被使用，不支持退订。"),
    (r"a pack is refunded within 7 days of its order", "已超过 7 天，不支持退订。"),
    (r"a refund of this pack is pending already", "该资源包的退订正在审批。"),
    (r"the refund is \w+ already", "该退订已处理。"),
    (r"a pack holds 1 to (?P<n>\d+) units", "资源包次数须为 1-{n}。"),
    (r"a product has an id of 1 to 32 printable characters.*", "产品价格须大于等于 0。"),
)
"""What the services say when they refuse (English), and how the console says it in Chinese."""


def explain(words: Words, problem: Exception) -> str:
    """A service's refusal in the visitor's language; one we have no words for stays as it is."""
    message = str(problem)
    if words.language == "zh":
        for pattern, text in PROBLEMS:
            found = re.fullmatch(pattern, message)
            if found:
                return text.format(**found.groupdict())
    return message[:1].upper() + message[1:]
