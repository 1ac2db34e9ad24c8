"""The type of a capability: all its properties, as data and pure functions.

The built-in capabilities are the files of `inkgate.service.contract.capabilities`; other distributions add theirs
through the entry-point group `inkgate.capabilities` (docs/howto/add-a-capability.md). No other module of the service
names a single capability.
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
"""The prefix of all call paths; the next segment is the service id."""

Element = dict[str, Any]
"""The JSON object of one image in an answer."""
Options = Mapping[str, Any]
"""The operator's settings about elements: `plate_types` maps kinds of plates to their names."""


@dataclass(frozen=True, slots=True)
class AnswerField:
    """A key of an answer, with its label in Chinese and English. `personal`: its values may identify a person."""

    name: str
    zh: str
    en: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class PackPrice:
    """A resource pack of the catalogue. `size` is the suffix of the product id; `price_fen` is in fen (0.01 yuan)."""

    size: str
    units: int
    price_fen: int


def manual_pack_prices(*yuan: int) -> tuple[PackPrice, ...]:
    """The four pack sizes of the manual (2.1, 7.1) at the given prices in yuan, smallest first."""
    sizes = (("100k", 100_000), ("1m", 1_000_000), ("5m", 5_000_000), ("10m", 10_000_000))
    return tuple(PackPrice(size, units, price * 100) for (size, units), price in zip(sizes, yuan, strict=True))


def no_extra_keys(row: Fault) -> Element:
    """No keys besides `err_code` and `err_msg` in the element of a failed image."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One capability.

    `name` identifies it in settings, metrics, ledger and commands. `title` is Chinese, `title_en` English. `paths`
    lists every accepted path, the canonical one first; path segments in `case_insensitive_segments`, given in lower
    case, match in any case.

    A request is a JSON object with a list `data` of images, or, with an `action`, the pair `Action` and `ImageData` of
    a single image; faults of a single image are faults of the request. Sides are pixels, both ends inclusive.
    `faults` is the code table (see `code_tables`).

    `schema` is the JSON Schema of an element. `element(result, extras, options)` builds an element from the result of
    the reader; with `extras` it adds the key `extras`. `failed_keys(row)` are further keys in the element of a failed
    image. `success_code` is the value of the alias `code` of a success body. `view(element)` converts an element for
    display; `fields` are the labels of the keys of `detail`. `stub(text)` is a result with the text `text`, for the
    stub runtime. `lines_key` is the key of the number of text lines, if any, for the metric `image_lines`.

    A takeover compares the values of `fields` with another service's, and those of `element_fields`, further keys of
    the element. For a list `detail` it compares `item_fields`, keys of the items, the first of which identifies an
    item, or with `text_key`, the key of an item's text, the running text of all items.

    `sample` is a sample image file, `example` a JSON file with a recorded `request` and `response` for the reference
    (derived from the schema if None). A commercial capability is paid from resource packs; `packs` are the initial
    list prices of the catalogue.
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
    case_insensitive_segments: frozenset[str] = frozenset()
    max_image_bytes: int = 10 * MIB
    min_side: int = 32
    max_side: int = 5000
    max_images: int = 50
    action: str = ""
    fields: tuple[AnswerField, ...] = ()
    element_fields: tuple[AnswerField, ...] = ()
    item_fields: tuple[AnswerField, ...] = ()
    text_key: str = ""
    failed_keys: Callable[[Fault], Element] = no_extra_keys
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
        """The label of a key of an answer, in English for "en", otherwise in Chinese; without one the key itself."""
        for answer_field in (*self.fields, *self.element_fields, *self.item_fields):
            if answer_field.name == key:
                return answer_field.en if language == "en" else answer_field.zh
        return key
