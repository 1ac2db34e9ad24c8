"""Traffic like that of an office: by weekday and hour, with errors; the same for a seed and a date. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.clock import BEIJING

K = TypeVar("K")

OFFICE = (0, 0, 0, 0, 0, 0, 1, 4, 18, 30, 34, 28, 10, 16, 30, 33, 29, 20, 8, 4, 3, 2, 1, 0)
STREET = (2, 1, 1, 0, 1, 3, 9, 22, 26, 18, 14, 13, 14, 13, 12, 13, 16, 24, 27, 20, 14, 10, 7, 4)
NIGHT = (0, 40, 52, 48, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""Calls by hour of the day in Beijing, on a weekday at the end of the period."""

GROWTH = 0.45  # by which the calls grow over the whole period
SAMPLES = 8  # response times drawn for the calls of an hour
FAULTS = {"format": 6, "decode": 3, "base64": 3, "dimensions": 2}
"""Faults of single images with their weights, as the code tables of the capabilities name them."""

FAULT_SHARE = 0.012  # of the calls
REFUSALS = {42900: 30, 10020: 6, 50002: 3}
"""Codes of refused calls with their weights: the rate limit, a wrong signature, a capability that is not opened."""

REFUSED_SHARE = 0.004
BUSY_REFUSED_SHARE = 0.02  # of hours with many calls
BUSY_CALLS = 30


@dataclass(frozen=True, slots=True)
class AppTraffic:
    """How an app calls. `shares` are its capabilities with their part of the calls; `images` is the number of images
    of a call at most; `weekend` is the share of a weekday's calls on Saturday and Sunday."""

    name: str
    description: str
    shares: Mapping[str, float]
    hours: tuple[int, ...]
    images: int
    weekend: float


@dataclass(frozen=True, slots=True)
class MeanCost:
    """Bytes and milliseconds of an image, in the middle."""

    size: int
    ms: float


COSTS = {
    "general": MeanCost(310_000, 420.0),
    "idcard": MeanCost(180_000, 210.0),
    "plate": MeanCost(240_000, 95.0),
    "licence": MeanCost(420_000, 510.0),
}


@dataclass(frozen=True, slots=True)
class HourTraffic:
    """The calls of an app to a capability in one hour with one code. `durations` are samples in milliseconds, for
    `calls` divided among them; a refused call is not in the ledger and has no images."""

    hour: datetime
    app: str
    capability: str
    code: int
    calls: int
    images: int = 0
    failed_images: int = 0
    body_bytes: int = 0
    durations: tuple[int, ...] = ()
    refused: bool = False


def traffic(apps: tuple[AppTraffic, ...], start: datetime, end: datetime, seed: int) -> Iterator[HourTraffic]:
    """The calls of `apps` from the whole hour `start` up to `end`, hour by hour; the last hour in part."""
    draw = random.Random(f"{seed} {start.date()}")  # noqa: S311 - example data
    hours = int((end - start) / timedelta(hours=1)) + 1
    for number in range(hours):
        hour = start + timedelta(hours=number)
        part = min(1.0, (end - hour) / timedelta(hours=1))
        growth = 1 - GROWTH * (1 - number / hours)
        for app in apps:
            for capability, share in app.shares.items():
                yield from _hour(draw, app, capability, hour, share * part * growth)


def _hour(
    draw: random.Random, app: AppTraffic, capability: str, hour: datetime, factor: float
) -> Iterator[HourTraffic]:
    local = hour.astimezone(BEIJING)
    expected = app.hours[local.hour] * factor * draw.uniform(0.8, 1.2)
    if local.weekday() >= 5:
        expected *= app.weekend
    calls = int(expected + draw.random())
    if not calls:
        return
    failed = sum(draw.random() < FAULT_SHARE for _ in range(calls))
    refused_share = BUSY_REFUSED_SHARE if calls > BUSY_CALLS else REFUSED_SHARE
    refused = sum(draw.random() < refused_share for _ in range(calls))
    if calls > failed:
        yield _settled(draw, app, capability, hour, 0, calls - failed)
    if failed:
        fault = CAPABILITIES[capability].faults[_choice(draw, FAULTS)]
        yield _settled(draw, app, capability, hour, fault.code, failed)
    if refused:
        yield HourTraffic(hour, app.name, capability, _choice(draw, REFUSALS), refused, refused=True)


def _settled(
    draw: random.Random, app: AppTraffic, capability: str, hour: datetime, code: int, calls: int
) -> HourTraffic:
    cost, most = COSTS[capability], 1 if CAPABILITIES[capability].single else app.images
    images = calls if code or most == 1 else sum(draw.randint(1, most) for _ in range(calls))
    mean = images / calls * cost.ms * (0.15 if code else 1.0)
    durations = tuple(max(3, round(draw.lognormvariate(0, 0.45) * mean)) for _ in range(min(calls, SAMPLES)))
    failed = images if code else sum(draw.random() < FAULT_SHARE / 4 for _ in range(images))
    size = round(images * cost.size * draw.uniform(0.85, 1.15))
    return HourTraffic(hour, app.name, capability, code, calls, images, failed, size, durations)


def _choice(draw: random.Random, weights: Mapping[K, int]) -> K:
    return draw.choices(list(weights), list(weights.values()))[0]


def spread(total: int, parts: int) -> list[int]:
    """`total` in `parts` whole numbers that differ by at most one."""
    return [total // parts + (number < total % parts) for number in range(parts)]
