"""The permissions and their names in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """What a user or a token may do. `*.see` changes nothing; the others do, or show a secret."""

    ANYONE = "anyone"  # without a sign-in
    SELF = "self"  # one's own sign-in: password, second factor, sessions; also before a required change of them
    SIGNED_IN = "signed-in"  # any user whose sign-in is complete

    # of a customer, about the own account
    USAGE_SEE = "usage.see"
    APPS_SEE = "apps.see"
    APPS_CHANGE = "apps.change"
    APPS_SECRET = "apps.secret"  # noqa: S105 - a name
    KEYS_SEE = "keys.see"
    KEYS_CHANGE = "keys.change"
    CALLS_TRY = "calls.try"
    PURCHASES_SEE = "purchases.see"
    PURCHASES_CHANGE = "purchases.change"
    MEMBERS_CHANGE = "members.change"

    # of an operator, about the installation and all accounts
    ACCOUNTS_SEE = "accounts.see"
    ACCOUNTS_CHANGE = "accounts.change"
    ACCOUNTS_KEYS = "accounts.keys"
    ACCOUNTS_IMPORT = "accounts.import"
    SALES_SEE = "sales.see"
    SALES_DECIDE = "sales.decide"
    SALES_PLACE = "sales.place"
    CATALOGUE_CHANGE = "catalogue.change"
    PACKS_GRANT = "packs.grant"
    VOUCHERS_ISSUE = "vouchers.issue"
    BALANCES_CHANGE = "balances.change"
    STATISTICS_SEE = "statistics.see"
    TAKEOVER_SEE = "takeover.see"
    TAKEOVER_CHANGE = "takeover.change"
    LEDGER_SEE = "ledger.see"
    WORKERS_SEE = "workers.see"
    NOTICES_SEE = "notices.see"
    NOTICES_CHANGE = "notices.change"
    SETTINGS_SEE = "settings.see"
    USERS_SEE = "users.see"
    USERS_CHANGE = "users.change"
    TOKENS_CHANGE = "tokens.change"
    AUDIT_SEE = "audit.see"

    HOST = "host"  # commands that need the machine itself: its files, processes and master key

    @property
    def changes(self) -> bool:
        """Whether the holder can change something or see a secret."""
        return not self.value.endswith(".see")


OPEN = frozenset({Permission.ANYONE, Permission.SELF, Permission.SIGNED_IN})
"""Permissions that no role has to be given."""

TITLES: Mapping[Permission, tuple[str, str]] = {
    Permission.ANYONE: ("无须登录", "without a sign-in"),
    Permission.SELF: ("管理自己的登录", "one's own sign-in"),
    Permission.SIGNED_IN: ("任何已登录用户", "any signed-in user"),
    Permission.USAGE_SEE: ("查看用量与能力", "see usage and capabilities"),
    Permission.APPS_SEE: ("查看应用", "see apps"),
    Permission.APPS_CHANGE: ("管理应用", "change apps"),
    Permission.APPS_SECRET: ("查看应用密钥", "see the secrets of apps"),
    Permission.KEYS_SEE: ("查看 AccessKey", "see AccessKeys"),
    Permission.KEYS_CHANGE: ("管理 AccessKey", "change AccessKeys"),
    Permission.CALLS_TRY: ("在线体验（计费调用）", "try charged calls"),
    Permission.PURCHASES_SEE: ("查看订单、退订与账单", "see orders, refunds and bills"),
    Permission.PURCHASES_CHANGE: ("下单、取消订单与申请退订", "place and cancel orders, ask for refunds"),
    Permission.MEMBERS_CHANGE: ("管理本账号的用户与子账号", "manage the users and sub-accounts of the account"),
    Permission.ACCOUNTS_SEE: ("查看客户账号", "see accounts"),
    Permission.ACCOUNTS_CHANGE: ("管理客户账号与应用", "change accounts and their apps"),
    Permission.ACCOUNTS_KEYS: ("管理客户密钥", "change the keys of customers"),
    Permission.ACCOUNTS_IMPORT: ("导入账号与密钥", "import accounts and keys"),
    Permission.SALES_SEE: ("查看订单、退订与产品", "see orders, refunds and products"),
    Permission.SALES_DECIDE: ("审批订单与退订", "decide orders and refunds"),
    Permission.SALES_PLACE: ("代客户下单与申请退订", "order and ask for refunds on behalf of customers"),
    Permission.CATALOGUE_CHANGE: ("管理产品与价格", "change products and prices"),
    Permission.PACKS_GRANT: ("发放资源包", "grant packs"),
    Permission.VOUCHERS_ISSUE: ("发放卡券", "issue vouchers"),
    Permission.BALANCES_CHANGE: ("变更账户余额", "change the balances of accounts"),
    Permission.STATISTICS_SEE: ("查看全部用量统计", "see the statistics of all accounts"),
    Permission.TAKEOVER_SEE: ("查看接管云端", "see the takeover"),
    Permission.TAKEOVER_CHANGE: ("管理接管云端", "change the takeover"),
    Permission.LEDGER_SEE: ("查看与核对账本", "see and verify the ledger"),
    Permission.WORKERS_SEE: ("查看识别进程", "see workers"),
    Permission.NOTICES_SEE: ("查看通知", "see notices"),
    Permission.NOTICES_CHANGE: ("管理通知通道", "change the channels of notices"),
    Permission.SETTINGS_SEE: ("查看设置", "see the settings"),
    Permission.USERS_SEE: ("查看用户与登录", "see users and sessions"),
    Permission.USERS_CHANGE: ("管理用户、角色与登录", "change users, roles and sessions"),
    Permission.TOKENS_CHANGE: ("管理管理接口令牌", "change tokens of the admin API"),
    Permission.AUDIT_SEE: ("查看操作审计", "see the audit trail"),
    Permission.HOST: ("服务器管理员（操作系统）", "the administrator of the host"),
}
"""Permission → Chinese and English name."""
