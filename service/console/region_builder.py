"""Builds the table of networks and regions from an operator's own list: ranges and single addresses become networks,
names become short ones, and neighbours of one region are joined. Pure, apart from reading the file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range
from pathlib import Path
from typing import TextIO

from inkgate.service.console.regions import MAX_LINES, normal
from inkgate.service.errors import Misuse

Prefix = tuple[int, int, int]
"""A network: IP version, length of the prefix, and its bits."""

MAX_REGION_CHARACTERS = 40
WIDTHS = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """Networks with their regions, IPv4 first, in order of address. `lines` is the number of lines read."""

    rows: Sequence[tuple[str, str]]
    lines: int


def build(path: Path) -> BuiltTable:
    """Reads lines of a network, an address or a range (192.0.2.0-192.0.2.255), and a region.

    Raises Misuse with the number of the first line that is wrong, and for two regions of one network.
    """
    found: dict[Prefix, tuple[str, int]] = {}
    lines = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, networks, region in _read(file, path):
                lines += 1
                for each in networks:
                    held, line = found.setdefault(each, (region, number))
                    if held != region:
                        raise Misuse(
                            "command.regions_conflict", network=_text(each), line=number, other=line, path=str(path)
                        )
                if len(found) > MAX_LINES:
                    raise Misuse("command.regions_too_many", path=str(path), most=MAX_LINES)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Misuse("command.file_unreadable", path=str(path), reason=reason) from None
    joined = _joined({prefix: region for prefix, (region, _) in found.items()})
    return BuiltTable([(_text(prefix), joined[prefix]) for prefix in sorted(joined, key=_place)], lines)


def _read(file: TextIO, path: Path) -> Iterator[tuple[int, list[Prefix], str]]:
    """Line number, networks and region of each line; comments, empty lines and the heading are skipped."""
    reader = csv.reader(file)
    for cells in reader:
        if not cells or cells[0].startswith("#") or cells[0].strip().lower() == "network":
            continue
        region = normal(cells[1].strip()) if len(cells) > 1 else ""
        if not region or len(region) > MAX_REGION_CHARACTERS or not region.isprintable():
            raise Misuse("command.regions_line", line=reader.line_num, path=str(path), text=",".join(cells)[:60])
        try:
            yield reader.line_num, list(_networks(cells[0].strip())), region
        except (ValueError, TypeError):
            raise Misuse(
                "command.regions_line", line=reader.line_num, path=str(path), text=",".join(cells)[:60]
            ) from None


def _networks(text: str) -> Iterator[Prefix]:
    """The networks of an address, a network or a range. Raises ValueError and TypeError."""
    first, dash, last = text.partition("-")
    if dash:
        ends: tuple[IPv4Address | IPv6Address, ...] = ip_address(first.strip()), ip_address(last.strip())
        parsed: Iterable = summarize_address_range(*ends)  # type: ignore[type-arg]
    else:
        parsed = [ip_network(text, strict=False)]
    for each in parsed:
        shift = each.max_prefixlen - each.prefixlen
        yield each.version, each.prefixlen, int(each.network_address) >> shift


def _joined(table: dict[Prefix, str]) -> dict[Prefix, str]:
    """The smallest table with the same answers: two halves of one region become their network, and a network within
    one of the same region goes."""
    found = dict(table)
    by_length: dict[tuple[int, int], set[int]] = {}
    for version, length, bits in table:
        by_length.setdefault((version, length), set()).add(bits)
    for version, width in WIDTHS.items():
        for length in range(width, 0, -1):
            for bits in by_length.pop((version, length), ()):
                one, other = (version, length, bits), (version, length, bits ^ 1)
                region = found.get(one)
                if region is not None and found.get(other) == region:
                    del found[one], found[other]
                    found[version, length - 1, bits >> 1] = region  # both halves hide what the whole had
                    by_length.setdefault((version, length - 1), set()).add(bits >> 1)
    return {prefix: region for prefix, region in found.items() if _above(found, prefix) != region}


def _above(table: dict[Prefix, str], prefix: Prefix) -> str | None:
    """The region of the longest network that contains this one."""
    version, length, bits = prefix
    for shorter in range(length - 1, -1, -1):
        bits >>= 1
        region = table.get((version, shorter, bits))
        if region is not None:
            return region
    return None


def _text(prefix: Prefix) -> str:
    version, length, bits = prefix
    first = bits << (WIDTHS[version] - length)
    return f"{IPv4Address(first) if version == 4 else IPv6Address(first)}/{length}"


def _place(prefix: Prefix) -> tuple[int, int, int]:
    version, length, bits = prefix
    return version, bits << (WIDTHS[version] - length), length
