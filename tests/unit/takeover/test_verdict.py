"""The sentence on an app and capability follows its rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inkgate.service.contract.capabilities import GENERAL, IDCARD
from inkgate.service.takeover.report import CodePair, FieldFigures, Latency, RouteReport
from inkgate.service.takeover.text_distance import TextFigures
from inkgate.service.takeover.verdict import Verdict, judge

NONE = Latency(0, None, None, None)
SAME_CODES = (CodePair("0", "0", 12_400),)
BLANK = RouteReport(
    app_id="",
    app_name="",
    account_name="",
    capability=IDCARD,
    calls=12_400,
    compared=12_400,
    unreadable=0,
    images=12_400,
    skipped={},
    fields=(FieldFigures("idn", equal=12_241, differs=99), FieldFigures("name", equal=12_390)),
    text=None,
    codes=SAME_CODES,
    image_codes=(),
    cloud_time=NONE,
    local_time=NONE,
    units=0,
    price=None,
    saved_fen=0,
)
PAGES = replace(BLANK, capability=GENERAL, fields=(), text=TextFigures(0, 0, 100_000, 1_000))


def test_a_sentence_names_the_weakest_field_with_its_interval() -> None:
    judged = judge(BLANK)
    assert judged.verdict is Verdict.READY
    assert judged.text("en") == (
        "Ready to switch. Lowest agreement of a field: 99.2% (99.0–99.3%) of 12,340 values of Citizen number. "
        "0 of 12,400 calls returned a different code."
    )
    assert judged.text("zh") == (
        "可以切换。一致率最低的字段：公民身份号码，12,340 个值中一致 99.2% (99.0–99.3%)。"
        "12,400 次调用中 0 次的返回码不同。"
    )


def test_running_text_is_judged_by_its_characters() -> None:
    judged = judge(PAGES)
    assert (
        judged.verdict is Verdict.READY and "99.0% of 100,000 characters are the same, not counting blanks" in judged.en
    )
    assert "不计空白的 100,000 个字符中一致 99.0%。" in judged.zh


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (replace(BLANK, images=399), Verdict.INSUFFICIENT),
        (replace(BLANK, fields=(FieldFigures("idn", equal=29),)), Verdict.INSUFFICIENT),
        (replace(BLANK, fields=(FieldFigures("idn", equal=94, differs=6),)), Verdict.REVIEW),
        (replace(BLANK, fields=(FieldFigures("idn", equal=980, differs=20),)), Verdict.READY),
        (replace(BLANK, fields=(FieldFigures("idn", equal=50, only_cloud=50),)), Verdict.DIFFERENT),
        # a field with few values agrees least, another one surely agrees too little
        (
            replace(BLANK, fields=(FieldFigures("idn", equal=25, differs=6), FieldFigures("name", 840, 0, 160))),
            Verdict.REVIEW,
        ),
        (
            replace(BLANK, fields=(FieldFigures("idn", equal=25, differs=6), FieldFigures("name", 800, 0, 200))),
            Verdict.DIFFERENT,
        ),
        (replace(BLANK, fields=(*BLANK.fields, FieldFigures("*", only_cloud=999))), Verdict.READY),
        (replace(BLANK, codes=(*SAME_CODES, CodePair("0", "none", 300))), Verdict.REVIEW),
        (replace(BLANK, codes=(*SAME_CODES, CodePair("0", "none", 3000))), Verdict.DIFFERENT),
        (replace(PAGES, text=TextFigures(0, 0, 1000, 31)), Verdict.REVIEW),
        (replace(PAGES, text=TextFigures(0, 0, 1000, 101)), Verdict.DIFFERENT),
    ],
)
def test_rules(report: RouteReport, verdict: Verdict) -> None:
    assert judge(report).verdict is verdict


def test_values_of_no_field_are_said_nothing_of() -> None:
    empty = replace(BLANK, images=0, fields=(), codes=())
    assert judge(empty).en == "Not enough images yet: 0 of the 400 that a verdict takes."
    assert judge(empty).zh == "图片还不够：0 张，判断需要 400 张。"
