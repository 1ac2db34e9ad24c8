"""Every action of the audit trail in words, and the kinds that pages filter by. A test finds those without words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

CHANGE, MONEY, ACCESS, LOOK, SYSTEM = "change", "money", "access", "look", "system"


@dataclass(frozen=True, slots=True)
class Action:
    """What an action is called, and its kind."""

    zh: str
    en: str
    kind: str


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "access.refuse": Action("越权访问被拒绝", "Access refused", ACCESS),
        "account.create": Action("新建账号", "Account created", CHANGE),
        "account.resume": Action("恢复账号", "Account resumed", CHANGE),
        "account.suspend": Action("停用账号", "Account suspended", CHANGE),
        "admin.view": Action("经管理接口查看数据", "Data read through the admin API", LOOK),
        "app.allow": Action("修改白名单", "Allow-list changed", CHANGE),
        "app.create": Action("新建应用", "App created", CHANGE),
        "app.delete": Action("删除应用", "App deleted", CHANGE),
        "app.extras": Action("切换扩展字段", "Extensions switched", CHANGE),
        "app.lift": Action("解除应用的暂停", "Hold-off of an app ended", CHANGE),
        "app.open": Action("开通能力", "Capability enabled", CHANGE),
        "app.qps": Action("修改调用频率", "Request rate changed", CHANGE),
        "app.reveal": Action("查看 AppSecret", "AppSecret shown", LOOK),
        "app.sm2_import": Action("导入应用的 SM2 密钥", "SM2 key of an app imported", CHANGE),
        "attest.make": Action("制作证据包", "Evidence pack made", LOOK),
        "audit.adopt": Action("旧版本的记录纳入校验链", "Events of an older release chained", SYSTEM),
        "audit.archive": Action("过期记录签名归档", "Old events signed for deletion", SYSTEM),
        "audit.verify": Action("校验审计记录", "Audit trail verified", LOOK),
        "balance.payment": Action("余额支付", "Paid with the balance", MONEY),
        "balance.refund": Action("退订款退回余额", "Refund returned to the balance", MONEY),
        "balance.top-up": Action("充值余额", "Balance topped up", MONEY),
        "balance.withdrawal": Action("扣减余额", "Balance withdrawn", MONEY),
        "cli.view": Action("经命令行查看数据", "Data shown on the command line", LOOK),
        "export.audit": Action("导出审计记录", "Audit trail exported", LOOK),
        "export.bill": Action("导出账单", "Bill exported", LOOK),
        "export.ledger": Action("导出账本", "Ledger exported", LOOK),
        "export.takeover": Action("导出接管报告", "Takeover report exported", LOOK),
        "export.usage": Action("导出用量统计", "Usage statistics exported", LOOK),
        "factor.codes": Action("重新生成恢复码", "New recovery codes made", ACCESS),
        "factor.recovery": Action("使用恢复码", "Recovery code used", ACCESS),
        "factor.remove": Action("关闭两步验证", "Two-step verification turned off", ACCESS),
        "factor.reset": Action("重置他人的两步验证", "Two-step verification of a user reset", ACCESS),
        "factor.set_up": Action("启用两步验证", "Two-step verification turned on", ACCESS),
        "import.apply": Action("批量导入", "Records imported", CHANGE),
        "key.create": Action("新建 AccessKey", "AccessKey created", CHANGE),
        "key.disable": Action("禁用 AccessKey", "AccessKey disabled", CHANGE),
        "key.enable": Action("启用 AccessKey", "AccessKey enabled", CHANGE),
        "key.import": Action("导入 AccessKey", "AccessKey imported", CHANGE),
        "key.reveal": Action("查看 SecurityKey", "SecurityKey shown", LOOK),
        "key.rotate": Action("轮换 AccessKey", "AccessKey rotated", CHANGE),
        "ledger.heads": Action("账本链尾记入审计", "Ledger checkpoints recorded", SYSTEM),
        "ledger.recheck": Action("账本从头复核", "Ledger checked from its beginning", MONEY),
        "ledger.repair_clock": Action("更正时钟错误", "Clock error corrected", MONEY),
        "ledger.verify": Action("校验账本", "Ledger verified", MONEY),
        "master_key.reseal": Action("更换主密钥", "Secrets sealed under a new master key", CHANGE),
        "notice.channel_create": Action("新建通知通道", "Notice channel created", CHANGE),
        "notice.channel_pause": Action("暂停通知通道", "Notice channel paused", CHANGE),
        "notice.channel_remove": Action("删除通知通道", "Notice channel removed", CHANGE),
        "notice.channel_resume": Action("恢复通知通道", "Notice channel resumed", CHANGE),
        "notice.retry": Action("重发通知", "Notice sent again", CHANGE),
        "notice.test": Action("发送测试通知", "Test notice sent", CHANGE),
        "notice.thresholds": Action("修改提醒阈值", "Thresholds of notices changed", CHANGE),
        "operator.view": Action("运营查看页面", "Page viewed by an operator", LOOK),
        "order.active": Action("订单生效", "Order approved", MONEY),
        "order.cancelled": Action("取消订单", "Order cancelled", MONEY),
        "order.pay": Action("支付订单", "Order paid", MONEY),
        "order.place": Action("下订单", "Order placed", MONEY),
        "order.rejected": Action("驳回订单", "Order rejected", MONEY),
        "pack.grant": Action("发放资源包", "Pack granted", MONEY),
        "product.set": Action("修改产品", "Product changed", MONEY),
        "refund.approved": Action("同意退订", "Refund approved", MONEY),
        "refund.failed": Action("退订失败", "Refund failed", MONEY),
        "refund.rejected": Action("驳回退订", "Refund rejected", MONEY),
        "refund.request": Action("申请退订", "Refund requested", MONEY),
        "refund.withdrawn": Action("撤回退订", "Refund withdrawn", MONEY),
        "secret.view": Action("查看密钥", "Secret shown", LOOK),
        "session.end": Action("结束登录", "Session ended", ACCESS),
        "settings.start": Action("以新的设置启动", "Started with other settings", SYSTEM),
        "setup.code": Action("输入初始化口令", "Set-up code entered", ACCESS),
        "takeover.forget": Action("删除接管路由", "Takeover route removed", CHANGE),
        "takeover.off": Action("切换接管总开关", "Takeover switch set", CHANGE),
        "takeover.route": Action("修改接管路由", "Takeover route changed", CHANGE),
        "token.create": Action("新建管理令牌", "Admin token created", CHANGE),
        "token.disable": Action("停用管理令牌", "Admin token disabled", CHANGE),
        "user.create": Action("新建用户", "User created", ACCESS),
        "user.disable": Action("停用用户", "User disabled", ACCESS),
        "user.enable": Action("启用用户", "User enabled", ACCESS),
        "user.lock": Action("连续输错密码，锁定用户", "User locked after wrong passwords", ACCESS),
        "user.login": Action("登录", "Sign-in", ACCESS),
        "user.logout": Action("退出", "Sign-out", ACCESS),
        "user.password": Action("修改密码", "Password changed", ACCESS),
        "user.prove": Action("再次验证密码", "Password entered again", ACCESS),
        "user.reset": Action("重置密码", "Password reset", ACCESS),
        "user.role": Action("修改角色", "Role changed", ACCESS),
        "user.throttle": Action("登录过于频繁，已拒绝", "Sign-ins refused for their number", ACCESS),
        "voucher.claim": Action("领取卡券", "Voucher claimed", MONEY),
        "voucher.issue": Action("发放卡券", "Voucher issued", MONEY),
        "voucher.use": Action("使用卡券", "Voucher used", MONEY),
        "wall.open": Action("打开大屏", "Wall screen opened", ACCESS),
    }
)
"""Action → words and kind, in alphabetical order."""

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        CHANGE: ("改动", "Changes"),
        MONEY: ("资金与账本", "Money and ledger"),
        ACCESS: ("登录与权限", "Sign-in and permissions"),
        LOOK: ("查看与导出", "Views and exports"),
        SYSTEM: ("系统", "System"),
    }
)
"""Kind → what it is called."""

NAMED_REFUSALS = frozenset({"access.refuse", "user.throttle"})
"""Actions whose words say already that something was refused."""

RESULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"done": ("成功", "Done"), "refused": ("已拒绝", "Refused"), "failed": ("失败", "Failed")}
)


def action_name(action: str, language: str) -> str:
    """What an action is called; its code for one of another release."""
    known = ACTIONS.get(action)
    if known is None:
        return action
    return known.en if language == "en" else known.zh


def actions_of(kind: str) -> tuple[str, ...]:
    """The actions of a kind."""
    return tuple(name for name, each in ACTIONS.items() if each.kind == kind)
