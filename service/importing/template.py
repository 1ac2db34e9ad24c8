"""The template of an import file: one row of each kind of record, to be replaced."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.csv_export import CsvWriter
from inkgate.service.importing.records import COLUMNS, FIELDS

_CAPABILITY = next(iter(CAPABILITIES))

EXAMPLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "account": {"account": "我的公司"},
        "key": {"account": "我的公司", "id": "<AccessKey>", "secret": "<SecurityKey>"},
        "app": {
            "account": "我的公司",
            "app": "扫描前台",
            "id": "<AppKey>",
            "secret": "<AppSecret>",
            "allowed": "192.0.2.0/24",
            "seals": "no",
            "description": "门店扫描",
        },
        "capability": {"app": "扫描前台", "capability": _CAPABILITY, "qps": "10"},
        "pack": {"app": "扫描前台", "capability": _CAPABILITY, "units": "250000", "ends": "2027-03-31"},
    }
)
"""Kind → the fields of its row. No import accepts its keys: they have to be replaced."""


def template(kinds: Sequence[str] = tuple(FIELDS), *, as_json: bool = False) -> str:
    """A file with one example of each of `kinds`, as CSV or JSON."""
    records = [{"record": kind, **EXAMPLES[kind]} for kind in kinds]
    if as_json:
        return json.dumps({"records": records}, ensure_ascii=False, indent=2) + "\n"
    used = [name for name in COLUMNS if any(name in (*sum(FIELDS[kind], ()), "record") for kind in kinds)]
    out = io.StringIO(newline="")
    writer = CsvWriter(out)
    writer.row(used)
    for record in records:
        writer.row(record.get(name, "") for name in used)
    return out.getvalue()
