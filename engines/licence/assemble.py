"""Printed texts of a licence to the contract's values: forms of dates, capital and numbers, checks and repairs."""

from __future__ import annotations

import re

from engines.document import checks, places
from engines.document.chars import distance
from engines.licence.labels import PLAIN_TYPES, TYPES
from engines.licence.layout import Layout
from engines.types import Licence

_CN = "一二三四五六七八九十"
_DATE = rf"(?:\d{{4}}年\d{{1,2}}月\d{{1,2}}日?|[〇零{_CN}]{{4}}年[元{_CN}]{{1,2}}月[{_CN}]{{1,3}}日?)"
_ANY_DATE = re.compile(_DATE)
_SPAN = re.compile(rf"({_DATE})(?:[至到\-]*[^\d〇零{_CN}]?({_DATE}|长期|永久|永续|不约定期限))?")
_CODE = re.compile(r"(?<![0-9A-Z])[0-9A-Z]{18}(?![0-9A-Z])")
_NEVER_IN_CODE = str.maketrans("OISZo", "01520")
_DIGITS = str.maketrans("OoQDIlSZB", "000011528")
_SPECKS = re.compile(r"[^㐀-鿿\U00020000-\U000323af〇0-9A-Za-z()《》“”·.,:;、%&#*+/\-]")
# What the strokes of seals and watermarks are read as behind a value.
_LEFT_BEHIND = re.compile(r"(?!私营|分公司|合伙|企业|人民币)[㐀-鿿]{1,3}")
_PERSON_AND_MORE = re.compile(r"^([㐀-鿿]{2,4})[0-9A-Z]{4,}\S*$")
_SUM = re.compile(r"(人民币)?[\d.,零壹贰叁肆伍陆柒捌玖拾佰仟万亿]+(元整|元人民币|万元人民币|万元整|万(美|欧|港|日)元)")
_ZERO = str.maketrans("○OoQ0", "〇〇〇〇〇")


def assemble(layout: Layout, texts: list[str]) -> Licence:
    """The nine fields of `detail` and `real_capital` (manual 6.3.4), "" for what is not printed."""
    code = _credit_code(layout.text("union_id"), texts)
    number = _registration_number(layout.text("regist_no"))
    region = code[2:8] or number[:6]
    addr = places.repair_address(_closed(_plain(layout.text("addr"))), region)
    name = places.repair_firm(_plain(layout.text("name")), places.region_of(addr))
    return Licence(
        is_licence=True,
        union_id=code,
        regist_no=number,
        name=_closed(places.repair_firm(name, region)),
        type=_type(layout.text("type")),
        addr=addr,
        legal_rep=_PERSON_AND_MORE.sub(r"\1", _plain(layout.text("legal_rep"))),
        regist_capital=_capital(layout.text("regist_capital")),
        real_capital=_capital(layout.text("real_capital")),
        establish_date=_date(layout.text("establish_date")),
        operation_period=_period(layout.text("operation_period")),
    )


def _credit_code(near: str, texts: list[str]) -> str:
    for text in [near, *texts]:
        match = _CODE.search(text.upper().translate(_NEVER_IN_CODE))
        if match and sum(c.isdigit() for c in match.group()) > 7:
            return checks.repair(match.group(), checks.credit_code_holds)
    return "".join(re.findall(r"[0-9A-Z]", near.upper()))[:18] if len(near) > 14 else ""


def _registration_number(text: str) -> str:
    match = re.search(r"\d{13,15}", text.translate(_DIGITS))
    return checks.repair(match.group(), checks.registration_number_holds) if match else ""


def _plain(text: str) -> str:
    """Without the marks that frames, ticks and specks leave at the ends; a name printed as *** stays."""
    return _SPECKS.sub("", text).strip(":.,·、-_|")


def _closed(text: str) -> str:
    """A bracket at the end of a line is thin and often lost."""
    return text + ")" if text.count("(") == text.count(")") + 1 else text


def _type(text: str) -> str:
    """The type as printed; one that is near exactly one of the usual types is that one."""
    plain = _closed(_plain(text)).lstrip("类型")
    plain = next((t for t in PLAIN_TYPES if plain.startswith(t) and _LEFT_BEHIND.fullmatch(plain[len(t) :])), plain)
    if plain in TYPES or len(plain) < 5:
        return plain
    allowed = 1 if len(plain) < 9 else 2
    # A longer print is another type (…独资)私营), not a fault.
    faults = {name: distance(plain, name, allowed) for name in TYPES if len(name) >= len(plain)}
    nearest = [name for name, n in faults.items() if n <= min(allowed, *faults.values())]
    return nearest[0] if len(nearest) == 1 else plain


def _capital(text: str) -> str:
    """The sum, without what a seal or a watermark left behind its end."""
    plain = _closed(_plain(text))
    match = _SUM.match(plain)
    return match.group() if match and _LEFT_BEHIND.fullmatch(plain[match.end() :]) else plain


def _dates(text: str) -> str:
    """Zeros of Chinese-numeral dates are read as many round things, and two in a row as one."""
    text = re.sub(r"(?<![〇零一二三四五六七八九])二[○〇OoQ0零](?=[一二三四五六七八九]年)", "二〇〇", text)
    return re.sub(r"[一二○〇OoQ0零][○〇OoQ0零一二三四五六七八九]{3}(?=年)", lambda m: m.group().translate(_ZERO), text)


def _date(text: str) -> str:
    match = _ANY_DATE.search(_dates(text))
    return (match.group() if match.group().endswith("日") else match.group() + "日") if match else text


def _period(text: str) -> str:
    text = _dates(text).replace("自", "")
    if not (match := _SPAN.search(text)):
        return text
    start, end = match[1], match[2] or ("长期" if "长" in text[match.end() :] else "")
    return f"{start}至{end}" if end else start
