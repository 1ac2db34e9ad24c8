"""Provinces of caller addresses, by a table of the operator, and their places on the tile map.

The map is a grid of equal tiles, one per province-level division, near its true place (docs/adr/0071-province-map.md).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from inkgate.service.errors import ConfigurationError

SETTING = "INKGATE_CONSOLE__REGIONS"
MAX_LINES = 1_000_000
LEVELS = 5
PRIVATE = "内网"
PRIVATE_NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)
"""Networks of RFC 1918, RFC 4193, loopback and link-local."""


@dataclass(frozen=True, slots=True)
class Province:
    """A province-level division: names in Chinese and English, two digits of GB/T 2260, two letters of ISO 3166-2, its
    tile by column and row."""

    name: str
    english: str
    digits: str
    letters: str
    column: int
    row: int


PROVINCES: tuple[Province, ...] = (
    Province("黑龙江", "Heilongjiang", "23", "HL", 8, 0),
    Province("内蒙古", "Inner Mongolia", "15", "NM", 6, 1),
    Province("吉林", "Jilin", "22", "JL", 8, 1),
    Province("新疆", "Xinjiang", "65", "XJ", 0, 2),
    Province("北京", "Beijing", "11", "BJ", 6, 2),
    Province("天津", "Tianjin", "12", "TJ", 7, 2),
    Province("辽宁", "Liaoning", "21", "LN", 8, 2),
    Province("青海", "Qinghai", "63", "QH", 1, 3),
    Province("甘肃", "Gansu", "62", "GS", 2, 3),
    Province("宁夏", "Ningxia", "64", "NX", 3, 3),
    Province("陕西", "Shaanxi", "61", "SN", 4, 3),
    Province("山西", "Shanxi", "14", "SX", 5, 3),
    Province("河北", "Hebei", "13", "HE", 6, 3),
    Province("山东", "Shandong", "37", "SD", 7, 3),
    Province("西藏", "Tibet", "54", "XZ", 1, 4),
    Province("四川", "Sichuan", "51", "SC", 2, 4),
    Province("重庆", "Chongqing", "50", "CQ", 3, 4),
    Province("湖北", "Hubei", "42", "HB", 4, 4),
    Province("河南", "Henan", "41", "HA", 5, 4),
    Province("安徽", "Anhui", "34", "AH", 6, 4),
    Province("江苏", "Jiangsu", "32", "JS", 7, 4),
    Province("上海", "Shanghai", "31", "SH", 8, 4),
    Province("云南", "Yunnan", "53", "YN", 2, 5),
    Province("贵州", "Guizhou", "52", "GZ", 3, 5),
    Province("湖南", "Hunan", "43", "HN", 4, 5),
    Province("江西", "Jiangxi", "36", "JX", 5, 5),
    Province("福建", "Fujian", "35", "FJ", 6, 5),
    Province("浙江", "Zhejiang", "33", "ZJ", 7, 5),
    Province("广西", "Guangxi", "45", "GX", 3, 6),
    Province("广东", "Guangdong", "44", "GD", 4, 6),
    Province("香港", "Hong Kong", "81", "HK", 5, 6),
    Province("台湾", "Taiwan", "71", "TW", 7, 6),
    Province("海南", "Hainan", "46", "HI", 3, 7),
    Province("澳门", "Macao", "82", "MO", 4, 7),
)
_ENGLISH = {each.name: each.english for each in PROVINCES}
_BY_CODE = {code: each.name for each in PROVINCES for code in (each.digits, each.letters)}


@dataclass(frozen=True, slots=True)
class Tile:
    """A province on the map with its calls; `level` from 0 (none) to LEVELS (most calls)."""

    province: Province
    calls: int
    level: int


class RegionTable:
    """Maps an address to the region of its longest matching prefix."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        """`rows` are (network in CIDR notation, region). Raises ValueError for an invalid network."""
        self._by_width: dict[tuple[int, int], dict[int, str]] = {}
        for network, region in rows:
            parsed = ip_network(network, strict=False)
            shift = parsed.max_prefixlen - parsed.prefixlen
            held = self._by_width.setdefault((parsed.version, shift), {})
            held[int(parsed.network_address) >> shift] = normal(region)
        self._shifts = {
            version: sorted(shift for kind, shift in self._by_width if kind == version) for version in (4, 6)
        }

    def region(self, address: str) -> str:
        """The region; "" if no network contains the address or it is invalid."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return ""
        number = int(parsed)
        for shift in self._shifts[parsed.version]:
            found = self._by_width[parsed.version, shift].get(number >> shift)
            if found is not None:
                return found
        return ""


def region_without_table(address: str) -> str:
    """The region that an address has by itself: PRIVATE in a private network, else "". No public address names its
    province, and registries give networks to carriers, not to provinces."""
    return _PRIVATE_TABLE.region(address)


def load(path: Path | None) -> RegionTable | None:
    """Reads a CSV file with a network and a region per line; lines that start with # are comments.

    Raises ConfigurationError with the number of the invalid entry.
    """
    if path is None:
        return None
    rows: list[tuple[str, str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in csv.reader(file):
                if not cells or cells[0].startswith("#") or cells[0].strip() == "network":
                    continue
                network, region = (cell.strip() for cell in cells[:2])
                ip_network(network, strict=False)
                rows.append((network, region))
                if len(rows) > MAX_LINES:
                    raise ConfigurationError(SETTING, f"{path} has more than {MAX_LINES:,} lines", "Join networks.")
    except OSError as error:
        raise ConfigurationError(SETTING, f"cannot read {path} ({error.strerror})", "Name another file.") from None
    except (ValueError, csv.Error) as error:
        raise ConfigurationError(
            SETTING,
            f"entry {len(rows) + 1} of {path} is not a network and a region ({error})",
            "Write lines like 192.0.2.0/24,浙江.",
        ) from None
    return RegionTable(rows)


def normal(region: str) -> str:
    """The short name of a province given as 浙江省, CN-ZJ or 330000. Other regions are returned unchanged."""
    code = region.upper().removeprefix("CN-")
    found = _BY_CODE.get(code[:2] if code.isdigit() and len(code) in (2, 6) else code)
    if found:
        return found
    return next((each.name for each in PROVINCES if region.startswith(each.name)), region)


def in_language(region: str, language: str) -> str:
    """The name of a region in the language of a page. Regions that only the operator's table knows keep their name."""
    return _ENGLISH.get(region, region) if language == "en" else region


def tiles(calls: Mapping[str, int]) -> Sequence[Tile]:
    """The tiles of the map for the calls per region."""
    most = max((calls.get(each.name, 0) for each in PROVINCES), default=0)
    return [
        Tile(each, calls.get(each.name, 0), -(-LEVELS * calls.get(each.name, 0) // most) if most else 0)
        for each in PROVINCES
    ]


_PRIVATE_TABLE = RegionTable((network, PRIVATE) for network in PRIVATE_NETWORKS)
