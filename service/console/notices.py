"""Short messages: the result of a form, shown once, and the text of a problem."""

from __future__ import annotations

from inkgate.service.console.page_request import PageRequest
from inkgate.service.console.translations import Translator
from inkgate.service.errors import Misuse
from inkgate.service.messages import CHINESE, render


def notice(page_request: PageRequest) -> str:
    """The message named by `?done=…`; "" for an unknown name."""
    _ = page_request.translate
    known = {
        "kept": _("登录已更新，刚才的内容没有提交。已保留您填写的内容，请检查后重新提交。"),
        "key-created": _("AccessKey 已创建。"),
        "user-created": _("用户已创建。"),
        "password-reset": _("密码已重置。"),
        "codes-made": _("恢复码已生成。"),
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
        "refund-withdrawn": _("退订申请已撤回。"),
        "voucher-claimed": _("卡券已添加。"),
        "balance-changed": _("余额已变更。"),
        "account-created": _("账号已创建。"),
        "account-suspended": _("账号已停用，其全部调用将被拒绝。"),
        "account-resumed": _("账号已恢复。"),
        "user-disabled": _("用户已停用。"),
        "user-enabled": _("用户已恢复。"),
        "role-saved": _("角色已保存，立即生效。"),
        "factor-removed": _("两步验证已关闭。"),
        "factor-reset": _("该用户的两步验证已关闭，其登录已结束。"),
        "session-ended": _("登录已结束。"),
        "approved": _("已通过。"),
        "rejected": _("已驳回。"),
        "refund-failed": _("退订失败：该资源包已被使用。"),
        "granted": _("资源包已发放。"),
        "price-saved": _("产品已保存。"),
        "routed": _("路由已保存，几秒内生效。"),
        "channel": _("通知通道已更新。"),
        "channel-test": _("测试通知已排队，几秒后刷新查看结果。"),
        "thresholds": _("阈值已保存。"),
        "notice-retry": _("已重新排队。"),
        "overridden": _("总开关已改变，几秒内生效。"),
    }
    return known.get(page_request.request.query_params.get("done", ""), "")


def explain(translate: Translator, problem: Misuse) -> str:
    """The text of a problem in the language of the page; English is made a sentence."""
    if translate.language == "zh":
        return render(problem.code, problem.params, CHINESE)
    message = str(problem)
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "?", "!")) else ".")
