"""The sums that are kept of observed calls: their names, and what one call adds to them. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from inkgate.service.contract.capabilities import Capability
from inkgate.service.takeover.compare import NO_ANSWER, Comparison, call_code, charged_units
from inkgate.service.takeover.observation import CloudAnswer, LocalAnswer, Observation
from inkgate.service.takeover.observation_models import FIELD_CHARACTERS
from inkgate.service.usage import latency

CALLS = "calls"
"""Observed calls."""
COMPARED = "compared"
"""Calls with two answers that were compared."""
UNREADABLE = "unreadable"
"""Calls with two answers of which one is not the contract's JSON."""
IMAGES = "images"
"""Images that both sides read."""
UNITS = "units"
"""Units that the cloud charges for the observed calls, by the manual (7.1)."""
SKIPPED, FIELD, TEXT, CODE, IMAGE_CODE, CLOUD_TIME, LOCAL_TIME = (
    "skipped",  # .reason
    "field",  # .name.outcome (compare.Match)
    "text",  # .figure (TextFigures)
    "code",  # .cloud.local
    "image_code",  # .cloud.local
    "cloud_time",  # .bucket (usage.latency.COLUMNS)
    "local_time",
)
"""First parts of the names of several sums."""

_REASONS = ("sealed", "shed", "failed")


def measures(capability: Capability, observation: Observation, comparison: Comparison | None) -> Counter[str]:
    """What a call adds: name of the sum → number. `comparison` is None without two answers."""
    added: Counter[str] = Counter({CALLS: 1})
    cloud, local = observation.cloud, observation.local
    if cloud is not None:
        added[UNITS] = charged_units(capability, cloud.status, cloud.code, cloud.body)
        added[f"{CLOUD_TIME}.{_bucket(cloud.seconds)}"] = 1
    if local is not None:
        added[f"{LOCAL_TIME}.{_bucket(local.seconds)}"] = 1
        added[f"{CODE}.{_code(capability, cloud)}.{_code(capability, local)}"] = 1
    else:
        reason = observation.skipped if observation.skipped in _REASONS else "other"
        added[f"{SKIPPED}.{reason}"] = 1
        if reason == "failed":
            added[f"{CODE}.{_code(capability, cloud)}.{NO_ANSWER}"] = 1
    if comparison is not None:
        _add_comparison(added, comparison)
    return +added


def _add_comparison(added: Counter[str], comparison: Comparison) -> None:
    if not comparison.readable:
        added[UNREADABLE] = 1
        return
    added[COMPARED] = 1
    added[IMAGES] = comparison.images
    for (name, outcome), count in comparison.fields.items():
        added[f"{FIELD}.{name[:FIELD_CHARACTERS]}.{outcome.value}"] = count
    for (one, other), count in comparison.image_codes.items():
        added[f"{IMAGE_CODE}.{one}.{other}"] = count
    for text in comparison.texts:
        for name, value in asdict(text).items():
            added[f"{TEXT}.{name}"] += value


def _bucket(seconds: float) -> str:
    return latency.column(round(seconds * 1000)) if seconds >= 0 else latency.COLUMNS[0]


def _code(capability: Capability, answer: CloudAnswer | LocalAnswer | None) -> str:
    return NO_ANSWER if answer is None else call_code(capability, answer.status, answer.code)
