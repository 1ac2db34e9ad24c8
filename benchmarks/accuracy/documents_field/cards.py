"""Identity cards beside other print, with labels inside values, long names, long addresses, and documents that are
none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.accuracy.documents_field.drawing import (
    BLUE,
    Case,
    Sheet,
    curl,
    on_table,
    paste,
    photocopy,
    table,
)
from inkgate.engines.document.checks import is_valid_id_number
from inkgate.engines.types import Image

KEYS = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")
NO_CARD: dict[str, Any] = {"note": "", **dict.fromkeys(KEYS, "")}
Person = dict[str, str]
SCALE = 11.0


def number(region: str, birthday: str, serial: str) -> str:
    """An identity number with its check character."""
    return next(text for c in "0123456789X" if is_valid_id_number(text := region + birthday + serial + c))


def person(
    name: str = "韩知远",
    addr: str = "安徽省芜湖市镜湖区滨江路18号2栋601室",
    *,
    sex: str = "男",
    nation: str = "汉",
    birthday: str = "19881105",
    region: str = "340202",
    org: str = "芜湖市公安局镜湖分局",
    validperiod: str = "2015.06.18-2035.06.18",
) -> Person:
    """The eight fields of a card."""
    serial = "931" if sex == "男" else "946"
    return {
        "name": name, "sex": sex, "nation": nation, "birthday": birthday, "idn": number(region, birthday, serial),
        "addr": addr, "org": org, "validperiod": validperiod,
    }  # fmt: skip # one row of fields to a line


FIRST = person()
SECOND = person(
    "苏晚晴", "四川省绵阳市涪城区东湖街52号1单元302室", sex="女", birthday="19930224", region="510703",
    org="绵阳市公安局涪城分局", validperiod="2018.03.09-2028.03.09",
)  # fmt: skip # a table of fields


def portrait_answer(p: Person) -> dict[str, Any]:
    """The answer for the portrait side alone."""
    return {"note": "back", **p, "org": "", "validperiod": ""}


def emblem_answer(p: Person) -> dict[str, Any]:
    """The answer for the emblem side alone."""
    return NO_CARD | {"note": "front", "org": p["org"], "validperiod": p["validperiod"]}


def portrait(p: Person, scale: float = SCALE, name_rows: tuple[str, ...] = ()) -> Image:
    """The portrait side, 85.6 x 54 mm. `name_rows` replaces the name by several rows."""
    s = Sheet(85.6, 54, scale)
    x, value, mm, small = 5.5, 16.5, 3.0, 2.6
    s.text(x, 8.5, "姓名", small, fill=BLUE, gap=1.4)
    for i, row in enumerate(name_rows or (p["name"],)):
        s.text(value, 8.5 + 3.6 * i - (1.2 if name_rows else 0), row, 2.8 if name_rows else 3.3, gap=0.4)
    s.text(x, 15, "性别", small, fill=BLUE, gap=1.4)
    s.text(value, 15, p["sex"], mm)
    if p["nation"]:
        s.text(value + 9, 15, "民族", small, fill=BLUE, gap=1.2)
        s.text(value + 17, 15, p["nation"], mm)
    s.text(x, 21, "出生", small, fill=BLUE, gap=1.4)
    at = value
    for digits, unit in ((p["birthday"][:4], "年"), (p["birthday"][4:6], "月"), (p["birthday"][6:], "日")):
        at = s.text(at, 21, digits.lstrip("0"), mm) + 0.8
        at = s.text(at, 21, unit, small, fill=BLUE) + 1.2
    s.text(x, 27, "住址", small, fill=BLUE, gap=1.4)
    s.wrapped(value, 27, p["addr"], mm, 36, 4.2)
    s.text(x, 47.5, "公民身份号码", small, fill=BLUE, gap=0.3)
    s.text(x + 23, 47.5, p["idn"], 3.4, "bold", gap=0.4)
    s.box(58, 10, 79, 38, (196, 206, 212))
    s.disc(68.5, 20, 5.5, (150, 120, 104))
    return s.image()


def emblem(p: Person, scale: float = SCALE, title: str = "居民身份证") -> Image:
    """The emblem side."""
    s = Sheet(85.6, 54, scale, (236, 232, 230))
    s.disc(14, 13, 7, (206, 70, 60))
    s.text(28, 11, "中华人民共和国", 4.4, "serif", gap=1.4)
    s.text(26, 20, title, 6.6, "heavy", gap=1.4)
    for y, label, words in ((40.5, "签发机关", p["org"]), (47, "有效期限", p["validperiod"])):
        s.text(19, y, label, 2.7, "bold")
        s.text(34, y, words, 3.0)
    return s.image()


def labels_in_values() -> Iterator[Case]:
    """Values that contain a word which is also a label."""
    addresses = {
        "nation inside a row": "广西柳州市城中区民族路27号3栋",
        "nation at the beginning of a row": "广西南宁市青秀区东葛民族大道146号嘉和园1栋",
        "twice": "云南省大理市下关镇民族路民族巷9号",
        "citizen": "湖北省孝感市孝南区公民新村5栋2单元403室",
        "birth": "福建省莆田市涵江区出生坑村12号",
        "address": "河北省廊坊市广阳区住址街3号院6号楼",
        "authority": "辽宁省鞍山市铁东区有效街民族里签发机关胡同8号",
    }
    for variant, addr in addresses.items():
        p = person(addr=addr)
        yield Case("label inside a value", variant, "idcard", on_table(portrait(p), -2), [portrait_answer(p)])
    for variant, org in {"authority of a township": "三都县公安局民族分局", "province": "广西民族区公安局"}.items():
        p = person(org=org)
        yield Case("label inside a value", variant, "idcard", on_table(emblem(p)), [emblem_answer(p)])
    p = person("黎民族")
    yield Case("label inside a value", "name", "idcard", on_table(portrait(p)), [portrait_answer(p)])


def _form(rows: list[str], scale: float = SCALE) -> Image:
    s = Sheet(60, 8 + 6 * len(rows), scale, (236, 236, 232))
    for i, row in enumerate(rows):
        s.text(4, 7 + 6 * i, row, 3.2)
    return s.image()


def beside_print() -> Iterator[Case]:
    """A card beside a form that has the same labels."""
    forms = {
        "visitors": ["访客登记表", "姓名 单位 事由 来访时间"],
        "filled in": ["来访人员登记", "姓名:周正文 性别:男", "单位:东湖物业公司"],
        "labels below each other": ["报名表", "姓名 何欣怡", "性别 女", "民族 汉", "出生 1999年8月"],
        "register": ["序号 姓名 性别 住址", "1 郑建业 男 东湖街8号", "2 唐雪梅 女 学院路3号"],
        "address": ["收件人姓名 邓一鸣", "住址 金桥路77号"],
    }
    card = portrait(FIRST)
    height, width = card.shape[:2]
    places = (
        (0.1, 0.05, 0.35, 0.75),
        (0.1, 0.75, 0.3, 0.1),
        (0.02, 0.2, 0.72, 0.35),
        (0.3, 0.05, 0.2, 0.8),
        (0.7, 0.3, 0.05, 0.4),
    )
    for (variant, rows), (fx, fy, cx, cy), angle in zip(forms.items(), places, (4, -3, 2, -5, 3), strict=True):
        desk = table(2 * width, 2 * height)
        form = _form(rows)
        desk = paste(desk, form, round(fx * width), round(fy * height * 1.6))
        y = min(round(cy * height * 1.2), desk.shape[0] - height - 40)
        desk = paste(desk, card, round(cx * 2 * width * 0.72), y, angle)
        yield Case("card beside other print", variant, "idcard", desk, [portrait_answer(FIRST)])


def two_persons() -> Iterator[Case]:
    """Cards of two persons in one image: one of them is answered whole."""
    a, b = portrait(FIRST, 9), portrait(SECOND, 9)
    ea, eb = emblem(FIRST, 9), emblem(SECOND, 9)
    h, w = a.shape[:2]
    one = [portrait_answer(FIRST), portrait_answer(SECOND)]
    whole = [*one, {"note": "back", **FIRST}, {"note": "back", **SECOND}]
    white = (250, 250, 250)

    def at(*cards: tuple[Image, float, float, float], size: tuple[float, float]) -> Image:
        page = table(round(size[0] * w), round(size[1] * h), white)
        for card, x, y, angle in cards:
            page = paste(page, card, round(x * w), round(y * h), angle)
        return page

    kind = "two persons' cards"
    yield Case(kind, "stacked", "idcard", at((a, 0.2, 0.3, 0), (b, 0.2, 1.6, 0), size=(1.4, 3)), one)
    yield Case(kind, "close", "idcard", at((a, 0.2, 0.1, 0), (b, 0.22, 1.13, 0.5), size=(1.4, 2.3)), one)
    yield Case(kind, "side by side", "idcard", at((a, 0.1, 0.2, 0), (b, 1.2, 0.2, 0), size=(2.3, 1.4)), one)
    yield Case(kind, "tilted", "idcard", at((a, 0.2, 0.2, 3), (b, 0.35, 1.5, -4), size=(1.6, 2.8)), one)
    yield Case(kind, "copy", "idcard", photocopy(at((b, 0.3, 0.4, 1), (a, 0.25, 1.8, 0), size=(1.6, 3.4))), one)
    four = at((a, 0.1, 0.2, 0), (ea, 1.2, 0.2, 0), (b, 0.1, 1.5, 0), (eb, 1.2, 1.5, 0), size=(2.3, 2.8))
    yield Case(kind, "both sides in rows", "idcard", four, whole)
    four = at((a, 0.1, 0.2, 0), (b, 1.2, 0.2, 0), (ea, 0.1, 1.5, 0), (eb, 1.2, 1.5, 0), size=(2.3, 2.8))
    yield Case(kind, "both sides in columns", "idcard", four, whole)
    emblems = at((ea, 0.2, 0.3, 0), (eb, 0.2, 1.6, 0), size=(1.4, 3))
    yield Case(kind, "emblem sides", "idcard", emblems, [emblem_answer(FIRST), emblem_answer(SECOND)])


def long_names() -> Iterator[Case]:
    """Names of minorities in two rows beside their label."""
    for rows in (
        ("阿卜杜热合曼·", "买买提艾力"),
        ("古丽尼格尔·", "阿卜杜克热木"),
        ("木合塔尔江·吐尔", "逊买买提"),
        ("努尔艾合买提·", "麦麦提依明"),
        ("达瓦次仁仁增·", "旺姆"),
        ("哈尼克孜·买合木", "提江"),
    ):
        p = person("".join(rows), "新疆喀什地区疏勒县巴仁乡8村12号", nation="维吾尔", region="653122")
        image = on_table(portrait(p, name_rows=rows), 1.5)
        yield Case("name in two rows", p["name"], "idcard", image, [portrait_answer(p)])


def long_addresses() -> Iterator[Case]:
    """Addresses of three and four rows whose last row is short, flat and curled."""
    addresses = (
        "内蒙古呼和浩特市赛罕区大学东街道学府花园小区12号楼3单元501室",
        "贵州省黔东南苗族侗族自治州凯里市开怀街道金井路翡翠城二期8栋1单元1203号(东)",
        "广东省汕头市龙湖区新溪街道下头合社区中心路东三巷5号之一A座",
        "重庆市酉阳土家族苗族自治县桃花源街道桃花源大道中路118号附9号",
        "浙江省温州市龙港市龙港镇江滨路与人民路交叉口嘉禾大厦2单元1801室(原江口乡)",
        "甘肃省临夏回族自治州积石山保安族东乡族撒拉族自治县吹麻滩镇东街村7社",
    )
    for i, addr in enumerate(addresses):
        p = person(addr=addr, region="150105")
        card = portrait(p)
        yield Case("long address", addr[-6:], "idcard", on_table(card, 1), [portrait_answer(p)])
        bent = on_table(curl(card, (0.03, -0.03, 0.045)[i % 3]), -1)
        yield Case("curled card", addr[-6:], "idcard", bent, [portrait_answer(p)])


def copies() -> Iterator[Case]:
    """Both sides on copies of A4 at usual resolutions, and curled emblem sides."""
    for dpi, x, gap in ((100, 60, 20), (110, 40, 40), (130, 90, 12), (150, 62, 30), (200, 62, 30)):
        k = dpi / 25.4
        page = table(round(210 * k), round(297 * k), (252, 252, 252))
        page = paste(page, portrait(FIRST, k), round(x * k), round(50 * k), 0.6)
        page = paste(page, emblem(FIRST, k), round(x * k), round((104 + gap) * k), -0.4)
        yield Case("copy on A4", f"{dpi} dpi", "idcard", photocopy(page), [{"note": "back", **FIRST}])
    for bend in (0.03, -0.03, 0.05, -0.05, 0.06):
        for validperiod in ("2015.06.18-2035.06.18", "2009.11.02-长期"):
            p = FIRST | {"validperiod": validperiod}
            bent = on_table(curl(emblem(p), bend), 1)
            yield Case("curled emblem side", f"{bend} {validperiod[-4:]}", "idcard", bent, [emblem_answer(p)])


def cases() -> Iterator[Case]:
    """Every drawn card."""
    for each in (labels_in_values, beside_print, two_persons, long_names, long_addresses, copies):
        yield from each()
