"""From rows of text to records. Pure; every problem of a row is reported, not only the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from inkgate.service.accounts import rules
from inkgate.service.accounts.rules import KEY_ID
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import Misuse
from inkgate.service.importing import key_rules
from inkgate.service.importing.reading import Row
from inkgate.service.importing.records import (
    FIELDS,
    AccountRecord,
    AppRecord,
    CapabilityRecord,
    KeyRecord,
    PackRecord,
    Problem,
    Record,
)
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.metering.service import MAX_UNITS
from inkgate.service.sealed.private_key import parse_private

T = TypeVar("T")
BEIJING = timezone(timedelta(hours=8))  # validity periods are shown in Beijing time (manual 7.1)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)  # the last time that the admin API accepts
YES, NO = ("yes", "true", "1", "是"), ("", "no", "false", "0", "否")
_DAY = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})")


class RowParser:
    """Reads the fields of one row and collects its problems."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.problems: list[Problem] = []

    def text(self, name: str) -> str:
        return self._row.fields.get(name, "")

    def refuse(self, name: str, reason: Misuse) -> None:
        self.problems.append(Problem(self._row.number, name, reason))

    def read(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """The field through `convert`; `default` after a problem, or when the field is empty."""
        text = self.text(name)
        if not text:
            return default
        try:
            return convert(text)
        except Misuse as reason:
            self.refuse(name, reason)
            return default


def parse(rows: Sequence[Row], kinds: Sequence[str] = tuple(FIELDS)) -> tuple[list[Record], list[Problem]]:
    """The records of `rows`, and the problems of those that are not valid; `kinds` are the records that may occur."""
    records: list[Record] = []
    problems: list[Problem] = []
    for row in rows:
        parser = RowParser(row)
        record = _record(parser, row, kinds)
        problems += parser.problems
        if record is not None and not parser.problems:
            records.append(record)
    return records, problems


def _record(parser: RowParser, row: Row, kinds: Sequence[str]) -> Record | None:
    kind = parser.text("record").lower()
    if kind not in kinds:
        reason = (
            Misuse("import.record_elsewhere", choices=tuple(kinds))
            if kind in FIELDS
            else Misuse("import.record_unknown", choices=tuple(kinds))
        )
        parser.refuse("record", reason)
        return None
    required, optional = FIELDS[kind]
    for name in required:
        if not parser.text(name):
            parser.refuse(name, Misuse("import.field_missing"))
    for name in row.fields:
        if name not in (*required, *optional, "record"):
            parser.refuse(name, Misuse("import.field_unused", kind=kind))
    return PARSERS[kind](parser, row.number)


def _account(parser: RowParser, number: int) -> AccountRecord:
    return AccountRecord(number, parser.read("account", _account_name, ""), parser.read("parent", _account_name, ""))


def _key(parser: RowParser, number: int) -> KeyRecord:
    ak = parser.read("id", key_rules.check_id, "")
    secret = parser.read("secret", lambda text: key_rules.check_secret(text, ak), "")
    return KeyRecord(number, parser.read("account", _account_name, ""), ak, secret)


def _app(parser: RowParser, number: int) -> AppRecord:
    appkey = parser.read("id", key_rules.check_id, "")
    private = parser.read("sm2_private_key", _private, b"")
    return AppRecord(
        number,
        account=parser.read("account", _account_name, ""),
        name=parser.read("app", _app_name, ""),
        appkey=appkey,
        secret=parser.read("secret", lambda text: key_rules.check_secret(text, appkey), ""),
        description=parser.text("description"),
        allowed=parser.read("allowed", _networks, ()),
        seals=parser.read("seals", _flag, default=False) or bool(private),
        private=private,
    )


def _capability(parser: RowParser, number: int) -> CapabilityRecord:
    return CapabilityRecord(
        number,
        account=parser.read("account", _account_name, ""),
        app=parser.read("app", _app_reference, ""),
        capability=parser.read("capability", _capability_name, ""),
        qps=parser.read("qps", _qps, None),
        allowed=parser.read("allowed", _networks, ()),
    )


def _pack(parser: RowParser, number: int) -> PackRecord:
    if not parser.text("account") and not parser.text("app"):
        parser.refuse("account", Misuse("import.pack_owner"))
    capability = parser.read("capability", _capability_name, "")
    if capability in FREE_CAPABILITIES:
        parser.refuse("capability", Misuse("import.capability_free"))
    return PackRecord(
        number,
        account=parser.read("account", _account_name, ""),
        app=parser.read("app", _app_reference, ""),
        capability=capability,
        units=parser.read("units", _units, 0),
        ends=parser.read("ends", _ends, LATEST),
    )


PARSERS: dict[str, Callable[[RowParser, int], Record]] = {
    "account": _account,
    "key": _key,
    "app": _app,
    "capability": _capability,
    "pack": _pack,
}


# The messages of `rules` quote the value. A file whose columns are shifted has a secret there, so that ours do not.


def _account_name(text: str) -> str:
    try:
        return rules.account_name(text)
    except Misuse:
        raise Misuse("account.name_invalid", most=rules.ACCOUNT_NAME_LENGTH) from None


def _app_name(text: str) -> str:
    try:
        return rules.app_name(text)
    except Misuse:
        raise Misuse("import.app_name_invalid") from None


def _app_reference(text: str) -> str:
    """The name or AppKey of an app, in the file or here."""
    return text if KEY_ID.fullmatch(text) else _app_name(text)


def _capability_name(text: str) -> str:
    if text not in CAPABILITIES:
        raise Misuse("import.capability_unknown", choices=tuple(CAPABILITIES))
    return text


def _networks(text: str) -> tuple[str, ...]:
    """Addresses and networks, separated by blanks, commas or semicolons, or one a line."""
    try:
        return tuple(rules.networks(re.split(r"[\s,;，；]+", text.strip(" ,;，；\r\n\t"))))
    except Misuse as problem:
        if problem.code == "network.limit":
            raise
        raise Misuse("import.network_invalid") from None


def _qps(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= rules.MAX_QPS:
        raise Misuse("qps.out_of_range", most=rules.MAX_QPS)
    return rate


def _units(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_UNITS):
        raise Misuse("import.units_invalid", most=MAX_UNITS)
    return int(text)


def _ends(text: str) -> datetime:
    """The end of a validity period in UTC: of a day its end in Beijing, of a time without a zone that of Beijing."""
    try:
        day = _DAY.fullmatch(text)
        if day:
            end = datetime(int(day[1]), int(day[2]), int(day[3]), tzinfo=BEIJING) + timedelta(days=1)
        else:
            end = datetime.fromisoformat(text.replace("/", "-"))
            end = end if end.tzinfo else end.replace(tzinfo=BEIJING)
        end = end.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misuse("import.ends_invalid") from None
    if end > LATEST:
        raise Misuse("import.ends_invalid")
    return end


def _flag(text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise Misuse("import.flag_invalid")


def _private(text: str) -> bytes:
    try:
        return parse_private(text)
    except ValueError:
        raise Misuse("import.sm2_key_invalid") from None
