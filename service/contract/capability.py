"""The type of a capability: everything that the service must know of one, as data and pure functions.

The built-in capabilities are the files of `inkgate.service.contract.capabilities`; other distributions add theirs
through the entry-point group `inkgate.capabilities` (docs/howto/add-a-capability.md). No other module of the service
names one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any

from inkgate.service.contract.code_tables import Fault
from inkgate.service.contract.json_schema import Schema
from inkgate.service.contract.views import View

MIB = 1024 * 1024
PREFIX = "/v1/aiop/api/"
"""What every path of a call begins with; the next segment is the service id."""

Element = dict[str, Any]
"""The JSON object that stands for one image in an answer."""
Options = Mapping[str, Any]
"""What the operator has set about elements: `plate_types` maps kinds of plates to their names."""


@dataclass(frozen=True, slots=True)
class AnswerField:
    """A key of an element's `detail`, and its label for people in Chinese and in English."""

    name: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class PackPrice:
    """A size of resource pack in the catalogue. `size` ends the product's id; `price_fen` is in fen (0.01 yuan)."""

    size: str
    units: int
    price_fen: int


def manual_packs(*yuan: int) -> tuple[PackPrice, ...]:
    """The four sizes that the manual sells (2.1, 7.1), each at the price given in yuan, smallest first."""
    sizes = (("100k", 100_000), ("1m", 1_000_000), ("5m", 5_000_000), ("10m", 10_000_000))
    return tuple(PackPrice(size, units, price * 100) for (size, units), price in zip(sizes, yuan, strict=True))


def no_further_keys(row: Fault) -> Element:
    """The element of a failed image has `err_code` and `err_msg` alone."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One capability.

    `name` is its key everywhere: in settings, metrics, ledger and commands. `title` is Chinese, `title_en` English.
    `paths` lists every accepted spelling, the canonical one first; path segments in `any_case` (lower case) match
    whatever their case.

    A request is a JSON object with a list `data` of images, or, with an `action`, the pair `Action` and `ImageData` of
    a single image; faults of a single image are faults of the request. Sides are pixels, both ends inclusive.
    `faults` is the code table (see `code_tables`).

    `schema` describes an element. `element(result, extras, options)` makes one of what the capability's reader
    returned; with `extras` it adds the key `extras`. `failed_keys(row)` are further keys of a failed image's element.
    `success_code` is the value of the alias `code` of a success body. `view(element)` is the element for people;
    `fields` are the labels of the keys of `detail`. `stub(text)` is a result in which `text` was read, for the stub
    runtime. `lines_key` names the element's count of text lines, where there is one, for the metric `image_lines`.

    `sample` is an image file to try, `example` a JSON file with a recorded `request` and `response` for the reference
    (without one they are made of the schema). A commercial capability is paid from resource packs; `packs` are the
    list prices with which the catalogue begins.
    """

    name: str
    title: str
    title_en: str
    paths: tuple[str, ...]
    faults: Mapping[str, Fault]
    schema: Schema = field(repr=False)
    element: Callable[[Any, bool, Options], Element]
    view: Callable[[Mapping[str, Any]], View]
    stub: Callable[[str], Any]
    sample: Traversable
    example: Traversable | None = None
    any_case: frozenset[str] = frozenset()
    max_image_bytes: int = 10 * MIB
    min_side: int = 32
    max_side: int = 5000
    max_images: int = 50
    action: str = ""
    fields: tuple[AnswerField, ...] = ()
    failed_keys: Callable[[Fault], Element] = no_further_keys
    success_code: int | str = 0
    lines_key: str = ""
    commercial: bool = True
    packs: tuple[PackPrice, ...] = ()

    @property
    def single(self) -> bool:
        """Whether a request holds one image, as `Action` and `ImageData`."""
        return bool(self.action)

    def request(self, images: Sequence[str]) -> dict[str, Any]:
        """The JSON object of a request with these Base64 texts; of a single request the first one."""
        if self.single:
            return {"Action": self.action, "ImageData": images[0]}
        return {"data": list(images)}

    def label(self, key: str, language: str) -> str:
        """The label of a key of `detail`, in "en" or else in Chinese; the key itself where it has none."""
        for each in self.fields:
            if each.name == key:
                return each.en if language == "en" else each.zh
        return key
