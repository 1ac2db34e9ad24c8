"""Recognised texts of a licence to the contract's values: formats, checks, corrections."""

from __future__ import annotations

import re
from datetime import date, timedelta

from inkgate.engines.document import checks, places
from inkgate.engines.document.chars import edit_distance
from inkgate.engines.licence.formats import NO_END
from inkgate.engines.licence.labels import PLAIN_TYPES, TYPES
from inkgate.engines.licence.layout import Layout
from inkgate.engines.types import Licence

_CN = "一二三四五六七八九十"
_DATE = rf"(?:\d{{4}}年\d{{1,2}}月\d{{1,2}}日?|[〇○零{_CN}]{{4}}年[元{_CN}]{{1,2}}月[{_CN}]{{1,3}}日?)"
_ANY_DATE = re.compile(_DATE)
# The first digit of a year that overlapping boxes both contain.
_DOUBLED = r"(?:\d(?=\d{4}年))?"
_SPAN = re.compile(rf"({_DATE})(?:[至到\-]*[^\d〇○零{_CN}]?{_DOUBLED}({_DATE}|{NO_END}))?")
_NO_END = re.compile(NO_END)
_CODE = re.compile(r"(?<![0-9A-Z])[0-9A-Z]{18}(?![0-9A-Z])")
_CODE_SUBSTITUTIONS = str.maketrans("OISZo", "01520")
_DIGITS = str.maketrans("OoQDIlSZB", "000011528")
_NOISE = re.compile(r"[^㐀-鿿\U00020000-\U000323af〇0-9A-Za-z()《》“”·.,:;、%&#*+/\-]")
# Text that strokes of seals and watermarks are recognised as, behind a value.
_WATERMARK_RESIDUE = re.compile(r"(?!私营|分公司|合伙|企业|人民币)[㐀-鿿]{1,3}")
_PERSON_AND_MORE = re.compile(r"^([㐀-鿿]{2,4})[0-9A-Z]{4,}\S*$")
_SUM = re.compile(r"(人民币)?[\d.,零壹贰叁肆伍陆柒捌玖拾佰仟万亿]+(元整|元人民币|万元人民币|万元整|万(美|欧|港|日)元)")
# SCJDGL is a watermark in the paper of licences since 2019.
_PAPER_WATERMARK = re.compile(r"SCJDGL|(?<=[㐀-鿿)])[SCJDGL]{3,6}$")
_NUMERALS = "零壹贰叁肆伍陆柒捌玖"
# Confusions of the numerals of sums in words.
_NUMERAL_CONFUSIONS = str.maketrans("责查曹壶童垂参或贯武贷低任际阵染柴别玫", "壹壹壹壹壹叁叁贰贰贰贰伍伍陆陆柒柒捌玖")
_MISREAD_NUMERAL = re.compile(rf"(?<![㐀-鿿])[^{_NUMERALS}拾佰仟万亿人](?=[拾佰仟万亿][{_NUMERALS}拾佰仟万亿元(])")
_YEAR = re.compile(r"至?\D{0,2}\d?((?:19|20)\d\d)年")
_CHINESE_YEAR = re.compile(rf"[〇○零{_CN}]{{4}}年")
_PADDED = re.compile(r"\d{4}年\d\d月\d\d日")
_NUMBERS = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})")
_ROUND_ZEROS = "○〇"  # the geometric circle and the ideographic zero: both are printed
_ZEROS = "○〇OoQ0"  # characters that a round zero is read as
_NAME_NOISE = re.compile(_NOISE.pattern.replace("[^", "[^À-ɏ'’ ", 1))
_SUM_RESIDUE = re.compile(rf"{_WATERMARK_RESIDUE.pattern}|[0-9A-Za-z.,:;、\-]{{1,20}}")


def assemble(layout: Layout, texts: list[str]) -> Licence:
    """The nine fields of `detail` and `real_capital` (manual 6.3.4), "" for what is not printed."""
    code = _credit_code(layout.text("union_id"), texts)
    number = _registration_number(layout.text("regist_no"))
    region = code[2:8] or number[:6]
    addr = places.correct_address(_close_bracket(_strip_marks(layout.text("addr"))), region)
    name = places.correct_company_name(_company(layout.text("name")), places.region_of(addr))
    zero = _printed_zero(layout.text("operation_period") + layout.text("establish_date"))
    period = _period(layout.text("operation_period"), zero)
    established = _date(layout.text("establish_date"), zero)
    if "establish_date" in layout.keys:
        established = _reconcile_establish_date(established, period)
    return Licence(
        is_licence=True,
        union_id=code,
        regist_no=number,
        name=_close_bracket(places.correct_company_name(name, region)),
        type=_type(layout.text("type")),
        addr=addr,
        legal_rep=_person(layout.spaced_text("legal_rep")),
        regist_capital=_capital(layout.text("regist_capital")),
        real_capital=_capital(layout.text("real_capital")),
        establish_date=established,
        operation_period=period,
    )


def _credit_code(near: str, texts: list[str]) -> str:
    for text in [near, *texts]:
        match = _CODE.search(text.upper().translate(_CODE_SUBSTITUTIONS))
        if match and sum(c.isdigit() for c in match.group()) > 7:
            return checks.correct_one_character(match.group(), checks.is_valid_credit_code)
    return "".join(re.findall(r"[0-9A-Z]", near.upper()))[:18] if len(near) > 14 else ""


def _registration_number(text: str) -> str:
    match = re.search(r"\d{13,15}", text.translate(_DIGITS))
    return checks.correct_one_character(match.group(), checks.is_valid_registration_number) if match else ""


def _strip_marks(text: str) -> str:
    """The text without punctuation at its ends, which frames and specks cause; a name printed as *** stays."""
    return _PAPER_WATERMARK.sub("", _NOISE.sub("", text)).strip(":.,·、-_|")


def _person(text: str) -> str:
    """A person, or a firm with its deputy; Latin names keep their blanks, accents and apostrophes."""
    return _PERSON_AND_MORE.sub(r"\1", _PAPER_WATERMARK.sub("", _NAME_NOISE.sub("", text)).strip(":.,·、-_| "))


def _company(text: str) -> str:
    """The name of a firm without the second half of its label 名称; 称多 is a county."""
    plain = _strip_marks(text)
    return plain if plain.startswith("称多") else plain.removeprefix("称")


def _close_bracket(text: str) -> str:
    """The text with its closing bracket, which is thin and often lost at the end of a line."""
    return text + ")" if text.count("(") == text.count(")") + 1 else text


def _type(text: str) -> str:
    """The type as printed, or the only known type within one or two edits."""
    plain = _close_bracket(_strip_marks(text)).lstrip("类型")
    plain = next(
        (t for t in PLAIN_TYPES if plain.startswith(t) and _WATERMARK_RESIDUE.fullmatch(plain[len(t) :])), plain
    )
    if plain in TYPES or len(plain) < 5:
        return plain
    allowed = 1 if len(plain) < 9 else 2
    # A longer text is another type (…独资)私营), not a misread one.
    edits = {name: edit_distance(plain, name, allowed) for name in TYPES if len(name) >= len(plain)}
    nearest = [name for name, n in edits.items() if n <= min(allowed, *edits.values())]
    return nearest[0] if len(nearest) == 1 else plain


def _capital(text: str) -> str:
    """The sum without the residue of a seal or a watermark behind it."""
    plain = _sum_in_words(_close_bracket(_strip_marks(text)))
    match = _SUM.match(plain)
    return match.group() if match and _SUM_RESIDUE.fullmatch(plain[match.end() :]) else plain


def _sum_in_words(text: str) -> str:
    """A sum with its unambiguous parts corrected: 元整 at its end, 人民币, a numeral before its unit, one dot."""
    text = re.sub(r"(?<!人)民币", "人民币", text)
    text = re.sub(r"(?<=[万元])人民$", "人民币", text)
    text = re.sub(r"(?<=[拾佰仟万亿]元)[㐀-鿿]$", "整", text)
    text = re.sub(r"\.(?=\d+\.\d)", "", text)
    head, tail = (text[:3], text[3:]) if text.startswith("人民币") else ("", text)
    return head + _MISREAD_NUMERAL.sub(lambda m: m.group().translate(_NUMERAL_CONFUSIONS), tail)


def _printed_zero(text: str) -> str:
    """The round zero that most years in Chinese numerals of a text have; 〇 for none."""
    years = "".join(re.findall(rf"[{_ZEROS}零{_CN}]{{3,4}}年", text))
    return max(reversed(_ROUND_ZEROS), key=years.count)


def _dates(text: str, zero: str = "〇") -> str:
    """Dates in Chinese numerals; zeros read as other round characters, or two read as one, are `zero`."""
    text = re.sub(rf"(?<![〇零一二三四五六七八九])二[{_ZEROS}零](?=[一二三四五六七八九]年)", f"二{zero}{zero}", text)
    year = rf"[一二{_ZEROS}零][{_ZEROS}零一二三四五六七八九]{{3}}(?=年)"
    return re.sub(year, lambda m: re.sub(rf"[{_ZEROS}]", zero, m.group()), text)


def _date(text: str, zero: str = "〇") -> str:
    match = _ANY_DATE.search(_dates(text, zero))
    return (match.group() if match.group().endswith("日") else match.group() + "日") if match else text


def _period(text: str, zero: str = "〇") -> str:
    text = _dates(text, zero).replace("自", "")
    if not (match := _SPAN.search(text)):
        no_end = _NO_END.match(text)
        return no_end.group() if no_end else text
    start, rest = match[1], text[match.end() :]
    no_end = _NO_END.search(rest)
    end = match[2] or (no_end.group() if no_end else "长期" if "长" in rest else _infer_period_end(start, rest))
    end += "日" if end.endswith(tuple("0123456789")) else ""
    return f"{start}至{end}" if end else start


def _infer_period_end(start: str, rest: str) -> str:
    """The end of a term of whole years of which only the year was read: the day before the term's anniversary."""
    begin, year = _day(start), _YEAR.match(rest)
    if not (begin and year) or int(year[1]) <= begin.year or (begin.month, begin.day) == (2, 29):
        return ""
    end = begin.replace(year=int(year[1])) - timedelta(days=1)
    return f"{end.year}年{end.month:02d}月{end.day:02d}日"


def _day(text: str) -> date | None:
    """The date in Arabic numerals in a text, None for none."""
    match = _NUMBERS.search(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _reconcile_establish_date(established: str, period: str) -> str:
    """The date of establishment, replaced by the start of the period where it was not read or contradicts a consistent
    period: firms are established on the first day of their term."""
    start, _, end = period.partition("至")
    first, last, read = _day(start), _day(end), _day(established)
    if first is None or read == first or _CHINESE_YEAR.match(established):
        return established
    if read is None:
        return start
    whole_years = last and (last + timedelta(days=1)).timetuple()[1:3] == first.timetuple()[1:3]
    if not whole_years or (read.month, read.day) == (first.month, first.day):
        return established
    return start if _PADDED.fullmatch(established) else f"{first.year}年{first.month}月{first.day}日"
