"""Printed labels of resident identity cards and of the cards of the same family.

Keys are the contract's (manual 6.3.2). Keys that begin with "_" are labels that the contract does not return; they end
the values before them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from inkgate.engines.document.chars import printed_width_em
from inkgate.engines.document.labels import LabelSet, TextSegment
from inkgate.engines.document.scan import Strip

LABELS = LabelSet(
    {
        "name": ("姓名",),
        "sex": ("性别",),
        "nation": ("民族",),
        "birthday": ("出生",),
        "addr": ("住址",),
        "idn": ("公民身份号码", "公民身份证号码"),
        "org": ("签发机关",),
        "validperiod": ("有效期限",),
        "_permit": ("通行证号码",),
        "_issues": ("签发次数",),
        # Labels of register pages, permits, passports and social-security cards.
        "_other": (
            "出生日期", "出生地", "出生地点", "户主", "户主或与户主关系", "曾用名", "籍贯", "国籍",
            "签发地点", "签发日期", "换证次数", "社会保障号码", "有效期至", "发卡日期", "婚姻状况",
            "文化程度", "服务处所", "宗教信仰",
            "公民身份证件编号", "公民身份证编号", "证件号码", "与户主关系",
        ),
    },
    inner=("民族", "性别", "出生", "住址", "公民身份号码", "签发机关", "有效期限", "通行证号码", "签发次数"),
    after={
        "民族": re.compile(r".{0,4}[男女]|性.{1,3}"),
        **dict.fromkeys(("性别", "出生", "住址", "公民身份号码", "签发机关", "有效期限"), re.compile(r".{1,2}")),
    },
)  # fmt: skip # a table of words, many to a row

# Labels and titles of other cards with a name and a number; no card of the family has them.
OTHER_CARDS = (
    "驾驶证", "行驶证", "准驾车型", "初次领证", "社会保障", "会员", "工作证", "学生证", "护照", "军官证", "户口",
    "医保", "借记卡", "信用卡", "永久居留", "从业资格", "残疾人证", "常住人口", "登记卡", "户主", "户别", "来往内地",
    "来往大陆", "往来港澳", "往来台湾", "医疗保险", "PASSPORT", "婚姻状况", "文化程度", "国籍",
)  # fmt: skip # a table of words, many to a row
# Not 居民身份证号码 or 居民身份证复印件, which forms have.
TITLE = re.compile(r"居民(身份证|居住证)(?!号|编|复印)")

# The 56 nations of GB/T 3304, and two further values found on cards.
_NATIONS = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 "
    "景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 "
    "裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺 穿青人 其他"
)
NATIONS = tuple(_NATIONS.split())

# A label detected in two boxes, the second with the value; in heights of the second.
_HALF_TEXT = 2  # characters in the first box, at most
_SAME_ROW = 0.6  # between the centres of the two, less than
_HALF_GAP = (-1.2, 2.5)  # from the first box to the second, between these

# The second character of a label: its first one, and the key.
_HALVES = {
    "名": ("姓", "name"),
    "别": ("性", "sex"),
    "族": ("民", "nation"),
    "生": ("出", "birthday"),
    "址": ("住", "addr"),
}


def cut(strips: Sequence[Strip]) -> list[TextSegment]:
    """Strips split at their labels; a label detected in two boxes is joined."""
    firsts: set[int] = set()
    segments: list[TextSegment] = []
    for strip in strips:
        half = _first_half(strip, strips)
        if half:
            firsts.add(id(half))
            segments += _joined(half, strip)
        else:
            segments += LABELS.segments(strip)
    return [p for p in segments if id(p.strip) not in firsts]


def _first_half(strip: Strip, strips: Sequence[Strip]) -> Strip | None:
    """The strip left of this one with the first character of a label, if this one begins with the second."""
    first, _ = _HALVES.get((strip.text or " ")[0], ("", ""))
    if not first:
        return None
    halves = (s for s in strips if (s.text or "").endswith(first) and len(s.text or "") <= _HALF_TEXT)
    least, most = _HALF_GAP
    beside = (
        s
        for s in halves
        if abs(s.v - strip.v) < _SAME_ROW * strip.h and least * strip.h < strip.u0 - s.u1 < most * strip.h
    )
    return next(beside, None)


def _joined(half: Strip, strip: Strip) -> list[TextSegment]:
    text = strip.text or ""
    share = 1 / printed_width_em(text)
    edge = strip.u0 + share * strip.length
    label = TextSegment(_HALVES[text[0]][1], half.text or "", half.u0, edge, strip.v, strip.h, strip, 0.0, share)
    rest = text[1:].lstrip(":;.,、·-")
    return [label, TextSegment(None, rest, edge, strip.u1, strip.v, strip.h, strip, share, 1.0)] if rest else [label]
