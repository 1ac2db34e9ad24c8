"""The apps that records of a file refer to: by AppKey, or by a name that several accounts may use (ADR 0090). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inkgate.service.accounts.models import AppRow
from inkgate.service.importing.records import AppRecord, CapabilityRecord, PackRecord

Key = tuple[str, str]
"""Names of the account and of its app, which are unique together."""

MAX_LISTED = 5  # accounts that a refusal of an ambiguous name lists


class References:
    """Finds the app of a record among those of the file and those in the database (`rows`).

    A name without an account is that of an app in the file, if the file has one of this name; else of an app here.
    """

    def __init__(self, records: Iterable[AppRecord], rows: Mapping[Key, AppRow]) -> None:
        self._here: dict[str, list[Key]] = {}
        self._filed: dict[str, list[Key]] = {}
        self._by_appkey: dict[str, Key] = {}
        for key, row in rows.items():
            self._here.setdefault(key[1], []).append(key)
            self._by_appkey[row.appkey] = key
        for each in records:
            self._filed.setdefault(each.name, []).append((each.account, each.name))
            self._by_appkey[each.appkey] = (each.account, each.name)

    def find(self, record: CapabilityRecord | PackRecord) -> list[Key]:
        """The apps that a record with `app` fits; more than one is ambiguous."""
        account, app = record.account, record.app
        found = [self._by_appkey[app]] if app in self._by_appkey else []
        found = found or self._filed.get(app, []) + (self._here.get(app, []) if account else [])
        found = found or self._here.get(app, [])
        return sorted({key for key in found if account in ("", key[0])})

    def key(self, record: CapabilityRecord | PackRecord) -> Key:
        """The only app that a record fits, as the checks have seen."""
        (found,) = self.find(record)
        return found


def owners(keys: Iterable[Key]) -> tuple[str, ...]:
    """The accounts of apps, for a message."""
    names = tuple(account for account, _ in keys)
    return (*names[:MAX_LISTED], "…") if len(names) > MAX_LISTED else names
