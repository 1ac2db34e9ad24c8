"""Accounts, access keys and apps.

`SqlDirectory` serves gateways, `service` the operations of operators and customers, `vault` encrypts stored secrets.
"""

from inkgate.service.accounts.sql_directory import SqlDirectory

__all__ = ["SqlDirectory"]
