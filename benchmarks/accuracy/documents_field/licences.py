"""Licences with terms without an end, foreign representatives, types in two rows, curled sheets and round zeros."""

# ruff: noqa: E501 - the rows of the forms are tables

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.accuracy.documents_field.drawing import Case, Sheet, curl, on_table
from inkgate.engines.document.checks import is_valid_credit_code
from inkgate.engines.types import Image

SPELLINGS = {
    "name": "名称", "type": "类型", "addr": "住所", "legal_rep": "法定代表人", "regist_capital": "注册资本",
    "establish_date": "成立日期", "operation_period": "营业期限",
}  # fmt: skip # a table of words
Firm = dict[str, str]
LATIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def firm(**changes: str) -> Firm:
    """The fields of a licence."""
    body = "91340202MA2WK83P4"
    code = next(text for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_valid_credit_code(text := body + c))
    fields = {
        "union_id": code, "regist_no": "", "name": "芜湖市启航机械制造有限公司", "type": "有限责任公司(自然人独资)",
        "addr": "安徽省芜湖市镜湖区文昌路86号3幢", "legal_rep": "韩知远", "regist_capital": "伍佰万元整",
        "establish_date": "2012年05月16日", "operation_period": "2012年05月16日至2032年05月15日",
    }  # fmt: skip # one row of fields to a line
    return fields | changes


def draw(f: Firm, printed: dict[str, str] | None = None, labels: dict[str, str] | None = None) -> Image:
    """A one-column form. `printed` replaces values by what is printed, "|" between rows of it."""
    s = Sheet(210, 250, 6, (238, 244, 248))
    s.disc(105, 18, 11, (206, 70, 60))
    s.text(62, 48, "营业执照", 15, "heavy", gap=8)
    s.text(60, 66, "统一社会信用代码", 4.6, "serif")
    s.text(100, 66, f["union_id"], 4.8, "bold")
    y = 84.0
    for key, label in (SPELLINGS | (labels or {})).items():
        value = (printed or {}).get(key, f[key])
        if not value:
            continue
        s.spread(28, y, label, 4.6, max(30, 4.7 * len(label)))
        rows = value.split("|")
        for i, row in enumerate(rows):
            (s.run if LATIN & set(row) else s.text)(66, y + 6.4 * i, row, 4.4)
        y += 12.5 + 6.4 * (len(rows) - 1)
    s.spread(28, y, "经营范围", 4.6, 30)
    s.text(66, y, "机械设备的制造与销售,货物进出口。", 4.4)
    s.text(128, 226, "登记机关", 4.6, "serif", gap=1)
    return s.image()


def answer(f: Firm) -> dict[str, Any]:
    """The answer for a one-column form."""
    return {"is_licence": True, **f}


def _case(kind: str, variant: str, f: Firm, image: Image) -> Case:
    return Case(kind, variant, "licence", image, [answer(f)])


def terms() -> Iterator[Case]:
    """Terms without an end."""
    start = "2012年05月16日"
    for printed, value in (
        (f"{start} 至 无固定期限", f"{start}至无固定期限"),
        (f"{start}至无固定期限", f"{start}至无固定期限"),
        (f"自{start}|至无固定期限", f"{start}至无固定期限"),
        (f"{start}至不约定期限", f"{start}至不约定期限"),
        (f"{start} 至 长期", f"{start}至长期"),
        ("无固定期限", "无固定期限"),
        ("长期", "长期"),
    ):
        f = firm(operation_period=value)
        yield _case("term without an end", printed, f, on_table(draw(f, {"operation_period": printed}), 1, 0.05))


def foreign() -> Iterator[Case]:
    """Representatives with foreign names."""
    for name in (
        "JEAN PIERRE MOREAU", "MARTIN JOSEF GRÜNWALD", "Jürgen Müller", "KIM MIN JUN", "ANNA-LENA VAN DER BERG",
        "O'NEILL, PATRICK JOHN", "YAMADA TARO", "LÜ MEIHUA",
    ):  # fmt: skip # names, many to a row
        f = firm(legal_rep=name, type="有限责任公司(外国法人独资)")
        yield _case("foreign representative", name, f, on_table(draw(f), -1, 0.05))


def types() -> Iterator[Case]:
    """Types whose closing half is in a second row, or runs to the edge."""
    for printed in (
        "有限责任公司(自然人投资|或控股)", "有限责任公司(非自然人投资或控股的|法人独资)", "有限责任公司(自然人投资或控股|的法人独资)",
        "股份有限公司(非上市、自然人|投资或控股)", "有限责任公司(台港澳与境内|合资)", "有限责任公司(外商投资、|非独资)",
    ):  # fmt: skip # types, many to a row
        f = firm(type=printed.replace("|", ""))
        yield _case("type in two rows", printed, f, on_table(draw(f, {"type": printed}), 1, 0.05))


def curled() -> Iterator[Case]:
    """Curled sheets with values in two rows."""
    printed = {
        "name": "芜湖市镜湖区启航机械制造|有限责任公司",
        "addr": "安徽省芜湖市镜湖区文昌路86号|启航科技园3幢2单元1801室",
    }
    f = firm(**{key: value.replace("|", "") for key, value in printed.items()})
    for bend in (0.015, -0.015, 0.025, -0.025, 0.035, -0.035):
        yield _case("curled licence", str(bend), f, on_table(curl(draw(f, printed), bend), 1, 0.05))


def zeros() -> Iterator[Case]:
    """Dates in Chinese numerals with either form of the zero."""
    for zero in "〇○":
        for year, end in (("二{}一二", "二{}三二"), ("二{0}{0}五", "二{0}二五"), ("二{0}一{0}", "二{0}三{0}")):
            first, last = (f"{each.format(zero)}年五月{day}日" for each, day in ((year, "十六"), (end, "十五")))
            f = firm(establish_date=first, operation_period=f"{first}至{last}")
            yield _case("round zeros", first, f, on_table(draw(f), 1, 0.05))


def capitals() -> Iterator[Case]:
    """Two columns whose neighbours are close to short values."""
    for variant, x in (("wide", 150.0), ("close", 118.0), ("closer", 112.0), ("closest", 108.0)):
        for name in ("伍佰万元整", "人民币200万元"):
            f = firm(regist_capital=name)
            s = Sheet(297, 190, 5, (238, 244, 248))
            s.text(105, 26, "营业执照", 14, "heavy", gap=8)
            s.text(20, 44, "统一社会信用代码", 4.4, "serif")
            s.text(20, 51, f["union_id"], 4.4, "bold")
            left = [("名称", f["name"]), ("类型", f["type"]), ("法定代表人", f["legal_rep"]), ("注册资本", name)]
            right = [("成立日期", f["establish_date"]), ("营业期限", "长期"), ("住所", f["addr"])]
            for i, (label, value) in enumerate(left):
                s.spread(20, 66 + 11 * i, label, 4.4, 26)
                s.text(50, 66 + 11 * i, value, 4.2)
            for i, (label, value) in enumerate(right):
                s.spread(x + 26, 88 + 11 * i, label, 4.4, 22)
                s.text(x + 52, 88 + 11 * i, value, 4.2)
            f = f | {"operation_period": "长期"}
            yield Case("close neighbours", f"{variant} {name}", "licence", s.image(), [answer(f)])
