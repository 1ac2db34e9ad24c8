"""CSV writer for all exports; escapes cells that a spreadsheet would evaluate as a formula.

Request ids, names and reasons come from clients and customers; operators open exports in a spreadsheet, which evaluates
cells that begin with = + - @, also in their full-width forms and after blanks or quotes. Such a cell is prefixed with
an apostrophe, which marks text in spreadsheets. Numbers are not changed. Some spreadsheets split lines at semicolons or
tabs, so text after one of these inside a cell is treated as the beginning of a cell.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import IO

FORMULA_STARTS = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−"
IGNORED_PREFIX = "\\s\\x00-\\x1f\\x7f\"'`´‘’“”＂＇\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
"""Characters that spreadsheets ignore at the beginning of a cell."""

FORMULA = re.compile(f"[{IGNORED_PREFIX}]*[{FORMULA_STARTS}]|[\t\r\n]")
INNER_FORMULA = re.compile(f"([;\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029])(?=[{IGNORED_PREFIX}]*[{FORMULA_STARTS}])")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class CsvWriter:
    """Writes rows of CSV to a text file; open it with newline=""."""

    def __init__(self, out: IO[str]) -> None:
        self._writer = csv.writer(out)

    def row(self, cells: Iterable[object]) -> None:
        """Write a row. Times become ISO 8601, None an empty cell; formulas are escaped."""
        self._writer.writerow([csv_cell(each) for each in cells])


def csv_cell(value: object) -> object:
    """The value as it is written to a cell."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal) and isfinite(value):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    if NUMBER.fullmatch(text):
        return text
    text = INNER_FORMULA.sub(r"\1'", text)
    return "'" + text if FORMULA.match(text) else text
