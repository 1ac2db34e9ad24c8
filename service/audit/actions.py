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
        "access.refuse": Action("越权访问被拒绝", "access refused", ACCESS),
        "account.create": Action("新建账号", "account created", CHANGE),
        "account.resume": Action("恢复账号", "account resumed", CHANGE),
        "account.suspend": Action("停用账号", "account suspended", CHANGE),
        "admin.view": Action("经管理接口查看数据", "data read through the admin API", LOOK),
        "app.allow": Action("修改白名单", "allow-list changed", CHANGE),
        "app.create": Action("新建应用", "app created", CHANGE),
        "app.delete": Action("删除应用", "app deleted", CHANGE),
        "app.extras": Action("切换扩展字段", "extensions switched", CHANGE),
        "app.lift": Action("解除应用的暂停", "hold-off of an app ended", CHANGE),
        "app.open": Action("开通能力", "capability opened", CHANGE),
        "app.qps": Action("修改调用频率", "request rate changed", CHANGE),
        "app.reveal": Action("查看 AppSecret", "AppSecret shown", LOOK),
        "app.sm2_import": Action("导入应用的 SM2 密钥", "SM2 key of an app imported", CHANGE),
        "attest.make": Action("制作证据包", "evidence pack made", LOOK),
        "audit.adopt": Action("旧版本的记录纳入校验链", "events of an older release chained", SYSTEM),
        "audit.archive": Action("过期记录签名归档", "old events signed for deletion", SYSTEM),
        "audit.verify": Action("校验审计记录", "audit trail verified", LOOK),
        "balance.payment": Action("余额支付", "paid with the balance", MONEY),
        "balance.refund": Action("退订款退回余额", "refund returned to the balance", MONEY),
        "balance.top-up": Action("充值余额", "balance topped up", MONEY),
        "balance.withdrawal": Action("扣减余额", "balance withdrawn", MONEY),
        "cli.view": Action("经命令行查看数据", "data shown on the command line", LOOK),
        "export.audit": Action("导出审计记录", "audit trail exported", LOOK),
        "export.bill": Action("导出账单", "bill exported", LOOK),
        "export.ledger": Action("导出账本", "ledger exported", LOOK),
        "export.takeover": Action("导出接管报告", "takeover report exported", LOOK),
        "export.usage": Action("导出用量统计", "usage statistics exported", LOOK),
        "factor.codes": Action("重新生成恢复码", "new recovery codes made", ACCESS),
        "factor.recovery": Action("使用恢复码", "recovery code used", ACCESS),
        "factor.remove": Action("关闭两步验证", "second factor turned off", ACCESS),
        "factor.reset": Action("重置他人的两步验证", "second factor of a user reset", ACCESS),
        "factor.set_up": Action("启用两步验证", "second factor set up", ACCESS),
        "import.apply": Action("批量导入", "records imported", CHANGE),
        "key.create": Action("新建访问密钥", "access key created", CHANGE),
        "key.disable": Action("停用访问密钥", "access key disabled", CHANGE),
        "key.enable": Action("启用访问密钥", "access key enabled", CHANGE),
        "key.import": Action("导入访问密钥", "access key imported", CHANGE),
        "key.reveal": Action("查看 SecurityKey", "SecurityKey shown", LOOK),
        "key.rotate": Action("轮换访问密钥", "access key rotated", CHANGE),
        "ledger.heads": Action("账本链尾记入审计", "ends of the ledger's chains recorded", SYSTEM),
        "ledger.recheck": Action("账本从头复核", "ledger checked from its beginning", MONEY),
        "ledger.repair_clock": Action("更正时钟错误", "clock error corrected", MONEY),
        "ledger.verify": Action("校验账本", "ledger verified", MONEY),
        "master_key.reseal": Action("更换主密钥", "secrets sealed under a new master key", CHANGE),
        "notice.channel_create": Action("新建通知渠道", "notice channel created", CHANGE),
        "notice.channel_pause": Action("暂停通知渠道", "notice channel paused", CHANGE),
        "notice.channel_remove": Action("删除通知渠道", "notice channel removed", CHANGE),
        "notice.channel_resume": Action("恢复通知渠道", "notice channel resumed", CHANGE),
        "notice.retry": Action("重发通知", "notice sent again", CHANGE),
        "notice.test": Action("发送测试通知", "test notice sent", CHANGE),
        "notice.thresholds": Action("修改提醒阈值", "thresholds of notices changed", CHANGE),
        "operator.view": Action("运营查看页面", "page viewed by an operator", LOOK),
        "order.active": Action("订单生效", "order approved", MONEY),
        "order.cancelled": Action("取消订单", "order cancelled", MONEY),
        "order.pay": Action("支付订单", "order paid", MONEY),
        "order.place": Action("下订单", "order placed", MONEY),
        "order.rejected": Action("驳回订单", "order rejected", MONEY),
        "pack.grant": Action("发放资源包", "pack granted", MONEY),
        "product.set": Action("修改商品", "product changed", MONEY),
        "refund.approved": Action("同意退订", "refund approved", MONEY),
        "refund.failed": Action("退订失败", "refund failed", MONEY),
        "refund.rejected": Action("驳回退订", "refund rejected", MONEY),
        "refund.request": Action("申请退订", "refund requested", MONEY),
        "refund.withdrawn": Action("撤回退订", "refund withdrawn", MONEY),
        "secret.view": Action("查看密钥", "secret shown", LOOK),
        "session.end": Action("结束登录", "session ended", ACCESS),
        "settings.start": Action("以新的设置启动", "started with other settings", SYSTEM),
        "setup.code": Action("输入初始化口令", "set-up code entered", ACCESS),
        "takeover.forget": Action("删除接管路由", "takeover route removed", CHANGE),
        "takeover.off": Action("切换接管总开关", "takeover switch set", CHANGE),
        "takeover.route": Action("修改接管路由", "takeover route changed", CHANGE),
        "token.create": Action("新建管理令牌", "admin token created", CHANGE),
        "token.disable": Action("停用管理令牌", "admin token disabled", CHANGE),
        "user.create": Action("新建用户", "user created", ACCESS),
        "user.disable": Action("停用用户", "user disabled", ACCESS),
        "user.enable": Action("启用用户", "user enabled", ACCESS),
        "user.lock": Action("连续输错密码，锁定用户", "user locked after wrong passwords", ACCESS),
        "user.login": Action("登录", "sign-in", ACCESS),
        "user.logout": Action("退出", "sign-out", ACCESS),
        "user.password": Action("修改密码", "password changed", ACCESS),
        "user.prove": Action("再次验证密码", "password entered again", ACCESS),
        "user.reset": Action("重置密码", "password reset", ACCESS),
        "user.role": Action("修改角色", "role changed", ACCESS),
        "user.throttle": Action("登录过于频繁，已拒绝", "sign-ins refused for their number", ACCESS),
        "voucher.claim": Action("领取卡券", "voucher claimed", MONEY),
        "voucher.issue": Action("发放卡券", "voucher issued", MONEY),
        "voucher.use": Action("使用卡券", "voucher used", MONEY),
        "wall.open": Action("打开大屏", "status screen opened", ACCESS),
    }
)
"""Action → words and kind, in alphabetical order."""

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        CHANGE: ("改动", "changes"),
        MONEY: ("资金与账本", "money and ledger"),
        ACCESS: ("登录与权限", "sign-in and permissions"),
        LOOK: ("查看与导出", "looks and exports"),
        SYSTEM: ("系统", "system"),
    }
)
"""Kind → what it is called."""

RESULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"done": ("成功", "done"), "refused": ("已拒绝", "refused"), "failed": ("失败", "failed")}
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
