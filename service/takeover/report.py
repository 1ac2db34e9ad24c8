"""The report on mirrored calls: agreement, latency, codes and what would have been saved, by app and capability."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.orders import repository as orders
from inkgate.service.orders.models import ProductRow
from inkgate.service.takeover import measures as names
from inkgate.service.takeover import observation_repository as repository
from inkgate.service.takeover.compare import OTHER_FIELD, Match
from inkgate.service.takeover.observation_repository import Selection, Sum
from inkgate.service.takeover.statistics import Share
from inkgate.service.takeover.text_distance import TextFigures
from inkgate.service.usage import latency
from inkgate.service.usage.rollup import DAY, day_of

MIN_FIELD_VALUES = 30
"""Values from which a field is judged; the interval of fewer says too little."""
DEFAULT_PERIOD = timedelta(days=30)
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class FieldFigures:
    """Agreement of one field. Values that both sides leave empty are in `empty` alone."""

    name: str
    equal: int = 0
    folded: int = 0
    differs: int = 0
    only_cloud: int = 0
    only_local: int = 0
    empty: int = 0

    @property
    def values(self) -> int:
        """Images of which at least one side has a value."""
        return self.equal + self.folded + self.differs + self.only_cloud + self.only_local

    @property
    def agreement(self) -> Share:
        """Values that are the same, character by character."""
        return Share(self.equal, self.values)

    @property
    def folded_agreement(self) -> Share:
        """The same, but for blanks and full-width characters."""
        return Share(self.equal + self.folded, self.values)


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times of one side in milliseconds; None without calls."""

    calls: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class CodePair:
    """The codes of both sides, and how many calls or images had them; "none": no answer."""

    cloud: str
    local: str
    count: int


@dataclass(frozen=True, slots=True)
class RouteReport:
    """The figures of one app and capability. `saved_fen` is what the units of the cloud cost at `price` (None: free,
    or not for sale), a product of the catalogue."""

    app_id: str
    app_name: str
    account_name: str
    capability: Capability
    calls: int
    compared: int
    unreadable: int
    images: int
    skipped: Mapping[str, int]
    fields: tuple[FieldFigures, ...]
    text: TextFigures | None
    codes: tuple[CodePair, ...]
    image_codes: tuple[CodePair, ...]
    cloud_time: Latency
    local_time: Latency
    units: int
    price: str | None
    saved_fen: int
    price_units: int = 0  # the size of that product

    @property
    def same_codes(self) -> Share:
        """Calls with two answers that have the same code."""
        return Share(sum(each.count for each in self.codes if each.cloud == each.local), _total(self.codes))

    @property
    def characters(self) -> float | None:
        """Character agreement of running text; None without text."""
        return _agreement(self.text.edits, self.text.characters) if self.text else None

    @property
    def folded_characters(self) -> float | None:
        """The same without blanks, line breaks and differences of width."""
        return _agreement(self.text.folded_edits, self.text.folded_characters) if self.text else None

    @property
    def lines(self) -> float | None:
        """Share of lines that the other side has too, in whatever order; None without lines."""
        if self.text is None or not self.text.cloud_lines + self.text.local_lines:
            return None
        return 2 * self.text.equal_lines / (self.text.cloud_lines + self.text.local_lines)

    @property
    def judged_fields(self) -> list[FieldFigures]:
        """The fields of the contract with enough values to judge."""
        return [each for each in self.fields if each.values >= MIN_FIELD_VALUES and each.name != OTHER_FIELD]

    @property
    def weakest_field(self) -> FieldFigures | None:
        """The judged field whose agreement has the lowest lower bound."""
        return min(self.judged_fields, key=lambda each: each.agreement.interval[0], default=None)

    def label(self, field: str, language: str) -> str:
        """The name of a field for people."""
        if field == OTHER_FIELD:
            return "other keys" if language == "en" else "其他键"
        return self.capability.label(field, language)


async def report(
    session: AsyncSession,
    since: datetime,
    until: datetime,
    *,
    app_id: str | None = None,
    capability: str | None = None,
    account_id: str | None = None,
    app_ids: Sequence[str] | None = None,
) -> list[RouteReport]:
    """The reports of all apps and capabilities with observed calls in whole days (Beijing time) from the day of `since`
    to that of `until`, most calls first. Capabilities that are no longer installed are left out."""
    products = await orders.products(session)
    wanted = replace(selection(since, until, app_id, capability, account_id), app_ids=app_ids)
    found = await repository.sums(session, wanted)
    routes: defaultdict[tuple[str, str], list[Sum]] = defaultdict(list)
    for each in found:
        if each.capability in CAPABILITIES:
            routes[each.app_id, each.capability].append(each)
    return sorted((_route(sums, products) for sums in routes.values()), key=lambda each: -each.calls)


def selection(
    since: datetime, until: datetime, app_id: str | None, capability: str | None, account_id: str | None = None
) -> Selection:
    """The selection of whole days that a period touches."""
    return Selection(day_of(since), day_of(until) + DAY, app_id, capability, account_id)


def _route(sums: Sequence[Sum], products: Sequence[ProductRow]) -> RouteReport:
    first = sums[0]
    counts = {each.measure: each.count for each in sums}
    capability = CAPABILITIES[first.capability]
    units = counts.get(names.UNITS, 0)
    product = pack_for(units, [each for each in products if each.capability == capability.name])
    return RouteReport(
        app_id=first.app_id,
        app_name=first.app_name,
        account_name=first.account_name,
        capability=capability,
        calls=counts.get(names.CALLS, 0),
        compared=counts.get(names.COMPARED, 0),
        unreadable=counts.get(names.UNREADABLE, 0),
        images=counts.get(names.IMAGES, 0),
        skipped={key: count for (key,), count in _under(counts, names.SKIPPED)},
        fields=_fields(capability, counts),
        text=_text(counts),
        codes=_codes(counts, names.CODE),
        image_codes=_codes(counts, names.IMAGE_CODE),
        cloud_time=_latency(counts, names.CLOUD_TIME),
        local_time=_latency(counts, names.LOCAL_TIME),
        units=units,
        price=product.id if product else None,
        saved_fen=cost_fen(units, product),
        price_units=product.units if product else 0,
    )


def pack_for(units: int, products: Sequence[ProductRow]) -> ProductRow | None:
    """The smallest pack on sale that holds so many units, else the largest; None without packs."""
    by_size = sorted(products, key=lambda each: each.units)
    return next((each for each in by_size if each.units >= units), by_size[-1] if by_size else None)


def cost_fen(units: int, product: ProductRow | None) -> int:
    """The price of so many units at the unit price of a pack, in fen, half a fen up."""
    if product is None:
        return 0
    exact = Fraction(units * product.price_fen, product.units)
    return int(exact + Fraction(1, 2))


def _under(counts: Mapping[str, int], first: str) -> list[tuple[tuple[str, ...], int]]:
    """The sums whose names begin with a part, by the other parts of their names."""
    prefix = f"{first}."
    return [(tuple(key[len(prefix) :].split(".")), count) for key, count in counts.items() if key.startswith(prefix)]


def _fields(capability: Capability, counts: Mapping[str, int]) -> tuple[FieldFigures, ...]:
    """The fields in the order of the capability, unknown ones last."""
    outcomes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    known = {each.value for each in Match}
    for parts, count in _under(counts, names.FIELD):
        if parts[-1] in known:
            outcomes[".".join(parts[:-1])][parts[-1]] = count
    order = [each.name for each in (*capability.element_fields, *capability.fields, *capability.item_fields)]
    ranks = {name: rank for rank, name in enumerate(order)}
    listed = sorted(outcomes, key=lambda name: (ranks.get(name, len(ranks)), name))
    return tuple(FieldFigures(name, **outcomes[name]) for name in listed)


def _text(counts: Mapping[str, int]) -> TextFigures | None:
    known = {each.name for each in fields(TextFigures)}
    found = {key: count for (key,), count in _under(counts, names.TEXT) if key in known}
    return TextFigures(**found) if found else None


def _codes(counts: Mapping[str, int], first: str) -> tuple[CodePair, ...]:
    pairs = [CodePair(*parts, count) for parts, count in _under(counts, first) if len(parts) == 2]
    return tuple(sorted(pairs, key=lambda each: (-each.count, each.cloud, each.local)))


def _latency(counts: Mapping[str, int], first: str) -> Latency:
    buckets = dict.fromkeys(latency.COLUMNS, 0)
    for (column,), count in _under(counts, first):
        if column in buckets:
            buckets[column] = count
    listed = list(buckets.values())
    return Latency(sum(listed), *(latency.percentile(listed, share) for share in PERCENTILES))


def _total(pairs: Sequence[CodePair]) -> int:
    return sum(each.count for each in pairs)


def _agreement(edits: int, characters: int) -> float | None:
    return 1 - edits / characters if characters else None
