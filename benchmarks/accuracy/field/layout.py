"""Reading order of newspapers, tables, forms, receipts and vertical writing."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw

from benchmarks.accuracy.field import drawing, wording
from benchmarks.accuracy.field.cases import Case, Kind, in_order, page_case


def _column(page: Image.Image, lines: list[str], left: int, top: int, size: int, pitch: int) -> None:
    for row, line in enumerate(lines):
        drawing.write(page, (left, top + pitch * row), line, size, drawing.SERIF)


def newspaper(random: Random) -> Case:
    """Three or four columns under a headline, slightly tilted."""
    columns, rows, size = random.choice((3, 3, 4)), random.randint(6, 12), 22
    width = 18 * size
    page = drawing.sheet(80 + columns * width, 190 + rows * 34)
    headline = random.choice(wording.HEADLINES)
    drawing.write(page, ((page.width - drawing.text_width(headline, 48)) / 2, 40), headline, 48, drawing.SERIF_BOLD)
    order = [headline]
    for column in range(columns):
        lines = [random.choice(wording.SENTENCES) for _ in range(rows)]
        _column(page, lines, 50 + column * width, 140, size, 34)
        order += lines
    return page_case(drawing.jpeg(drawing.photograph(page, random, tilt=0.006)), in_order(order))


def unequal_columns(random: Random) -> Case:
    """A narrow column of short lines beside a wide one, of different lengths, each from its own top."""
    size, rows = 22, random.randint(8, 12)
    short = [f"{line[:7]}" for line in drawing.pick(random, wording.SENTENCES, rows - 2)]
    wide = [
        "".join(pair) for pair in zip(*(drawing.pick(random, wording.SENTENCES, rows) for _ in range(2)), strict=True)
    ]
    page = drawing.sheet(1120, 120 + rows * 36)
    left_first = random.random() < 0.5
    columns = [(short, 40), (wide, 260)] if left_first else [(wide, 40), (short, 880)]
    for lines, left in columns:
        _column(page, lines, left, 60, size, 36)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order([*columns[0][0], *columns[1][0]]))


def headline_across(random: Random) -> Case:
    """Two articles one above the other, each with a headline across its two columns."""
    size, page = 22, drawing.sheet(900, 900)
    order: list[str] = []
    for part, headline in enumerate(drawing.pick(random, wording.HEADLINES, 2)):
        top, rows = 40 + 420 * part, random.randint(5, 8)
        headline = f"{headline}：{random.choice(wording.SENTENCES)[:-1]}"
        drawing.write(page, (60, top), headline, 34, drawing.SERIF_BOLD)
        order.append(headline)
        for column in range(2):
            lines = drawing.pick(random, wording.SENTENCES, rows)
            _column(page, lines, 50 + 420 * column, top + 80, size, 36)
            order += lines
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order(order))


def table_in_perspective(random: Random) -> Case:
    """A table of five columns seen from aside: rows are not parallel in the image."""
    rows, page = random.randint(9, 13), drawing.sheet(1440, 900)
    order: list[str] = []
    pitch = 780 // rows
    for row, name in enumerate(random.choices(wording.NAMES, k=rows)):
        cells = [
            name,
            str(70 + 3 * row),
            f"2026-05-{row + 10}",
            f"{1200 + 137 * row}.50",
            random.choice(("合格", "良好", "优秀")),
        ]
        for left, cell in zip((60, 330, 620, 920, 1220), cells, strict=True):
            drawing.write(page, (left, 60 + pitch * row), cell, 32)
        order += cells
    return page_case(drawing.jpeg(drawing.side_view(page, random, random.uniform(0.15, 0.32))), in_order(order))


def receipt(random: Random) -> Case:
    """Items with a quantity and an amount at the right edge, then totals."""
    goods = drawing.pick(random, ("鲜牛奶", "全麦面包", "苹果", "洗衣液", "矿泉水", "鸡蛋", "抽纸", "酸奶"), 5)
    page = drawing.sheet(460, 560)
    title = random.choice(("东门便利店", "利民超市", "向阳百货"))
    drawing.write(page, ((460 - drawing.text_width(title, 34)) / 2, 24), title, 34)
    order = [title]
    for row, item in enumerate(goods):
        amount, top = f"{random.randint(3, 88)}.{random.randint(0, 9)}0", 100 + 56 * row
        for left, cell in ((30, item), (240, f"x{row + 1}"), (430 - drawing.text_width(amount, 24), amount)):
            drawing.write(page, (left, top), cell, 24)
        order += [item, f"x{row + 1}", amount]
    total = f"{random.randint(100, 300)}.00"
    drawing.write(page, (30, 420), "合计", 28)
    drawing.write(page, (430 - drawing.text_width(total, 28), 420), total, 28)
    return page_case(drawing.jpeg(drawing.photograph(page, random, tilt=0.006)), in_order([*order, "合计", total]))


def two_column_form(random: Random) -> Case:
    """Labels and values in two columns of fields: read row by row."""
    labels = (("姓名", "性别"), ("部门", "工号"), ("学历", "专业"), ("电话", "邮编"), ("入职日期", "合同期限"))
    values = (
        (random.choice(wording.NAMES), random.choice("男女")),
        ("设备管理科", str(random.randint(10000, 99999))),
        (random.choice(("本科", "硕士", "大专")), "机械工程"),
        (f"0{random.randint(200, 999)}-{random.randint(2000000, 8999999)}", str(random.randint(100000, 799999))),
        ("2019年03月18日", "五年"),
    )
    page = drawing.sheet(900, 90 + 70 * len(labels))
    order: list[str] = []
    for row, (names, contents) in enumerate(zip(labels, values, strict=True)):
        for column, (label, value) in enumerate(zip(names, contents, strict=True)):
            left, top = 50 + 430 * column, 50 + 70 * row
            ImageDraw.Draw(page).rectangle((left - 14, top - 14, left + 416, top + 56), outline=(90, 90, 90))
            drawing.write(page, (left, top), label, 26)
            drawing.write(page, (left + 150, top), value, 26)
            order += [label, value]
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order(order))


def vertical_with_stops(random: Random) -> Case:
    """Vertical writing from the right, each column ending with a comma or a stop."""
    columns = drawing.pick(random, [line for line in wording.SENTENCES if len(line) < 17], 4)
    columns = [line[-random.randint(6, 8) :].lstrip("，。") for line in columns]
    size = random.randint(36, 46)
    page = drawing.sheet(120 + 4 * 2 * size, 160 + 10 * size)
    for at, line in enumerate(columns):
        drawing.write_column(page, (page.width - 60 - size - 2 * size * at, 70), line, size, drawing.SERIF)
    return page_case(drawing.jpeg(drawing.photograph(page, random)), in_order(columns))


KINDS = (
    Kind("newspaper of three or four columns", newspaper, variants=5, floor=0.8),
    Kind("columns of unequal width", unequal_columns, variants=5),
    Kind("headline across two columns", headline_across, variants=5),
    Kind("table in perspective", table_in_perspective, variants=5),
    Kind("receipt", receipt, variants=5),
    Kind("form of two columns", two_column_form, variants=5),
    Kind("vertical writing with stops", vertical_with_stops, floor=0.85),
)
