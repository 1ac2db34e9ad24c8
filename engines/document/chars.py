"""Normalisation of variant characters, and edit distance."""

from __future__ import annotations

import unicodedata

# The recogniser knows traditional and variant forms and sometimes gives them for simplified characters.
_SIMPLIFIED_FORMS = str.maketrans(
    "漢號碼發機關證國會業執營稱類型經範圍資實間長區縣鎮鄉東門廣蘇雲衛進別籤戶產電貨銀華億萬貳陸強",
    "汉号码发机关证国会业执营称类型经范围资实间长区县镇乡东门广苏云卫进别签户产电货银华亿万贰陆强",
)
_PUNCTUATION = str.maketrans("•・‧∙．—–－~", "····.----")


def normalise(text: str) -> str:
    """NFKC, without blanks, traditional forms simplified, one dash and one dot."""
    flat = unicodedata.normalize("NFKC", text.translate(_PUNCTUATION)).translate(_PUNCTUATION)
    return "".join(flat.split()).translate(_SIMPLIFIED_FORMS)


def edit_distance(a: str, b: str, limit: int = 99) -> int:
    """Levenshtein distance; `limit` + 1 for every distance above `limit`."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
        if min(row) > limit:
            return limit + 1
    return row[-1]


def printed_width_em(text: str) -> float:
    """Printed width in em: Chinese characters 1, others 0.56 (measured over the proportional faces of the forms)."""
    return sum(0.56 if ord(c) < 0x2E80 else 1.0 for c in text)
