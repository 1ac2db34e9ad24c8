"""Documents with labels of identity cards that are none: register pages, permits, passports, social-security cards."""

# ruff: noqa: E501 - the rows of the forms are tables

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.accuracy.documents_field.cards import FIRST, NO_CARD, SCALE, SECOND, Person
from benchmarks.accuracy.documents_field.drawing import GREY, Case, Sheet, curl, on_table, photocopy
from inkgate.engines.types import Image

Rows = list[tuple[str, str]]


def _register(p: Person, number_label: str, title: str) -> Image:
    s = Sheet(140, 96, 8, (240, 236, 226))
    s.text(52, 9, title, 5, "heavy", gap=2)
    left = [("姓名", p["name"]), ("曾用名", ""), ("出生地", "安徽省芜湖市"), ("籍贯", "安徽省宣城市"), ("本市(县)其他住址", ""),
            (number_label, p["idn"]), ("文化程度", "大学本科"), ("服务处所", "")]  # fmt: skip # rows of the form
    right = [("户主或与户主关系", "户主"), ("性别", p["sex"]), ("民族", "汉族"), ("出生日期", "1988年11月05日"), ("宗教信仰", ""),
             ("身高", "176厘米"), ("婚姻状况", "未婚"), ("职业", "")]  # fmt: skip # rows of the form
    for i, ((label, value), (label_right, value_right)) in enumerate(zip(left, right, strict=True)):
        y = 16 + 9.4 * i
        for x0, x1 in ((6, 32), (32, 78), (78, 106), (106, 134)):
            s.box(x0, y, x1, y + 9.4, None, GREY)
        for x, words, mm in (
            (7.5, label, 2.9),
            (33.5, value, 3.2),
            (79.5, label_right, 2.9),
            (107.5, value_right, 3.2),
        ):
            s.text(x, y + 4.7, words, mm, "serif")
    return s.image()


def _booklet(title: str, rows: Rows, latin: str = "", scale: float = SCALE) -> Image:
    s = Sheet(88, 56, scale, (226, 234, 228))
    s.text(28, 6, title, 4)
    s.run(28, 11, latin, 3)
    s.box(5, 16, 24, 44, (196, 206, 212))
    for i, (label, value) in enumerate(rows):
        y = 16 + 5.4 * i
        s.run(28, y, label, 2.4, fill=GREY)
        s.text(46, y, value, 2.7)
    return s.image()


def _permits(p: Person) -> dict[str, Image]:
    born, period = "1988.11.05", "2019.04.17-2029.04.16"
    rows = [
        ("姓名", p["name"]),
        ("出生日期", born),
        ("性别", p["sex"]),
        ("有效期限", period),
        ("签发机关", "公安部出入境管理局"),
    ]
    return {
        "往来台湾通行证": _booklet("往来台湾通行证", [*rows, ("签发地点", "安徽")], "L20417386"),
        "往来港澳通行证": _booklet("往来港澳通行证", [*rows, ("签发地点", "安徽")], "C81235170"),
        "回乡证": _booklet("港澳居民来往内地通行证", [*rows, ("换证次数", "01")], "H0123456701"),
        "台胞证": _booklet(
            "台湾居民来往大陆通行证",
            [*rows[:4], ("签发机关", "中华人民共和国出入境管理局"), ("签发次数", "02")],
            "08123456",
        ),
    }


def _passport(p: Person) -> Image:
    s = Sheet(125, 88, 8, (232, 230, 238))
    s.text(44, 8, "护照", 5, "bold")
    s.run(60, 8, "PASSPORT", 4, "bold")
    rows = [("姓名/Name", "韩知远"), ("", "HAN, ZHIYUAN"), ("性别/Sex", "男/M"), ("国籍/Nationality", "中国/CHINESE"),
            ("出生日期/Date of birth", "05 11月/NOV 1988"), ("出生地点/Place of birth", "安徽/ANHUI"), ("签发地点/Place of issue", "安徽/ANHUI"),
            ("签发日期/Date of issue", "06 12月/DEC 2016"), ("有效期至/Date of expiry", "05 12月/DEC 2026"),
            ("签发机关/Authority", "公安部出入境管理局")]  # fmt: skip # rows of the form
    s.box(6, 16, 38, 58, (196, 206, 212))
    for i, (label, value) in enumerate(rows):
        y = 15 + 5.6 * i
        s.run(42, y, label, 2.4, fill=GREY)
        s.run(80, y, value, 3)
    s.run(5, 78, "POCHNHAN<<ZHIYUAN<<<<<<<<<<<<<<<<<<<<<<<<<<<", 3.6)
    s.run(5, 84, "EA12345678CHN8811054M2612057<<<<<<<<<<<<<<02", 3.6)
    return s.image()


def _social_security(p: Person, number_label: str) -> Image:
    rows = [
        ("姓名", p["name"]),
        ("性别", p["sex"]),
        (number_label, p["idn"]),
        ("发卡日期", "2019年06月"),
        ("有效期限", "2019.06.01-2029.06.01"),
    ]
    return _booklet("中华人民共和国社会保障卡", rows)


def cases() -> Iterator[Case]:
    """Documents for which the answer is no identity card."""
    kind, p = "another document", FIRST
    images = {
        "register": on_table(_register(p, "公民身份证件编号", "常住人口登记卡"), -1),
        "register with the card's label": on_table(_register(SECOND, "公民身份号码", "常住人口登记卡"), 1),
        "register, copied": photocopy(_register(SECOND, "公民身份证编号", "常住人口登记卡")),
        "register, curled": on_table(curl(_register(p, "公民身份证件编号", "常住人口登记表"), 0.03)),
        **{name: on_table(image, 1.5) for name, image in _permits(p).items()},
        "往来台湾通行证, curled": on_table(curl(_permits(SECOND)["往来台湾通行证"], 0.03), -1),
        "passport": on_table(_passport(p), 1),
        "passport, copied": photocopy(_passport(p)),
        "social security": on_table(_social_security(p, "社会保障号码"), 1),
        "social security with the card's label": on_table(_social_security(SECOND, "公民身份号码"), -2),
        "health insurance": on_table(_booklet("医疗保险证", [("姓名", p["name"]), ("性别", p["sex"]), ("民族", "汉"), ("身份证号", p["idn"])]), 1),
    }  # fmt: skip # one document to a line
    for variant, image in images.items():
        yield Case(kind, variant, "idcard", image, [NO_CARD])
