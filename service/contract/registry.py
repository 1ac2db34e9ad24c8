"""Builds the capability registry: built-in capabilities and those of installed distributions, with all checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from inkgate.service.contract.capability import PREFIX, Capability
from inkgate.service.contract.code_tables import BATCH_FAULTS, OPTIONAL_FAULTS, SINGLE_FAULTS
from inkgate.service.contract.refusals import GATEWAY_CODES
from inkgate.service.errors import ConfigurationError

GROUP = "inkgate.capabilities"
NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")  # columns of the ledger have 16 characters
RESERVED = frozenset({"none"})  # the label of a request that named no capability
PRODUCT_CHARACTERS = 32
_PATH = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)+")  # after PREFIX: a service id and at least one segment


def load(built_in: Sequence[Capability], found: Iterable[EntryPoint] | None = None) -> Mapping[str, Capability]:
    """Name → capability: `built_in` in their order, then those of the entry points `found`, sorted by name.

    `found` defaults to the installed ones of the group `inkgate.capabilities`. Raises ConfigurationError for the
    first one that cannot be loaded or breaks a rule; the message names its distribution and the remedy.
    """
    registry: dict[str, Capability] = {}
    for capability in built_in:
        _add(registry, capability, "inkgate")
    for entry in sorted(entry_points(group=GROUP) if found is None else found, key=lambda each: each.name):
        _add(registry, _load_entry_point(entry), distribution(entry), entry.name)
    return MappingProxyType(registry)


def distribution(entry: EntryPoint) -> str:
    """The name of the distribution that an entry point belongs to."""
    return entry.dist.name if entry.dist is not None else entry.value.partition(":")[0]


def service_id(path: str) -> str:
    """The segment after PREFIX of a call path."""
    return path.removeprefix(PREFIX).partition("/")[0]


def _load_entry_point(entry: EntryPoint) -> Capability:
    try:
        found = entry.load()
    except Exception as error:  # any exception of a third-party module at import
        raise _faulty(distribution(entry), entry.name, f"{entry.value} cannot be imported: {error!r}") from error
    if not isinstance(found, Capability):
        raise _faulty(distribution(entry), entry.name, f"{entry.value} is not a Capability")
    return found


def _add(registry: dict[str, Capability], capability: Capability, owner: str, entry_name: str | None = None) -> None:
    """Check a capability by itself and for conflicts with earlier ones, then add it."""
    if entry_name not in (None, capability.name):
        raise _faulty(owner, str(entry_name), f"the entry point must have the capability's name, {capability.name!r}")
    for problem in (*_problems(capability), *_conflicts(capability, registry)):
        raise _faulty(owner, capability.name, problem)
    registry[capability.name] = capability


def _faulty(owner: str, name: str, problem: str) -> ConfigurationError:
    remedy = f"Correct or uninstall the distribution {owner!r} (docs/howto/add-a-capability.md)."
    return ConfigurationError(f"capability {name!r} of the distribution {owner!r}", problem, remedy)


def _conflicts(capability: Capability, registry: Mapping[str, Capability]) -> Iterator[str]:
    if capability.name in registry:
        yield "its name is taken"
    for other in registry.values():
        if {each.lower() for each in capability.paths} & {each.lower() for each in other.paths}:
            yield f"one of its paths is taken by {other.name!r}"
        if {service_id(each) for each in capability.paths} & {service_id(each) for each in other.paths}:
            yield f"a service id of its paths (the segment behind {PREFIX}) is taken by {other.name!r}"


def _problems(capability: Capability) -> Iterator[str]:
    """Violated rules of one capability."""
    if not NAME.fullmatch(capability.name) or capability.name in RESERVED:
        yield "its name must be 1 to 16 of a-z, 0-9 and _, a letter first, and not 'none'"
    if not capability.title or not capability.title_en:
        yield "it needs a title in Chinese and one in English"
    yield from _path_problems(capability)
    yield from _table_problems(capability)
    yield from _limit_problems(capability)
    yield from _answer_problems(capability)
    yield from _price_problems(capability)


def _path_problems(capability: Capability) -> Iterator[str]:
    if not capability.paths:
        yield "it has no path"
    for path in capability.paths:
        if not path.startswith(PREFIX) or not _PATH.fullmatch(path.removeprefix(PREFIX)):
            yield f"its path {path!r} is not {PREFIX} followed by a service id and further segments"
    if len({each.lower() for each in capability.paths}) < len(capability.paths):
        yield "it lists a path twice"
    if any(each != each.lower() or "/" in each for each in capability.case_insensitive_segments):
        yield "case_insensitive_segments takes single path segments in lower case"


def _table_problems(capability: Capability) -> Iterator[str]:
    needed = SINGLE_FAULTS if capability.single else BATCH_FAULTS
    if missing := sorted(needed - capability.faults.keys()):
        yield f"its code table lacks {', '.join(missing)}"
    if unknown := sorted(capability.faults.keys() - needed - OPTIONAL_FAULTS):
        yield f"its code table has rows that nothing raises: {', '.join(unknown)}"
    for name, row in capability.faults.items():
        if row.code <= 0 or row.code in GATEWAY_CODES:
            yield f"the code {row.code} ({name}) is not a positive number, or one of the gateway's own"
        if not row.message or not row.details:
            yield f"the row {name} of its code table has no text"


def _limit_problems(capability: Capability) -> Iterator[str]:
    if not 0 < capability.min_side <= capability.max_side:
        yield "its sides are not 0 < min_side <= max_side"
    if capability.max_image_bytes <= 0 or capability.max_images < 1:
        yield "max_image_bytes and max_images must be positive"
    if capability.single and capability.max_images != 1:
        yield "a capability with an action takes one image: max_images must be 1"


def _answer_problems(capability: Capability) -> Iterator[str]:
    if capability.schema.get("type") != "object":
        yield "the schema of its element is not that of an object"
    hooks = (capability.element, capability.view, capability.stub, capability.failed_keys)
    if not all(callable(each) for each in hooks):
        yield "element, view, stub and failed_keys must be functions"
    labelled = [each.name for each in (*capability.fields, *capability.element_fields, *capability.item_fields)]
    if len(set(labelled)) < len(labelled):
        yield "it labels a field twice"
    if not capability.sample.is_file():
        yield f"its sample image {capability.sample} does not exist"
    if capability.example is not None and not capability.example.is_file():
        yield f"its example {capability.example} does not exist"


def _price_problems(capability: Capability) -> Iterator[str]:
    if capability.packs and not capability.commercial:
        yield "it is free, and has prices"
    if len({each.size for each in capability.packs}) < len(capability.packs):
        yield "it has two prices for one size"
    for pack in capability.packs:
        if pack.units <= 0 or pack.price_fen < 0 or len(f"{capability.name}-{pack.size}") > PRODUCT_CHARACTERS:
            yield f"the pack {pack.size!r} needs units, a price of 0 or more, and a short size"
