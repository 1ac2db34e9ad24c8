"""Accounts, access keys and apps: who may call.

`SqlDirectory` answers gateways; `service` holds what operators and customers do; `vault` keeps secrets sealed.
"""

from inkgate.service.accounts.sql_directory import SqlDirectory

__all__ = ["SqlDirectory"]
