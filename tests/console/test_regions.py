"""Provinces of addresses, and their tiles on the map."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.console import regions
from inkgate.service.console.regions import PROVINCES, RegionTable
from inkgate.service.errors import ConfigurationError
from tests.console.console_fixture import ConsoleFixture
from tests.console.test_english import chinese
from tests.console.test_pages import call, traffic


def test_the_map_has_every_province_once_and_no_shared_tile() -> None:
    assert len(PROVINCES) == 34
    for part in ("name", "digits", "letters"):
        assert len({getattr(each, part) for each in PROVINCES}) == 34
    assert len({(each.column, each.row) for each in PROVINCES}) == 34


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("浙江省", "浙江"),
        ("CN-ZJ", "浙江"),
        ("330000", "浙江"),
        ("33", "浙江"),
        ("内蒙古自治区", "内蒙古"),
        ("广西壮族自治区", "广西"),
        ("香港特别行政区", "香港"),
        ("北京市", "北京"),
        ("cn-tw", "台湾"),
        ("内网", "内网"),
        ("新加坡", "新加坡"),
        ("99", "99"),
    ],
)
def test_a_province_is_found_by_each_of_its_names(written: str, name: str) -> None:
    assert regions.normal(written) == name


def test_the_longest_matching_prefix_determines_the_region() -> None:
    rows = [("10.0.0.0/8", "内网"), ("10.3.0.0/16", "浙江省"), ("10.3.4.7", "CN-BJ"), ("2001:db8::/32", "上海")]
    table = RegionTable(rows)
    found = [table.region(each) for each in ("10.9.9.9", "10.3.4.6", "10.3.4.7", "2001:db8::1", "192.0.2.1", "odd")]
    assert found == ["内网", "浙江", "北京", "上海", "", ""]


def test_an_address_alone_has_a_region_in_a_private_network_only() -> None:
    private = ("10.1.2.3", "172.31.0.1", "192.168.1.1", "127.0.0.1", "fd00::1", "::1")
    assert {regions.region_without_table(each) for each in private} == {"内网"}
    assert {regions.region_without_table(each) for each in ("172.32.0.1", "114.114.114.114", "2400::1", "odd")} == {""}


def test_the_darkest_tile_is_the_province_with_most_calls() -> None:
    calls = {"浙江": 100, "北京": 41, "云南": 1, "内网": 900}
    level = {each.province.name: each.level for each in regions.tiles(calls)}
    assert (level["浙江"], level["北京"], level["云南"], level["西藏"]) == (5, 3, 1, 0)
    assert {each.level for each in regions.tiles({})} == {0}


def test_a_table_is_read_from_a_file_and_an_invalid_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "regions.csv"
    file.write_text("\ufeffnetwork,region\n# ours\n192.0.2.0/24,浙江省\n\n198.51.100.0/24,330000,more\n", "utf-8")
    table = regions.load(file)
    assert table is not None and table.region("198.51.100.9") == "浙江" == table.region("192.0.2.1")
    assert regions.load(None) is None
    for text in ("192.0.2.0/24,浙江\nnowhere,浙江\n", "192.0.2.0/24,浙江\n192.0.3.0/24\n"):
        file.write_text(text, "utf-8")
        with pytest.raises(ConfigurationError, match=r"entry 2 of .*regions.csv"):
            regions.load(file)
    with pytest.raises(ConfigurationError, match="cannot read"):
        regions.load(tmp_path / "none.csv")


async def test_the_overview_fetches_its_callers_by_network_and_province(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine)
    await traffic(
        console,
        *(call(console, "licence", images=1, units=1) for _ in range(3)),
        call(console, "licence", images=1, units=1, client_ip="198.51.100.9"),
    )
    lin = await console.signed_in("lin")
    assert 'hx-get="/console/callers?days=7"' in await lin.see("/")
    plain = await lin.see("/callers?days=7")
    assert "192.0.2.0/24" in plain and "75.0%" in plain and '<svg class="map"' not in plain
    assert "来源地址看不出省份" in plain and "inkgate regions build" in plain and "<td>未知</td>" in plain
    table = RegionTable([("192.0.2.0/24", "浙江省")])
    console.app.routes[-1].app.state.parts = replace(console.parts, regions=table)  # type: ignore[attr-defined]
    drawn = await lin.see("/callers?days=7")
    assert re.search(r'<g class="level-5"><title>浙江 ZJ · 3 次 · 75\.0%', drawn) and "<td>未知</td>" in drawn
    lin.cookies.set("inkgate_language", "en", path="/console")
    english = await lin.see("/callers?days=7")
    assert "<td>Zhejiang</td>" in english and "<title>Zhejiang ZJ · 3 calls" in english and not chinese(english)
    lin.cookies.delete("inkgate_language", path="/console")
    elsewhere = RegionTable([("203.0.113.0/24", "浙江省")])
    console.app.routes[-1].app.state.parts = replace(console.parts, regions=elsewhere)  # type: ignore[attr-defined]
    assert "运营方的网段表中没有这些来源网段" in await lin.see("/callers?days=7")
    assert "没有数据" in await (await console.signed_in("east")).see("/callers")
    assert (await (await console.signed_in("chief")).get("/callers")).status_code == 403
