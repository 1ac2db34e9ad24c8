"""The report on mirrored calls over HTTP."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from inkgate.service.admin.access import UsageRead
from inkgate.service.admin.fields import MAX_ROWS, Id, Instant, Limit, Offset, ShortText
from inkgate.service.admin.reports import MAX_PERIOD
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import Misuse
from inkgate.service.takeover import observation_repository as repository
from inkgate.service.takeover import report as reports
from inkgate.service.takeover.report_document import document

router = APIRouter(prefix="/takeover", tags=["takeover"])


class TakeoverField(BaseModel):
    """Agreement of a field over the images that both sides read. Shares are 0..1; null without values."""

    name: str
    label_zh: str
    label_en: str
    values: int = Field(description="Images of which at least one side has a value.")
    equal: int
    folded: int = Field(description="The same but for blanks and full-width characters.")
    differs: int
    only_cloud: int
    only_local: int
    empty: int = Field(description="Empty on both sides; in no share.")
    agreement: float | None = Field(description="equal / values")
    low: float | None = Field(description="Lower end of the 95 % interval (Wilson).")
    high: float | None
    folded_agreement: float | None = Field(description="(equal + folded) / values")


class TakeoverText(BaseModel):
    """Agreement of running text: Levenshtein distance in reading order, and equal lines in any order."""

    characters: int
    edits: int
    folded_characters: int = Field(description="Without blanks, line breaks and differences of width.")
    folded_edits: int
    cloud_lines: int
    local_lines: int
    equal_lines: int
    agreement: float | None
    folded_agreement: float | None
    line_agreement: float | None


class TakeoverShare(BaseModel):
    agreement: float | None
    low: float | None
    high: float | None


class TakeoverCodes(BaseModel):
    cloud: str = Field(description="`0`: success; `none`: no answer; `http_502`: an answer without a known code.")
    local: str
    count: int


class TakeoverLatency(BaseModel):
    calls: int
    p50: float | None
    p95: float | None
    p99: float | None


class TakeoverReport(BaseModel):
    """The figures of one app and capability."""

    app_id: str
    app: str
    account: str
    capability: str
    verdict: str = Field(description="insufficient, different, ready or review.")
    verdict_zh: str
    verdict_en: str
    calls: int
    compared: int
    unreadable: int
    skipped: dict[str, int] = Field(description="Calls without a reading here, by reason: sealed, shed, failed.")
    images: int
    fields: list[TakeoverField]
    text: TakeoverText | None
    same_codes: TakeoverShare
    codes: list[TakeoverCodes]
    image_codes: list[TakeoverCodes]
    cloud_ms: TakeoverLatency
    local_ms: TakeoverLatency
    units: int = Field(description="Units that the cloud charged, by the manual.")
    product: str | None = Field(description="The pack whose unit price is taken; null: free, or none on sale.")
    saved_fen: int


class TakeoverDifference(BaseModel):
    """A pair of different values, cut at 200 characters, and how often it came."""

    model_config = ConfigDict(from_attributes=True)

    app_id: str
    capability: str
    field: str
    cloud: str
    local: str
    count: int
    last_at: datetime


@router.get("/report")
async def takeover_report(
    admin_request: UsageRead,
    since: Instant,
    until: Instant,
    app_id: Id | None = None,
    account_id: Id | None = None,
    capability: ShortText | None = None,
    limit: Limit = MAX_ROWS,
    offset: Offset = 0,
) -> list[TakeoverReport]:
    """Agreement, latency, codes and savings by app and capability over the days (Beijing time) from `since` to `until`,
    most calls first."""
    _check(since, until, capability)
    async with admin_request.reading() as session:
        found = await reports.report(session, since, until, app_id=app_id, capability=capability, account_id=account_id)
    return [TakeoverReport.model_validate(document(each)) for each in found[offset : offset + limit]]


@router.get("/differences")
async def takeover_differences(
    admin_request: UsageRead,
    since: Instant,
    until: Instant,
    app_id: Id | None = None,
    capability: ShortText | None = None,
    field: ShortText | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> list[TakeoverDifference]:
    """Pairs of different values, most frequent first; personal ones only where INKGATE_TAKEOVER__REPORT_PERSONAL is
    set."""
    _check(since, until, capability)
    async with admin_request.reading() as session:
        rows = await repository.differences(
            session, reports.selection(since, until, app_id, capability), field=field, limit=limit, offset=offset
        )
    return [TakeoverDifference.model_validate(row) for row in rows]


def _check(since: datetime, until: datetime, capability: str | None) -> None:
    """Raises Misuse for a period or a capability that cannot be."""
    if not since < until <= since + MAX_PERIOD:
        raise Misuse("usage.period_invalid", most=MAX_PERIOD.days)
    if capability is not None and capability not in CAPABILITIES:
        raise Misuse("command.capability_unknown", capability=capability, choices=tuple(CAPABILITIES))
