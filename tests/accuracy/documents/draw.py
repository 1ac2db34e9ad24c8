"""Draws the less common forms of cards and licences, and what hands and chat programs do to their images.

    python -m tests.accuracy.documents.draw OUT [--seed N] [--each N]

Every person, firm and number is invented; the serial parts of the numbers lie where real ones hardly do. Needs Pillow
and the fonts of Debian's fonts-noto-cjk, fonts-wqy-microhei, fonts-arphic-uming, fonts-arphic-ukai.
"""

# ruff: noqa: E501 - the rows of the forms are tables

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inkgate.engines.document.checks import is_valid_credit_code, is_valid_id_number, is_valid_registration_number
from inkgate.engines.document.places import places_in

FONTS = {
    "sans": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "bold": "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "serif": "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
    "heavy": "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc",
    "micro": "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "ming": "/usr/share/fonts/truetype/arphic/uming.ttc",
    "kai": "/usr/share/fonts/truetype/arphic/ukai.ttc",
}
CARD_KEYS = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")
LICENCE_KEYS = (
    "union_id", "regist_no", "name", "type", "addr", "legal_rep", "regist_capital", "establish_date", "operation_period",
)  # fmt: skip # one row of the form, or its like, to a line
SURNAMES, GIVEN = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗", "建国志强海燕丽华晓明文静思远雨桐子涵佳宁秀英"
STREETS = ("滨江", "文昌", "兴业", "学院", "东湖", "工农", "长安", "金桥")
BRANDS, TRADES = "鼎盛华美通联宏远嘉信启航", ("商贸", "建材", "信息科技", "食品", "机械制造", "文化传播")
CN = "〇一二三四五六七八九"
Label = dict[str, Any]


class Sheet:
    """A sheet in millimetres at `scale` pixels each."""

    def __init__(
        self, r: random.Random, width: float, height: float, scale: float, paper: tuple[int, int, int]
    ) -> None:
        self.r, self.scale = r, scale
        self.image = Image.new("RGB", (round(width * scale), round(height * scale)), paper)
        self.draw = ImageDraw.Draw(self.image)
        for _ in range(26):  # pale pattern of the background
            y = r.uniform(0, height) * scale
            tint = tuple(max(0, c - r.randint(4, 14)) for c in paper)
            self.draw.arc((-width * scale, y, 2 * width * scale, y + height * scale), 180, 360, fill=tint, width=1)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        face: str,
        mm: float,
        fill: tuple[int, int, int] = (30, 30, 34),
        gap: float = 0.1,
    ) -> float:
        """Words with their middle at y, `gap` millimetres between characters; returns where they end."""
        font = ImageFont.truetype(FONTS[face], round(mm * self.scale))
        for c in words:
            self.draw.text((x * self.scale, y * self.scale), c, font=font, fill=fill, anchor="lm")
            x += font.getlength(c) / self.scale + gap
        return x

    def spread(self, x: float, y: float, words: str, face: str, mm: float, width: float) -> None:
        gap = (width - mm * len(words)) / max(1, len(words) - 1)
        self.text(x, y, words, face, mm, gap=gap)

    def block(self, x: float, y: float, words: str, face: str, mm: float, width: float, pitch: float) -> float:
        """Wrapped words; returns the y of the row after the last."""
        font = ImageFont.truetype(FONTS[face], round(mm * self.scale))
        row = ""
        for c in words:
            if font.getlength(row + c) / self.scale + 0.1 * len(row) > width:
                self.text(x, y, row, face, mm)
                row, y = "", y + pitch
            row += c
        self.text(x, y, row, face, mm)
        return y + pitch

    def seal(self, x: float, y: float, mm: float) -> None:
        layer = Image.new("RGB", self.image.size, "white")
        d, s = ImageDraw.Draw(layer), self.scale
        d.ellipse(
            ((x - mm / 2) * s, (y - mm / 2) * s, (x + mm / 2) * s, (y + mm / 2) * s),
            outline=(214, 60, 60),
            width=round(0.9 * s),
        )
        font = ImageFont.truetype(FONTS["serif"], round(mm * 0.3 * s))
        d.text((x * s, y * s), "★", font=font, fill=(214, 60, 60), anchor="mm")
        self.image = Image.fromarray(np.minimum(np.asarray(self.image), np.asarray(layer)))
        self.draw = ImageDraw.Draw(self.image)


def finish(body: str, alphabet: str, holds: Callable[[str], bool]) -> str:
    return next(body + c for c in alphabet if holds(body + c))


def person(r: random.Random, region: str | None = None) -> Label:
    county = r.choice(
        [p for p in places_in(region or "", 6) if p.name[-1] in "市县区" and p.code[2:4] not in ("90", "01")]
    )
    city = next((p.name for p in places_in(county.code[:4], 4)), "")
    province = places_in(county.code[:2], 2)[0].name
    sex = r.choice("男女")
    birth = dt.date(1950, 1, 1) + dt.timedelta(days=r.randrange(20000))
    serial = r.randrange(900, 990) // 2 * 2 + (sex == "男")
    start = dt.date(2012, 1, 1) + dt.timedelta(days=r.randrange(3000))
    return {
        "name": r.choice(SURNAMES) + "".join(r.sample(GIVEN, r.choice([1, 2, 2]))),
        "sex": sex, "nation": r.choice(["汉", "汉", "回", "满", "土家"]), "birth": birth, "birthday": f"{birth:%Y%m%d}",
        "idn": finish(f"{county.code}{birth:%Y%m%d}{serial:03d}", "0123456789X", is_valid_id_number),
        "addr": f"{province}{city}{county.name}{r.choice(STREETS)}路{r.randint(1, 900)}号{r.randint(1, 30)}幢{r.randint(101, 2603)}室",
        "org": f"{county.name}公安局", "validperiod": f"{start:%Y.%m.%d}-{start.replace(year=start.year + 20, day=1 if start.day > 28 else start.day):%Y.%m.%d}",
        "county": county, "city": city,
    }  # fmt: skip # one row of the form, or its like, to a line


def _card(r: random.Random, p: Label, nation: bool, issued: bool) -> Sheet:
    """The data face: 85.6 x 54 mm, labels in blue. `issued`: authority and validity stand below the number."""
    s = Sheet(r, 85.6, 54, 12, (224, 234, 238))
    face, blue = r.choice(["sans", "micro"]), (40, 110, 170)
    top, step, x = r.uniform(7, 9), (5.6 if issued else 6.6), r.uniform(5, 7)
    value, mm, small = x + r.uniform(9.5, 11), (2.9 if issued else 3.2), 2.5
    rows = [("姓名", p["name"], 3.4), ("性别", p["sex"], mm), ("出生", "", mm), ("住址", "", mm)]
    for i, (label, words, size) in enumerate(rows):
        y = top + step * i
        s.text(x, y, label, face, small, blue, 1.6)
        s.text(value, y, words, face, size, gap=0.6)
    if nation:
        end = s.text(value + 9, top + step, "民族", face, small, blue, 1.2)
        s.text(end + 0.8, top + step, p["nation"], face, mm)
    y, at = top + 2 * step, value
    for number, unit in ((p["birth"].year, "年"), (p["birth"].month, "月"), (p["birth"].day, "日")):
        at = s.text(at, y, str(number), face, mm) + 0.8
        at = s.text(at, y, unit, face, small, blue) + 1.2
    s.block(value, top + 3 * step, p["addr"], face, mm, 36, 4.1)
    y = 41.5 if issued else 47.5
    s.text(x, y, "公民身份号码", face, small, blue, 0.3)
    s.text(x + 22.5, y, p["idn"], "sans", 3.3, gap=0.3)
    if issued:
        s.text(x + 22.5, 46, "签发机关", face, 2.2, blue)
        s.text(x + 34, 46, p["org"], face, 2.5)
        s.text(x + 22.5, 50, "有效期限", face, 2.2, blue)
        s.text(x + 34, 50, p["validperiod"], face, 2.5)
    s.draw.rectangle((56 * 12, 9 * 12, 79 * 12, 37 * 12), fill=(190, 200, 206))
    s.draw.ellipse((62 * 12, 13 * 12, 73 * 12, 26 * 12), fill=(120, 100, 90))
    return s


def temporary(r: random.Random) -> tuple[Sheet, Label]:
    p = person(r)
    start = dt.date(2023, r.randint(1, 8), r.randint(1, 28))
    p["validperiod"] = f"{start:%Y.%m.%d}-{start.replace(month=start.month + 3):%Y.%m.%d}"
    return _card(r, p, True, True), _faces("back", {k: p[k] for k in CARD_KEYS})


def portrait(r: random.Random) -> tuple[Sheet, Label]:
    p = person(r)
    return _card(r, p, True, False), _faces("back", {k: p[k] for k in CARD_KEYS[:6]})


def permit(r: random.Random) -> tuple[Sheet, Label]:
    p = person(r)
    p["idn"] = finish(r.choice(["810000", "820000", "830000"]) + p["idn"][6:17], "0123456789X", is_valid_id_number)
    return _card(r, p, False, False), _faces("back", {k: p[k] for k in CARD_KEYS[:6] if k != "nation"})


def _emblem(r: random.Random, title: str, extra: bool) -> tuple[Sheet, Label]:
    p = person(r)
    s = Sheet(r, 85.6, 54, 12, (230, 232, 236))
    face = r.choice(["sans", "micro"])
    s.draw.ellipse((7 * 12, 6 * 12, 22 * 12, 21 * 12), fill=(206, 70, 60))
    s.text(30, 10, "中华人民共和国", "serif", 4.4, gap=1.4)
    s.text(28, 19, title, "heavy", 6 if len(title) > 5 else 7, gap=1)
    y, x = (32 if extra else 40), r.uniform(14, 20)
    for label, words in (("签发机关", p["org"]), ("有效期限", p["validperiod"])):
        s.text(x, y, label, "bold", 2.7)
        s.text(x + 15, y, words, face, 3)
        y += 6.6
    if extra:
        s.text(x, y, "通行证号码", "bold", 2.7)
        s.text(x + 16, y, f"H{r.randrange(10**8):08d}", face, 3)
        s.text(x + 38, y, "签发次数", "bold", 2.7)
        s.text(x + 52, y, "01", face, 3)
    return s, _faces("front", {k: p[k] for k in ("org", "validperiod")})


def emblem(r: random.Random) -> tuple[Sheet, Label]:
    return _emblem(r, "居民身份证", False)


def permit_emblem(r: random.Random) -> tuple[Sheet, Label]:
    return _emblem(r, r.choice(["港澳居民居住证", "台湾居民居住证"]), True)


def _faces(note: str, values: Label) -> Label:
    return {"doc": "idcard", "faces": [{"note": note, "detail": dict.fromkeys(CARD_KEYS, "") | values}]}


def cn_date(d: dt.date) -> str:
    def small(n: int) -> str:
        tens, ones = divmod(n, 10)
        return ("" if tens == 0 else "十" if tens == 1 else CN[tens] + "十") + (CN[ones] if ones else "")

    return "".join(CN[int(c)] for c in str(d.year)) + f"年{small(d.month)}月{small(d.day)}日"


def firm(r: random.Random, chinese_dates: bool = False) -> Label:
    p = person(r)
    brand = "".join(r.sample(BRANDS, 2))
    start = dt.date(2001, 1, 1) + dt.timedelta(days=r.randrange(5000))
    end = start.replace(year=start.year + 20, day=min(start.day, 28)) - dt.timedelta(days=1)
    show = cn_date if chinese_dates else lambda d: f"{d.year}年{d.month:02d}月{d.day:02d}日"
    body = f"91{p['county'].code}MA{''.join(r.choice('0123456789ABCDEFGHJKLMNPQRTUWXY') for _ in range(7))}"
    return {
        "union_id": finish(body, "0123456789ABCDEFGHJKLMNPQRTUWXY", is_valid_credit_code),
        "regist_no": finish(f"{p['county'].code}{r.randrange(4 * 10**7):08d}", "0123456789", is_valid_registration_number),
        "name": f"{p['city'].removesuffix('市')}{brand}{r.choice(TRADES)}有限公司", "type": "有限责任公司(自然人投资或控股)",
        "addr": p["addr"], "legal_rep": p["name"], "regist_capital": r.choice(["伍佰万元整", "人民币200万元整", "100.00万元"]),
        "establish_date": show(start), "operation_period": f"{show(start)}至{show(end)}",
        "scope": "日用百货、五金交电、建筑材料的批发与零售;货物进出口;技术咨询服务。(依法须经批准的项目,经相关部门批准后方可开展经营活动)",
        "county": p["county"].name, "trade": brand,
    }  # fmt: skip # one row of the form, or its like, to a line


def _single(r: random.Random, f: Label, rows: list[tuple[str, str]], title: str, head: tuple[str, str]) -> Sheet:
    """One column, upright A4; label width, spacing, faces and the words' pitch vary."""
    s = Sheet(r, 210, 297, 6, (250, 246, 236))
    label, value = r.choice(["bold", "heavy", "sans"]), r.choice(["serif", "ming", "kai", "sans"])
    s.draw.rectangle((60, 60, 1200, 1722), outline=(170, 120, 80), width=14)
    s.draw.ellipse((90 * 6, 22 * 6, 118 * 6, 50 * 6), fill=(206, 70, 60))
    pitch = min(21.0, 150 / len(title))
    s.text(105 - pitch / 2 * len(title), 66, title, "heavy", pitch * 0.7, gap=pitch * 0.3)
    s.text(60, 88, f"{head[0]}  {head[1]}", value, 4.8, gap=0.2)
    y, x, width = r.uniform(102, 112), r.uniform(26, 34), r.uniform(24, 34)
    pitch, row = r.uniform(6, 7.4), r.uniform(12, 15)
    for words, text in rows:
        s.spread(x, y, words, label, 4.6, max(width, 4.7 * len(words)))
        y = max(y + row, s.block(x + max(width, 36) + 4, y, text, value, 4.4, 100, pitch) + row - pitch)
    s.text(130, min(y + 8, 262), "登记机关", label, 4.6, gap=1)
    s.seal(150, min(y + 12, 268), 36)
    return s


def _licence(f: Label, **changes: str) -> Label:
    detail = {k: f[k] for k in LICENCE_KEYS} | changes
    return {"doc": "bizlicense", "license_type": "Business License", "detail": detail}


def licence_2014(r: random.Random) -> tuple[Sheet, Label]:
    f = firm(r)
    rows = [("名称", f["name"]), ("类型", f["type"]), ("住所", f["addr"]), ("法定代表人", f["legal_rep"]), ("注册资本", f["regist_capital"]),
            ("成立日期", f["establish_date"]), ("营业期限", f["operation_period"]), ("经营范围", f["scope"])]  # fmt: skip # one row of the form, or its like, to a line
    return _single(r, f, rows, "营业执照", ("注册号", f["regist_no"])), _licence(f, union_id="")


def chinese_dates(r: random.Random) -> tuple[Sheet, Label]:
    f = firm(r, chinese_dates=True)
    rows = [("名称", f["name"]), ("类型", f["type"]), ("住所", f["addr"]), ("法定代表人", f["legal_rep"]), ("注册资本", f["regist_capital"]),
            ("成立日期", f["establish_date"]), ("营业期限", "自" * r.randint(0, 1) + f["operation_period"]), ("经营范围", f["scope"])]  # fmt: skip # one row of the form, or its like, to a line
    return _single(r, f, rows, "营业执照", ("统一社会信用代码", f["union_id"])), _licence(f, regist_no="")


def old_sole_trader(r: random.Random) -> tuple[Sheet, Label]:
    f = firm(r)
    f["name"] = f["county"] + f["trade"] + "副食店"
    rows = [
        ("字号名称", f["name"]),
        ("经营者姓名", f["legal_rep"]),
        ("组成形式", "个人经营"),
        ("经营场所", f["addr"]),
        ("经营范围及方式", f["scope"]),
    ]
    empty = dict.fromkeys(("union_id", "type", "regist_capital", "establish_date", "operation_period"), "")
    return _single(r, f, rows, "个体工商户营业执照", ("注册号", f["regist_no"])), _licence(f, **empty)


def partnership(r: random.Random) -> tuple[Sheet, Label]:
    f = firm(r)
    f["name"] = f["name"].replace("有限公司", "投资合伙企业(有限合伙)")
    f["legal_rep"] = f"{f['county']}恒信投资有限公司(委派代表:{f['legal_rep']})"
    rows = [("名称", f["name"]), ("类型", "有限合伙企业"), ("主要经营场所", f["addr"]), ("执行事务合伙人", f["legal_rep"]),
            ("成立日期", f["establish_date"]), ("合伙期限", f["operation_period"]), ("经营范围", f["scope"])]  # fmt: skip # one row of the form, or its like, to a line
    return (
        _single(r, f, rows, "营业执照", ("统一社会信用代码", f["union_id"])),
        _licence(f, regist_no="", type="有限合伙企业", regist_capital=""),
    )


def e_licence(r: random.Random) -> tuple[Sheet, Label]:
    """A telephone's screen: label above or left of the value, light grey labels."""
    f = firm(r)
    s = Sheet(r, 90, 170, 9, (250, 250, 252))
    s.text(30, 8, "电子营业执照", "bold", 5)
    s.text(30, 22, "营业执照", "heavy", 7, gap=1)
    y = 36.0
    rows = [("统一社会信用代码", f["union_id"]), ("名称", f["name"]), ("类型", f["type"]), ("法定代表人", f["legal_rep"]), ("注册资本", f["regist_capital"]),
            ("成立日期", f["establish_date"]), ("营业期限", f["operation_period"]), ("住所", f["addr"])]  # fmt: skip # one row of the form, or its like, to a line
    for label, words in rows:
        s.text(5, y, label, "sans", 2.9, (120, 120, 126))
        y = s.block(33, y, words, "sans", 3, 52, 4.6) + 4.4
    return s, _licence(f, regist_no="")


def other_card(r: random.Random) -> tuple[Sheet, Label]:
    p = person(r)
    s = Sheet(r, 88, 60, 12, (232, 238, 230))
    title, rows = r.choice(
        [
            ("中华人民共和国机动车驾驶证", [("姓名", p["name"]), ("性别", p["sex"]), ("国籍", "中国"), ("住址", p["addr"]), ("证号", p["idn"]), ("准驾车型", "C1")]),
            ("金桥超市会员卡", [("姓名", p["name"]), ("性别", p["sex"]), ("卡号", p["idn"]), ("有效期限", "2030.01.01")]),
            ("建设银行储蓄卡", [("卡号", "6227 0012 3456 7890 123"), ("有效期", "12/30")]),
            ("销售小票", [("店名", "滨江便利店"), ("日期", "2024-05-06"), ("合计", "128.50"), ("收银员", p["name"])]),
        ]
    )  # fmt: skip # one row of the form, or its like, to a line
    s.text(12, 8, title, "bold", 4)
    for i, (label, words) in enumerate(rows):
        s.text(6, 18 + 7 * i, label, "sans", 2.6)
        s.text(22, 18 + 7 * i, words[:22], "sans", 2.9)
    return s, {"doc": "none"}


def warp(image: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    h, w = image.shape[:2]
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    return cv2.remap(
        image, x + dx.astype(np.float32), y + dy.astype(np.float32), cv2.INTER_CUBIC, borderValue=(120, 130, 140)
    )


def curl(image: np.ndarray, r: random.Random) -> np.ndarray:
    """Bent about an upright axis: rows become arcs, shade runs across."""
    h, w = image.shape[:2]
    x = np.linspace(-1, 1, w)[None, :].repeat(h, 0)
    bend = r.choice([-1, 1]) * r.uniform(0.015, 0.045) * h * (1 - x**2)
    out = warp(image, np.zeros_like(x), bend).astype(np.float32)
    return (out * (1 - 0.25 * np.abs(x))[..., None]).clip(0, 255).astype(np.uint8)


def fold(image: np.ndarray, r: random.Random) -> np.ndarray:
    """A crease across the middle: each half tilts its own way."""
    h, w = image.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    crease, slope = h * r.uniform(0.4, 0.6), r.uniform(0.01, 0.035) * r.choice([-1, 1])
    dy = np.where(y < crease, (x - w / 2) * slope, -(x - w / 2) * slope) * (np.abs(y - crease) / h + 0.2)
    out = warp(image, np.zeros_like(dy), dy).astype(np.float32)
    out *= (1 - 0.3 * np.exp(-(((y - crease) / (0.01 * h)) ** 2)))[..., None]
    return (out * np.where(y < crease, 1.0, 0.88)[..., None]).clip(0, 255).astype(np.uint8)


def sleeve(image: np.ndarray, r: random.Random) -> np.ndarray:
    """A plastic sleeve: milky, with bright streaks."""
    h, w = image.shape[:2]
    out = image.astype(np.float32) * 0.82 + 40
    for _ in range(3):
        x0, slant, wide = r.uniform(0, w), r.uniform(-0.5, 0.5), r.uniform(0.01, 0.03) * w
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        out += 70 * np.exp(-(((x - x0 - slant * y) / wide) ** 2))[..., None]
    return out.clip(0, 255).astype(np.uint8)


def chat(image: np.ndarray, r: random.Random) -> np.ndarray:
    """What a chat program makes of it: smaller, and compressed twice."""
    k = r.uniform(0.55, 0.75)
    image = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    for quality in (r.randint(30, 45), r.randint(40, 60)):
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return image


def photo(image: np.ndarray, r: random.Random) -> np.ndarray:
    """Laid on a table, seen at a slant."""
    h, w = image.shape[:2]
    pad = round(0.12 * max(h, w))
    size = (w + 2 * pad, h + 2 * pad)
    corners = np.float32([[0, 0], [w, 0], [w, h], [0, h]])
    away = corners + pad + np.float32([[r.uniform(-0.5, 0.5) * pad for _ in "xy"] for _ in range(4)])
    table = np.full((size[1], size[0], 3), [r.randint(60, 190) for _ in "bgr"], np.uint8)
    matrix = cv2.getPerspectiveTransform(corners, away)
    return cv2.warpPerspective(image, matrix, size, table, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_TRANSPARENT)


FORMS = (portrait, emblem, temporary, permit, permit_emblem, licence_2014, chinese_dates, old_sole_trader, partnership, e_licence, other_card)  # fmt: skip # one row of the form, or its like, to a line
EFFECTS = (curl, fold, sleeve, chat, photo)


def make(out: Path, seed: int, each: int, long_side: int = 1400) -> None:
    """`each` images of every form, effects in turn, and labels.jsonl beside them."""
    out.mkdir(parents=True, exist_ok=True)
    labels = []
    for form in FORMS:
        for i in range(each):
            r = random.Random(f"{seed} {form.__name__} {i}")
            sheet, label = form(r)
            image = cv2.cvtColor(np.asarray(sheet.image), cv2.COLOR_RGB2BGR)
            k = long_side / max(image.shape[:2])
            image = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
            effect = EFFECTS[(i + len(form.__name__)) % len(EFFECTS)]
            image = effect(image, r)
            if effect in (curl, fold, sleeve) and r.random() < 0.5:
                image = photo(image, r)
            name = f"{form.__name__}_{i:02d}.jpg"
            Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).save(buffer := io.BytesIO(), "JPEG", quality=72)
            (out / name).write_bytes(buffer.getvalue())
            labels.append(
                {"file": name, "cond": [form.__name__, effect.__name__], "meta": {"grid": form.__name__}} | label
            )
    lines = "".join(json.dumps(label, ensure_ascii=False) + "\n" for label in labels)
    (out / "labels.jsonl").write_text(lines, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--long-side", type=int, default=1400)
    options = parser.parse_args()
    make(options.out, options.seed, options.each, options.long_side)


if __name__ == "__main__":
    main()
