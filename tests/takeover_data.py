"""Figures of mirrored calls with known differences, for the tests of report, command, admin API and pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.contract.capabilities import CAPABILITIES, GENERAL, IDCARD, PLATE, Capability
from inkgate.service.takeover import observation_repository as repository
from inkgate.service.takeover.compare import compare
from inkgate.service.takeover.measures import measures
from inkgate.service.takeover.observation import CloudAnswer, LocalAnswer, Observation
from inkgate.service.takeover.tally import Keeping, Tally
from tests.unit.takeover.answers import answer

CARDS, OTHER_NAMES, SPACED_ADDRESSES, MISSING_SIDES, SHED, FAULTS, BAD_GATEWAYS = 500, 15, 40, 3, 20, 4, 6
PAGES, PLATES = 450, 30


@dataclass(frozen=True, slots=True)
class Both:
    """What both services answer to one call; `local` is None where the call was not read here."""

    capability: Capability
    cloud: bytes
    local: bytes | None
    status: int = 200
    code: str = "0"
    skipped: str = ""


def calls() -> Iterator[Both]:
    """The calls: identity cards with planted differences, pages, and a few plates that all agree."""
    for number in range(CARDS):
        cloud, local = card(number), card(number)
        if number < OTHER_NAMES:
            local["name"] = "林知运"
        elif number < OTHER_NAMES + SPACED_ADDRESSES:
            cloud["addr"] = cloud["addr"].replace("西湖区", "西湖区 ")
        elif number < OTHER_NAMES + SPACED_ADDRESSES + MISSING_SIDES:
            local["birthday"] = ""
        yield Both(IDCARD, *(answer(IDCARD, {"note": "back", "detail": each}) for each in (cloud, local)))
    some = answer(IDCARD, {"note": "back", "detail": card(0)})
    for _ in range(SHED):
        yield Both(IDCARD, some, None, skipped="shed")
    for _ in range(FAULTS):
        yield Both(IDCARD, answer(IDCARD, "size"), answer(IDCARD, {"note": "", "detail": {}}))
    for _ in range(BAD_GATEWAYS):
        yield Both(IDCARD, b"<html>", some, status=502, code="")
    for number in range(PAGES):
        lines = ("图书馆开放通知", f"编号：TS-2026-{number:04}", "咨询电话：010-5550 1234")
        other = (*lines[:2], "咨询电话：010-5S50 1234") if number % 50 == 0 else lines
        yield Both(GENERAL, answer(GENERAL, page(lines)), answer(GENERAL, page(other)))
    for _ in range(PLATES):
        plate = answer(PLATE, {"detail": [{"platelicense": "浙A8K26P", "plate_type": "蓝牌"}]})
        yield Both(PLATE, plate, plate)


def card(number: int) -> dict[str, str]:
    empty = {field.name: "" for field in IDCARD.fields}
    known = {"name": "林知远", "sex": "女", "nation": "汉", "birthday": "19920816", "idn": f"33010619920816{number:04}"}
    return {**empty, **known, "addr": f"浙江省杭州市西湖区青禾路{number}号"}


def page(lines: tuple[str, ...]) -> dict[str, object]:
    detail = [{"name": str(index), "text": text, "box": [0.0] * 8} for index, text in enumerate(lines)]
    return {"text_line": len(lines), "detail": detail}


async def write_figures(engine: AsyncEngine, account_id: str, app_id: str, at: datetime, *, personal: bool) -> None:
    """Write the figures of `calls` as gateways do, over the last three days."""
    tally = Tally(Keeping(personal_values=personal))
    for number, each in enumerate(calls()):
        milliseconds = 240 + number % 120
        cloud = CloudAnswer(each.status, each.code, milliseconds / 1000, each.cloud)
        local = None if each.local is None else LocalAnswer(200, "0", milliseconds / 4000, each.local)
        moment = at - timedelta(days=number % 3)
        seen = Observation(moment, account_id, app_id, each.capability.name, cloud, local, each.skipped)
        made = compare(each.capability, each.cloud, each.local) if each.local and each.status == 200 else None
        counts = measures(CAPABILITIES[each.capability.name], seen, made)
        tally.add(seen, counts, made.differences if made else ())
    async with engine.begin() as connection:
        await repository.add_figures(connection, tally.figure_rows())
        if tally.differences:
            await repository.add_differences(connection, tally.difference_rows())
