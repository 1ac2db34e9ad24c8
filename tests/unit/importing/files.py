"""Import files for tests: random keys, and a file of every kind of record as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterable, Mapping

from inkgate.service.importing.records import COLUMNS

Fields = dict[str, str]


def pair(length: int = 32) -> Fields:
    """A random identifier and secret of `length` hex digits, as the public endpoint issues them."""
    return {"id": secrets.token_hex(32)[:length], "secret": secrets.token_hex(32)[:length]}


def company(name: str = "云上公司", app: str = "扫描前台") -> list[Fields]:
    """An account with a sub-account, keys of two lengths, an app with two capabilities and a pack, and a free pack."""
    return [
        {"record": "account", "account": name},
        {"record": "account", "account": f"{name}分部", "parent": name},
        {"record": "key", "account": name, **pair(31)},
        {"record": "key", "account": f"{name}分部", **pair()},
        {"record": "app", "account": name, "app": app, **pair(), "allowed": "127.0.0.0/8 ::1", "description": "一号门"},
        {"record": "capability", "app": app, "capability": "general", "qps": "25", "allowed": "127.0.0.1"},
        {"record": "capability", "app": app, "capability": "licence"},
        {"record": "pack", "app": app, "capability": "general", "units": "1200", "ends": "2027-03-31"},
        {"record": "pack", "account": name, "capability": "idcard", "units": "5", "ends": "2027-03-31T12:00:00+08:00"},
    ]


def as_csv(records: Iterable[Mapping[str, str]], columns: Iterable[str] = COLUMNS) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(columns), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode("utf-8-sig")


def as_json(records: Iterable[Mapping[str, object]]) -> bytes:
    return json.dumps({"records": list(records)}, ensure_ascii=False).encode()
