"""From the bytes of an import file to rows of text. Pure; bounded in bytes, rows and length of fields."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inkgate.service.errors import Misuse
from inkgate.service.importing.records import COLUMNS, Problem

MAX_FILE_BYTES = 1024 * 1024
MAX_ROWS = 2000
MAX_LENGTHS: Mapping[str, int] = {"allowed": 5000, "sm2_private_key": 1000, "description": 500}
"""Most characters of a field; of every other one `MAX_LENGTH`."""

MAX_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Row:
    """One record as text, blanks around the fields removed. Fields that are absent or empty are left out."""

    number: int
    fields: Mapping[str, str] = field(repr=False)


def read(data: bytes) -> tuple[list[Row], list[Problem]]:
    """The rows of a CSV or JSON file in UTF-8, and the problems of those that have none of the two forms.

    Raises Misuse when the file as a whole cannot be read.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Misuse("import.file_too_large", most=MAX_FILE_BYTES // 1024)
    try:
        text = data.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError:
        raise Misuse("import.file_not_utf8") from None
    found, problems = _json(text) if text.lstrip()[:1] in ("[", "{") else _csv(text)
    if not found and not problems:
        raise Misuse("import.file_empty")
    rows = []
    for row in found:
        unfit = [name for name, value in row.fields.items() if not _fits(name, value)]
        problems += [Problem(row.number, name, _too_long(name)) for name in unfit]
        if not unfit:
            rows.append(row)
    return rows, problems


def _fits(name: str, value: str) -> bool:
    storable = all(each.isprintable() or each in "\r\n\t" for each in value)
    return storable and len(value) <= MAX_LENGTHS.get(name, MAX_LENGTH)


def _too_long(name: str) -> Misuse:
    return Misuse("import.field_unfit", most=MAX_LENGTHS.get(name, MAX_LENGTH))


def _csv(text: str) -> tuple[list[Row], list[Problem]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        rows, problems = [], []
        for number, cells in enumerate(reader, 2):
            if number > MAX_ROWS + 1:
                raise Misuse("import.file_too_many_rows", most=MAX_ROWS)
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if len(stripped) > len(header) and any(stripped[len(header) :]):
                problems.append(Problem(number, "", Misuse("import.row_too_long")))
                continue
            rows.append(Row(number, {name: cell for name, cell in zip(header, stripped, strict=False) if cell}))
    except csv.Error:
        raise Misuse("import.file_not_csv", line=reader.line_num) from None
    return rows, problems


def _check_header(header: list[str]) -> None:
    if "record" not in header or len(set(header)) != len(header) or not set(header) <= set(COLUMNS):
        raise Misuse("import.header_invalid", choices=COLUMNS)


def _json(text: str) -> tuple[list[Row], list[Problem]]:
    try:
        # Numbers stay as they are written; 4300 digits of an integer would raise ValueError.
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise Misuse("import.file_not_json") from None
    records = found.get("records") if isinstance(found, dict) and set(found) == {"records"} else found
    if not isinstance(records, list):
        raise Misuse("import.file_not_json")
    if len(records) > MAX_ROWS:
        raise Misuse("import.file_too_many_rows", most=MAX_ROWS)
    rows, problems = [], []
    for number, record in enumerate(records, 1):
        row = _record(number, record)
        if isinstance(row, Problem):
            problems.append(row)
        else:
            rows.append(row)
    return rows, problems


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file. Raises ValueError for a name that occurs twice: which value counts would be a guess."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _record(number: int, record: object) -> Row | Problem:
    if not isinstance(record, dict):
        return Problem(number, "", Misuse("import.record_not_object"))
    if not set(record) <= set(COLUMNS):
        return Problem(number, "", Misuse("import.field_unknown", choices=COLUMNS))
    texts = {}
    for name, value in record.items():
        text = _text(value)
        if text is None:
            return Problem(number, name, Misuse("import.value_nested"))
        texts[name] = text.strip()
    return Row(number, {name: text for name, text in texts.items() if text})


def _text(value: object) -> str | None:
    """A JSON value as a CSV file writes it; None for what has no such form."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(value) if all(isinstance(each, str) for each in value) else None
    return value if isinstance(value, str) else None
