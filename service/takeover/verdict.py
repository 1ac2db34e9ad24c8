"""A sentence on one app and capability, by fixed rules, in Chinese and English. Pure.

    insufficient   fewer than MIN_IMAGES images (or no text) were read by both: more calls have to be mirrored
    different      some field surely agrees on less than POOR_SHARE of its values (upper end of the 95 % interval), or
                   running text on less than POOR_CHARACTERS of its characters, or other codes in POOR_CODES of calls
    ready          every field surely agrees on READY_SHARE (lower end of the interval), running text on
                   READY_CHARACTERS, and codes are the same in READY_CODES of the calls (lower end)
    review         anything else: look at the differing values

Agreement is not accuracy: where two services differ, either may be right. Fields are judged from MIN_FIELD_VALUES
values on, running text without blanks and width. A call that could not be read here counts as one with another code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inkgate.service.takeover.report import RouteReport
from inkgate.service.takeover.statistics import percent

MIN_IMAGES = 400  # the interval of a share near 98% is then about ± 2%
READY_SHARE, POOR_SHARE = 0.95, 0.85
READY_CHARACTERS, POOR_CHARACTERS = 0.97, 0.90
READY_CODES, POOR_CODES = 0.98, 0.90


class Verdict(StrEnum):
    """What the figures say about switching."""

    INSUFFICIENT = "insufficient"
    DIFFERENT = "different"
    READY = "ready"
    REVIEW = "review"


_OPENINGS = {
    Verdict.INSUFFICIENT: (
        "图片还不够：{images:,} 张，判断需要 {needed:,} 张。",
        "Not enough images yet: {images:,} of the {needed:,} that a verdict takes.",
    ),
    Verdict.DIFFERENT: (
        "两边结果差别较大，切换前请查看差异。",
        "The answers differ considerably; look at the differences before you switch.",
    ),
    Verdict.READY: ("可以切换。", "Ready to switch."),
    Verdict.REVIEW: ("差别不大，请先查看差异再决定。", "Close; look at the differences, then decide."),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its sentence in both languages."""

    verdict: Verdict
    zh: str
    en: str

    def text(self, language: str) -> str:
        """The sentence, in English for "en", otherwise in Chinese."""
        return self.en if language == "en" else self.zh


def judge(report: RouteReport) -> Judgement:
    """The verdict on one app and capability."""
    verdict = _verdict(report)
    zh, en = (each.format(images=report.images, needed=MIN_IMAGES) for each in _OPENINGS[verdict])
    return Judgement(verdict, zh + _evidence(report, "zh"), " ".join(filter(None, (en, _evidence(report, "en")))))


def _verdict(report: RouteReport) -> Verdict:
    weakest, characters = report.weakest_field, report.folded_characters
    if report.images < MIN_IMAGES or (weakest is None and characters is None):
        return Verdict.INSUFFICIENT
    low = weakest.agreement.interval[0] if weakest else 1.0
    text = 1.0 if characters is None else characters
    codes = report.same_codes.interval
    if _any_poor_field(report) or text < POOR_CHARACTERS or codes[1] < POOR_CODES:
        return Verdict.DIFFERENT
    if low >= READY_SHARE and text >= READY_CHARACTERS and codes[0] >= READY_CODES:
        return Verdict.READY
    return Verdict.REVIEW


def _any_poor_field(report: RouteReport) -> bool:
    return any(each.agreement.interval[1] < POOR_SHARE for each in report.judged_fields)


def _evidence(report: RouteReport, language: str) -> str:
    """The figures behind the verdict, each where there is one."""
    english = language == "en"
    parts = []
    weakest = report.weakest_field
    if weakest is not None:
        label, share = report.label(weakest.name, language), weakest.agreement.text
        parts.append(
            f"Lowest agreement of a field: {share} of {weakest.values:,} values of {label}."
            if english
            else f"一致率最低的字段：{label}，{weakest.values:,} 个值中一致 {share}。"
        )
    if report.text is not None and report.folded_characters is not None:
        number, share = report.text.folded_characters, percent(report.folded_characters)
        parts.append(
            f"{share} of {number:,} characters are the same, not counting blanks."
            if english
            else f"不计空白的 {number:,} 个字符中一致 {share}。"
        )
    codes = report.same_codes
    if codes.total:
        other = codes.total - codes.count
        parts.append(
            f"{other:,} of {codes.total:,} calls returned a different code."
            if english
            else f"{codes.total:,} 次调用中 {other:,} 次的返回码不同。"
        )
    return (" " if english else "").join(parts)
