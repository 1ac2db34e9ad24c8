"""Every setting, read once at process start (CLI or application factory) and passed in.

Environment variables are INKGATE_<GROUP>__<NAME>, for example INKGATE_DATABASE__URL. Secrets can also be read from a
file, by the setting with the suffix `_FILE` where there is one. Each group stands in a module of this package.
"""

from inkgate.service.settings.accounting import Accounts, Billing, Ledger, Orders
from inkgate.service.settings.audit import Audit
from inkgate.service.settings.console import MAX_SETUP_CODE, Console
from inkgate.service.settings.gateway import Limits, Server
from inkgate.service.settings.masking import mask, maskable_secrets, passwords, without_passwords
from inkgate.service.settings.notices import MAIL_ADDRESS, Notices
from inkgate.service.settings.root import SecretSetting, Settings, load, secret_settings, secret_values
from inkgate.service.settings.security import Security
from inkgate.service.settings.sign_in import Access, Ldap, Oidc
from inkgate.service.settings.stores import Database, Redis
from inkgate.service.settings.takeover import Takeover
from inkgate.service.settings.telemetry import Telemetry
from inkgate.service.settings.worker import Engine, Worker

__all__ = [
    "MAIL_ADDRESS",
    "MAX_SETUP_CODE",
    "Access",
    "Accounts",
    "Audit",
    "Billing",
    "Console",
    "Database",
    "Engine",
    "Ldap",
    "Ledger",
    "Limits",
    "Notices",
    "Oidc",
    "Orders",
    "Redis",
    "SecretSetting",
    "Security",
    "Server",
    "Settings",
    "Takeover",
    "Telemetry",
    "Worker",
    "load",
    "mask",
    "maskable_secrets",
    "passwords",
    "secret_settings",
    "secret_values",
    "without_passwords",
]
