"""Objects and values of events in words, for pages: `app main` is 应用 main, `price_fen` is a price in yuan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from inkgate.service import money
from inkgate.service.permissions import permission, roles

SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "access key": "AccessKey",
        "account": "账号",
        "accounts": "账号列表",
        "admin token": "管理令牌",
        "all routes": "全部接管路由",
        "app": "应用",
        "audit trail": "操作审计",
        "balance of": "账户余额：",
        "bill": "账单",
        "codes of requests": "调用错误码",
        "evidence pack": "证据包",
        "import of": "导入",
        "ledger": "账本",
        "ledger of": "账本：",
        "master key": "主密钥",
        "channel": "通知通道",
        "meter": "计量表",
        "notice": "通知",
        "order": "订单",
        "orders": "订单列表",
        "pack": "资源包",
        "page": "页面",
        "product": "产品",
        "refunds": "退订列表",
        "refused calls": "被拒绝的调用",
        "sessions": "登录情况",
        "set-up code": "初始化口令",
        "sign-ins": "登录",
        "settings of the": "设置：",
        "status screen": "大屏",
        "takeover report": "接管报告",
        "unknown user": "未知用户",
        "usage statistics": "用量统计",
        "user": "用户",
        "users": "用户列表",
        "voucher": "卡券",
        "vouchers": "卡券列表",
        "wall key": "大屏密钥",
    }
)
"""The kind of object with which a subject begins → its Chinese name."""

ENGLISH_SUBJECTS: Mapping[str, str] = MappingProxyType({"access key": "AccessKey", "status screen": "Wall screen"})
"""Those whose name in English is not the kind itself with a capital letter."""

FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "amount_fen": ("金额", "amount"),
        "app_id": ("应用编号", "app id"),
        "appkey": ("AppKey", "AppKey"),
        "balance_fen": ("余额", "balance"),
        "becomes": ("更正为", "becomes"),
        "before_day": ("早于", "older than"),
        "by": ("方式", "by"),
        "calls": ("调用次数", "calls"),
        "capability": ("能力", "capability"),
        "count": ("数量", "count"),
        "discount_fen": ("优惠", "discount"),
        "ends": ("到期", "ends"),
        "events": ("记录数", "events"),
        "expiry_days": ("到期前天数", "days before expiry"),
        "extras": ("扩展字段", "extensions"),
        "fen": ("金额", "amount"),
        "findings": ("不符", "findings"),
        "first": ("首个", "first"),
        "format": ("格式", "format"),
        "further_omitted_seconds": ("之后若干秒内的同类记录略去", "further ones omitted for seconds"),
        "held": ("曾被暂停", "was held off"),
        "imported": ("随导入", "by import"),
        "kind": ("种类", "kind"),
        "lines": ("行数", "lines"),
        "low_days": ("剩余天数不足", "fewer days left than"),
        "low_percent": ("剩余比例不足（%）", "smaller share left than (%)"),
        "meters": ("计量表数", "meters"),
        "mode": ("方式", "mode"),
        "networks": ("白名单", "networks"),
        "on_sale": ("在售", "on sale"),
        "order": ("订单", "order"),
        "override": ("总开关", "main switch"),
        "packs": ("资源包数", "packs"),
        "parent_id": ("主账号编号", "main account id"),
        "pays_fen": ("应付", "to pay"),
        "percent": ("比例", "percent"),
        "permission": ("所需权限", "permission"),
        "price_fen": ("价格", "price"),
        "product": ("产品", "product"),
        "products": ("产品", "products"),
        "qps": ("每秒请求数", "requests per second"),
        "reason": ("原因", "reason"),
        "role": ("角色", "role"),
        "root": ("哈希树的根", "root of the hash tree"),
        "rows": ("行数", "rows"),
        "scopes": ("权限", "scopes"),
        "seconds": ("用时（秒）", "seconds"),
        "secrets": ("密钥数", "secrets"),
        "seq": ("序号", "sequence"),
        "sequence": ("序号", "sequence"),
        "session": ("登录会话", "session"),
        "since": ("从", "from"),
        "sm2_imported": ("SM2 密钥由客户提供", "SM2 key of the customer"),
        "successor": ("新的 AccessKey", "new AccessKey"),
        "units": ("次数", "units"),
        "until": ("到", "until"),
        "value": ("面值", "value"),
        "wait_seconds": ("须等待（秒）", "seconds to wait"),
        "was": ("原为", "was"),
    }
)
"""Names in the detail of an event → what they are called, in Chinese and English."""

VALUES: Mapping[str, str] = MappingProxyType(
    {
        "address": "来源地址",
        "login": "登录名",
        "password": "密码不正确",
        "unknown": "没有此用户",
        "disabled": "用户已停用",
        "locked": "用户已锁定",
        "provider": "身份提供方",
        "ldap": "LDAP 目录",
        "second factor": "验证码不正确",
        "no role": "没有对应的角色",
        "others": "其他全部会话",
        "another user": "登录的是另一用户",
        "operator": "运营",
        "customer": "客户",
        "no valid token": "令牌无效",
        "several duties": "令牌同时具有几个管理员的权限",
        "none": "无",
    }
)
"""Values that are words → in Chinese."""

NAMED: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "role": {each.value: title for each, title in roles.TITLES.items()},
        "permission": {each.value: title for each, title in permission.TITLES.items()},
    }
)
"""Field whose values have names in both languages → value → its names."""

SURFACES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "console": ("控制台", "Console"),
        "admin": ("管理接口", "Admin API"),
        "cli": ("命令行", "Command line"),
        "system": ("系统", "System"),
    }
)
"""The first part of an actor → what it is called, in Chinese and English."""

_BY_LENGTH = sorted(SUBJECTS, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Part:
    """A value of an event: what it is called, what it was (None: not said) and what it is."""

    label: str
    before: str | None
    value: str


def actor_words(actor: str, language: str) -> tuple[str, str]:
    """Where an actor came in and its name: `console:lin` is 控制台 and lin, `system:gateway` 系统 and gateway.

    A user without a name has not signed in; `console:` and `console:-` are of earlier releases.
    """
    english = language == "en"
    surface, _, name = actor.partition(":")
    if surface == "anonymous" or (surface in SURFACES and name in ("", "-")):
        name = "Not signed in" if english else "未登录"
    elif surface not in SURFACES:
        name = actor
    return SURFACES.get(surface, ("", ""))[english], name


def actor_name(actor: str | None, language: str) -> str:
    """The name alone; "" without an actor, as for an order not yet decided."""
    return actor_words(actor, language)[1] if actor else ""


def subject_words(subject: str, name: str | None, language: str) -> str:
    """An object in words; its name instead of its id where it has one."""
    kind = next((each for each in _BY_LENGTH if subject == each or subject.startswith(each + " ")), None)
    rest = subject[len(kind) :].strip() if kind else subject
    shown = name or rest
    if kind is None:
        return subject
    if language == "en":
        return f"{ENGLISH_SUBJECTS.get(kind, kind[:1].upper() + kind[1:])} {shown}".strip()
    return f"{SUBJECTS[kind]} {shown}".strip().replace("： ", "：")


def parts(detail: Mapping[str, Any], language: str, capabilities: Mapping[str, str] | None = None) -> Iterator[Part]:
    """What an event says: first what changed, then the other values; nothing for what is empty.

    `capabilities` are the titles of capabilities by name, in the language of the page.
    """
    titles = capabilities or {}

    def worded(name: str, value: object) -> str:
        named = titles.get(value) if name == "capability" and isinstance(value, str) else None
        return named or _value(name, value, language)

    before, after = _mapping(detail.get("before")), _mapping(detail.get("after"))
    names = [name for name in after if not before or name in before or before.get(name) != after[name]]
    for name in [*names, *(each for each in before if each not in after)]:
        if before and before.get(name) == after.get(name):
            continue
        old = worded(name, before[name]) if name in before else ("–" if before else None)
        yield Part(_label(name, language), old, worded(name, after.get(name)))
    for name, value in detail.items():
        if name not in ("before", "after") and value is not None and value != "":
            yield Part(_label(name, language), None, worded(name, value))


def _mapping(value: object) -> Mapping[str, Any]:
    """`value` where it is a mapping; a former release wrote texts under these names."""
    return value if isinstance(value, dict) else {} if value is None else {"": value}


def _label(name: str, language: str) -> str:
    chinese, english = FIELDS.get(name, (name, name))
    return english if language == "en" else chinese


def _value(name: str, value: object, language: str) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return {True: "是", False: "否"}[value] if language != "en" else {True: "yes", False: "no"}[value]
    if isinstance(value, int) and (name == "fen" or name.endswith("_fen")):
        return money.yuan(value)
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    if name.startswith("INKGATE_") and text == "set":  # all that is recorded of a secret
        return text if language == "en" else "已设置"
    if text in NAMED.get(name, {}):
        return NAMED[name][text][language == "en"]
    return text if language == "en" else VALUES.get(text, text)
