"""The pages made from registries and results hold what their sources hold."""

from __future__ import annotations

import json

import pytest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.refusals import GATEWAY_CODES
from tests.hostile.attacks import ATTACKS
from tools import api_page, cost_page, hostile_clients_page, results_files, results_page, sizing
from tools.reference import GENERATED_NOTE, table

THROUGHPUT_RESULTS = ("isa", "roofline", "capabilities", "served", "memory", "metering-chain")
MANUAL_PRICES = {  # yuan, manual 2.1
    "general": ("450", "3,200", "11,500", "22,000"),
    "idcard": ("1,350", "9,600", "39,000", "78,000"),
    "plate": ("1,350", "9,600", "39,000", "78,000"),
}


def test_the_api_page_lists_every_path_field_and_gateway_code() -> None:
    page = api_page.api_page(GENERATED_NOTE, table)
    for capability in CAPABILITIES.values():
        for path in capability.paths:
            assert f"{path}`" in page
        for field in capability.fields:
            assert f"| `{field.name}` | {field.zh} | {field.en} |" in page
    for code, row in GATEWAY_CODES.items():
        assert f"| {code} | `{row.text}` | {row.http} |" in page


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "string"),
        ({"enum": ["front", "back"]}, '"front" or "back"'),
        ({"type": "array", "items": {"type": "number"}, "minItems": 8, "maxItems": 8}, "[number × 8]"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 0}, "[string, …]"),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"a": integer}'),
    ],
)
def test_a_schema_in_short_form(schema: dict[str, object], text: str) -> None:
    assert api_page.sketch(schema) == text


@pytest.mark.parametrize("name", MANUAL_PRICES)
def test_the_cost_page_has_the_prices_of_the_manual(name: str) -> None:
    title = CAPABILITIES[name].title
    (row,) = (
        line
        for line in cost_page.cost_page("", table).splitlines()
        if line.startswith(f"| {title} ") and line.count("¥") > 4
    )
    assert [cell.strip() for cell in row.split("|")[2:6]] == [f"¥{price}" for price in MANUAL_PRICES[name]]


def test_the_break_even_price_of_a_core_hour() -> None:
    general = CAPABILITIES["general"]
    _, _, hours, prices = cost_page.own(general, seconds=0.7 * 0.9)  # 0.9 s of a core that is used to 70 %
    assert hours == "250"
    assert prices == "¥18.0 – 8.8"  # ¥4,500 and ¥2,200 for a million images


def test_every_capability_has_a_cost_per_image() -> None:
    assert set(sizing.cpu_seconds()) == set(CAPABILITIES)
    assert all(f"| `{name}` |" in sizing.page() for name in CAPABILITIES)


def test_the_results_page_shows_the_figures_of_its_files() -> None:
    page = results_page.results_page(GENERATED_NOTE, table)
    engines = json.loads((results_files.RESULTS / "throughput-dev.json").read_text())["engines"]
    for name, row in engines.items():
        shown = f"| {name.replace('inkgate', 'InkGate')} | {row['cpu_seconds_per_image']:.2f} |"
        assert shown in page
        assert f"{row['accuracy']['ALL']['char']:.4f}".removeprefix("0") in page
    exact = json.loads((results_files.RESULTS / "exact-units.json").read_text())["runs"]
    assert page.count("| 20,000 | 15,000 | 0 |") == len(exact)
    for file in ("documents", "plates", "scale-out-load", "metering", *THROUGHPUT_RESULTS):
        assert f"benchmarks/results/{file}.json" in page


def test_the_results_page_has_a_row_for_each_level_network_capability_and_system() -> None:
    page = results_page.results_page(GENERATED_NOTE, table)
    for file, part, code in (
        ("isa", "levels", False),
        ("roofline", "networks", True),
        ("capabilities", "capabilities", True),
        ("served", "targets", False),
        ("memory", "engines", True),
    ):
        for name in results_files.read(file)[part]:
            assert f"| `{name}` |" in page if code else f"| {name} |" in page


def test_every_attack_of_hostile_clients_has_its_text_in_both_languages() -> None:
    assert set(hostile_clients_page.TRIED) == set(ATTACKS)
