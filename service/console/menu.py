"""The menu entries per role."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.console.page_request import PageRequest
from inkgate.service.console.translations import Translator
from inkgate.service.permissions.routes import CONSOLE


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One menu entry; `is_current` marks the page that is shown."""

    path: str
    icon: str
    text: str
    is_current: bool


def menu(page_request: PageRequest) -> list[tuple[str, list[MenuEntry]]]:
    """Groups of the entries that the user may see, with a heading each; empty before the sign-in is complete."""
    if page_request.signed_in is None or page_request.must_change_password or page_request.must_set_up_factor:
        return []
    _ = page_request.translate
    here = page_request.request.url.path.removeprefix(page_request.root)
    groups = _operator(_) if page_request.operator else _customer(_, sub_account=_is_sub_account(page_request))
    shown = [
        (heading, [entry for entry in entries if page_request.may(CONSOLE["GET", entry[0]])])
        for heading, entries in groups
    ]
    return [
        (heading, [MenuEntry(path, icon, text, _is_under(here, path)) for path, icon, text in entries])
        for heading, entries in shown
        if entries
    ]


def first_page(page_request: PageRequest) -> str:
    """The first page of the menu; "" when the role has none."""
    return next((entry.path for _, entries in menu(page_request) for entry in entries), "")


def _is_under(here: str, path: str) -> bool:
    return here == path if path == "/" else here == path or here.startswith(path + "/")


def _is_sub_account(page_request: PageRequest) -> bool:
    return page_request.account is not None and page_request.account.parent_id is not None


def _customer(_: Translator, *, sub_account: bool) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (
            _("AI能力开放平台"),
            [
                ("/", "home", _("总览")),
                ("/capabilities", "grid", _("能力列表")),
                ("/apps", "box", _("我的应用")),
                ("/monitor", "chart", _("应用监控")),
                ("/try", "scan", _("体验")),
            ],
        ),
        (
            _("费用中心"),
            [
                *(() if sub_account else [("/expenses", "wallet", _("费用总览"))]),
                ("/orders", "list", _("订单管理")),
                ("/refunds", "undo", _("退订管理")),
                ("/bills", "bill", _("账单")),
                *(() if sub_account else [("/vouchers", "ticket", _("卡券管理"))]),
                *(() if sub_account else [("/notices", "bell", _("通知"))]),
            ],
        ),
        (
            _("开发"),
            [
                ("/keys", "key", _("AccessKey 管理")),
                ("/reference", "book", _("API 文档")),
            ],
        ),
        (
            _("账号"),
            [
                ("/members", "people", _("用户与子账号")),
            ],
        ),
    ]


def _operator(_: Translator) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (
            _("运营"),
            [
                ("/operator/accounts", "people", _("账号")),
                ("/operator/import", "box", _("导入")),
                ("/operator/orders", "list", _("订单审批")),
                ("/operator/refunds", "undo", _("退订审批")),
                ("/operator/products", "tag", _("产品与价格")),
                ("/operator/vouchers", "ticket", _("卡券管理")),
                ("/operator/balances", "bill", _("账户余额")),
                ("/operator/takeover", "swap", _("接管云端")),
            ],
        ),
        (
            _("系统"),
            [
                ("/operator/ledger", "ledger", _("账本")),
                ("/operator/workers", "cpu", _("识别进程")),
                ("/operator/notices", "bell", _("通知")),
                ("/operator/sessions", "devices", _("登录情况")),
                ("/operator/audit", "clock", _("操作审计")),
                ("/operator/settings", "gear", _("当前设置")),
                ("/reference", "book", _("API 文档")),
            ],
        ),
    ]


def all_entries(translate: Translator) -> list[tuple[str, str]]:
    """(path, text) of every entry of the menu, also of those that the user may not see."""
    groups = _customer(translate, sub_account=False) + _operator(translate)
    return [(path, text) for _, entries in groups for path, _, text in entries]
