"""Import of accounts, keys, apps and remaining units that another service has issued (ADR 0048).

`reading` turns a file into rows, `parsing` rows into records, `checks` compares them with each other and with the
database, `service` writes them in one transaction.
"""
