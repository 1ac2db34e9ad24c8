"""`inkgate regions build`: ranges and addresses become networks, neighbours are joined, no answer changes."""

from __future__ import annotations

import random
import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inkgate.service.cli import app
from inkgate.service.console import region_builder, regions
from inkgate.service.console.region_builder import build
from inkgate.service.console.regions import RegionTable
from inkgate.service.errors import Misuse

OWN = """network,region
# ours
192.0.2.0/25,浙江省
192.0.2.128-192.0.2.255,330000
198.51.100.7,CN-BJ
10.0.0.0/8,内网
10.3.0.0/16,浙江
10.3.4.0/24,内网
2001:db8::/33,上海
2001:db8:8000::/33,上海市
"""


def source(folder: Path, text: str) -> Path:
    file = folder / "own.csv"
    file.write_text(text, "utf-8-sig")
    return file


def test_a_list_becomes_the_table_that_the_console_loads(tmp_path: Path) -> None:
    to = tmp_path / "regions.csv"
    done = CliRunner().invoke(app, ["regions", "build", str(source(tmp_path, OWN)), "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert to.read_text("utf-8").splitlines() == [
        "network,region",
        "10.0.0.0/8,内网",
        "10.3.0.0/16,浙江",
        "10.3.4.0/24,内网",
        "192.0.2.0/24,浙江",
        "198.51.100.7/32,北京",
        "2001:db8::/32,上海",
    ]
    table = regions.load(to)
    assert table is not None
    assert [table.region(each) for each in ("10.3.4.5", "10.3.5.5", "192.0.2.200", "2001:db8:ffff::1")] == [
        "内网",
        "浙江",
        "浙江",
        "上海",
    ]
    assert "no province, so listed and not drawn: 内网 (2)" in done.output
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("tmp")] == []


def test_joining_changes_no_answer(tmp_path: Path) -> None:
    """Random nested networks of three regions: every address has the region that it had in the list."""
    dice = random.Random(1)
    for _ in range(60):
        rows: dict[str, str] = {}
        for _ in range(dice.randint(1, 40)):
            width = dice.randint(20, 32)
            start = 0x0A000000 + (dice.getrandbits(12) >> (32 - width) << (32 - width))
            rows[f"{IPv4Address(start)}/{width}"] = dice.choice(["浙江", "北京", "内网"])
        built = build(source(tmp_path, "".join(f"{network},{region}\n" for network, region in rows.items())))
        before, after = RegionTable(rows.items()), RegionTable(built.rows)
        assert len(built.rows) <= len(rows)
        for address in (str(IPv4Address(0x0A000000 + dice.getrandbits(12))) for _ in range(200)):
            assert before.region(address) == after.region(address), (rows, address)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("192.0.2.0/24,浙江\nnowhere,浙江\n", "line 2 of .* is not a network and a region: 'nowhere,浙江'"),
        ("192.0.2.0/24\n", "line 1 of .* is not a network and a region"),
        ("192.0.2.9-192.0.2.1,浙江\n", "line 1 of "),
        ("192.0.2.1-2001:db8::1,浙江\n", "line 1 of "),
        ("192.0.2.0/24," + "长" * 41 + "\n", "line 1 of "),
        ("192.0.2.0/24,浙江\n192.0.2.0/24,北京\n", "gives 192.0.2.0/24 two regions, in lines 1 and 2"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(tmp_path: Path, text: str, said: str) -> None:
    to = tmp_path / "regions.csv"
    to.write_text("as it was", "utf-8")
    with pytest.raises(Misuse) as refused:
        build(source(tmp_path, text))
    assert re.search(said, str(refused.value))
    assert CliRunner().invoke(app, ["regions", "build", str(source(tmp_path, text)), "--to", str(to)]).exit_code
    assert to.read_text("utf-8") == "as it was"


def test_unreadable_files_long_lists_and_targets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misuse, match=r"cannot read .*none\.csv"):
        build(tmp_path / "none.csv")
    (tmp_path / "own.csv").write_bytes(b"192.0.2.0/24,\xff\n")
    with pytest.raises(Misuse, match=r"cannot read .*own\.csv"):
        build(tmp_path / "own.csv")
    good = source(tmp_path, OWN)
    refused = CliRunner().invoke(app, ["regions", "build", str(good), "--to", str(tmp_path / "none" / "regions.csv")])
    assert isinstance(refused.exception, Misuse) and "cannot write" in str(refused.exception)
    monkeypatch.setattr(region_builder, "MAX_LINES", 3)
    with pytest.raises(Misuse, match="more than 3 networks"):
        build(good)
