"""Provinces, prefectures and counties: correction of place names with one misread character.

The names, those of today and those abolished since 1980, come with python-stdnum (its table of the region codes of
GB/T 2260); they are loaded on first use. A name is changed only when exactly one name of the enclosing region is that
close and ends in the same kind of place (县, 区, 市, …), and the text is no known name: abolished names stay.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from inkgate.engines.document.chars import edit_distance

_LINE = re.compile(r'\s*(\d+) (?:province|county)="(.*)"')
_SINCE = re.compile(r"\[[^\]]*\]")
_KINDS = re.compile(r"(自治州|自治县|自治旗|地区|林区|特区|新区|[省市区县旗盟州])$")
_SAME_RADICAL_DISTANCE = 400  # code points between characters of one radical
_POLICE_AUTHORITY = re.compile(r"^(.{2,}?)公安局(?:(.{2,})分局)?$")


@dataclass(frozen=True, slots=True)
class Place:
    """A region of GB/T 2260: its code (2, 4 or 6 digits by level) and one of its names."""

    code: str
    name: str

    @property
    def name_without_kind(self) -> str:
        """The name without its kind: 西塞山 for 西塞山区."""
        return _KINDS.sub("", self.name)


@functools.cache
def places() -> tuple[Place, ...]:
    """All places of the three levels, abolished ones included."""
    found: list[Place] = []
    province = ""
    for line in files("stdnum.cn").joinpath("loc.dat").read_text(encoding="utf-8").splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        digits, names = match[1], match[2]
        if len(digits) == 2:
            province = code = digits
        else:
            code = province + digits
            code = code[:4] if code.endswith("00") else code
        for name in names.split(","):
            plain = _SINCE.sub("", name).strip()
            if len(plain) > 1 and plain not in ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划"):
                found.append(Place(code, plain))
    return tuple(found)


@functools.cache
def places_in(region: str, level: int) -> tuple[Place, ...]:
    """Places whose code has `level` digits (2, 4 or 6) and begins with `region`."""
    return tuple(p for p in places() if len(p.code) == level and p.code.startswith(region))


def correct_address(text: str, region: str = "") -> str:
    """An address with province, prefecture and county corrected; `region` is its probable region code."""
    done, scope = "", ""
    for level in (2, 4, 6):
        hit = _match_prefix(text, places_in(scope, level), least=2 if scope else 3 if level == 2 else 5)
        if hit is None and not scope and region:
            hit = _match_prefix(text, places_in(region[:level], level), least=3)
        if hit:
            place, used = hit
            done, text, scope = done + place.name, text[used:], place.code
    return done + text


def region_of(address: str) -> str:
    """The code of the smallest region that an address names at its beginning, "" when it names none."""
    scope = ""
    for level in (2, 4, 6):
        if hit := _exact(address, places_in(scope, level)):
            address, scope = address[len(hit.name) :], hit.code
    return scope


def correct_authority(text: str) -> str:
    """A police authority, X县公安局 or X市公安局Y分局, with its places corrected."""
    match = _POLICE_AUTHORITY.match(text)
    if not match:
        return text
    upper, lower = match[1], match[2]
    cities = [p for p in places() if p.name == upper or p.name_without_kind == upper]
    if not cities and (
        name := _most_similar(upper, {p.name for p in places() if len(upper) > 2 and _is_similar(upper, p.name)})
    ):
        upper = name
        cities = [p for p in places() if p.name == upper]
    if lower and cities:
        stems = {n for s in cities for p in places_in(s.code, 6) for n in (p.name_without_kind, p.name)}
        close = {n for n in stems if len(n) == len(lower) and edit_distance(n, lower, 1) == 1}
        if lower not in stems and (name := _most_similar(lower, close)):
            lower = name
    return f"{upper}公安局{lower}分局" if lower else f"{upper}公安局"


def correct_company_name(text: str, region: str) -> str:
    """A firm's name whose place, in front or in brackets, is that of the region it is registered in."""
    names = {
        n
        for k in (2, 4, 6)
        for p in places_in(region[:k], k)
        if len(region) >= k
        for n in (p.name, p.name_without_kind)
    }
    for start in [0, *(i + 1 for i, c in enumerate(text) if c == "(")]:
        if any(text.startswith(n, start) for n in names):
            continue
        close = {n for n in names if len(n) > 2 and _is_similar(text[start : start + len(n)], n)}
        if name := _most_similar(text[start:], close):
            text = text[:start] + name + text[start + len(name) :]
    return text


def _exact(text: str, candidates: Iterable[Place]) -> Place | None:
    return max((p for p in candidates if text.startswith(p.name)), key=lambda p: len(p.name), default=None)


def _match_prefix(text: str, candidates: Sequence[Place], least: int) -> tuple[Place, int] | None:
    """The place that a text begins with and the characters it takes; misread only for names of `least` and more."""
    if hit := _exact(text, candidates):
        return hit, len(hit.name)
    close: dict[str, tuple[Place, int]] = {}
    for place in candidates:
        n = len(place.name)
        if n < least:
            continue
        for used in (n, n - 1, n + 1):
            if used > 1 and _is_similar(text[:used], place.name):
                close.setdefault(place.name, (place, used))
                break
    name = _most_similar(text, close)
    return close[name] if name else None


def _most_similar(read: str, names: Iterable[str]) -> str | None:
    """The only name, or of several the one whose differing character looks like the one read.

    Unicode orders the ideographs by radical and strokes, so characters that share their radical, which is how readers
    confuse them (峄 for 峰), lie within a few hundred code points, others thousands apart.
    """
    ranked = sorted((sum(abs(ord(a) - ord(b)) for a, b in zip(read, n, strict=False)), n) for n in names)
    if not ranked or (
        len(ranked) > 1 and not (ranked[0][0] < _SAME_RADICAL_DISTANCE and ranked[1][0] > 4 * ranked[0][0])
    ):
        return None
    if len(ranked[0][1]) == 2 and ranked[0][0] >= _SAME_RADICAL_DISTANCE:  # 县 alone is all that they share
        return None
    return ranked[0][1]


def _is_similar(read: str, name: str) -> bool:
    """One fault apart (two in long names), and the same kind of place at the end."""
    if read == name or not read or read[-1] != name[-1]:
        return False
    allowed = 2 if len(name) > 7 else 1
    return edit_distance(read, name, allowed) <= allowed
