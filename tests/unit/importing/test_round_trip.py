"""Properties of import files: what is written is read back; damage to any one row is found in that row."""

from __future__ import annotations

import ipaddress
import random
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.importing import checks, parsing, reading
from inkgate.service.importing.checks import Plan
from inkgate.service.importing.records import Problem
from inkgate.service.metering.packs import COMMERCIAL
from tests.unit.importing.files import Fields, as_csv, as_json

BEIJING = timezone(timedelta(hours=8))
HEX = "0123456789abcdef"

account_names = st.text(alphabet="甲乙丙丁公司分部 AZaz09-_.,;\"'", min_size=1, max_size=64).filter(str.strip)
app_names = st.from_regex(r"[A-Za-z甲乙][A-Za-z0-9_甲乙丙]{3,14}", fullmatch=True)
networks = st.lists(st.ip_addresses().map(str), max_size=5, unique=True)
descriptions = st.text(alphabet='门店扫描 one, "two"; x\n', max_size=60).map(str.strip)
ends = st.datetimes(datetime(2027, 1, 1), datetime(2100, 1, 1)).map(lambda each: each.replace(microsecond=0))


@st.composite
def files(draw: st.DrawFn) -> list[Fields]:
    """Records of one account with one app, in any order. The keys are random hex of lengths in use."""
    generator = random.Random(draw(st.integers(0, 2**64)))
    length = draw(st.sampled_from([24, 31, 32, 40, 64]))

    def key() -> str:
        return "".join(generator.choices(HEX, k=length))

    account, app = draw(account_names).strip(), draw(app_names)
    records = [
        {"record": "account", "account": account},
        {"record": "key", "account": account, "id": key(), "secret": key()},
        {"record": "app", "account": account, "app": app, "id": key(), "secret": key()},
    ]
    records[2] |= {"allowed": " ".join(draw(networks)), "description": draw(descriptions)}
    capability = draw(st.sampled_from(COMMERCIAL))
    qps = draw(st.floats(0.1, 100_000, allow_nan=False))
    records.append({"record": "capability", "app": app, "capability": capability, "qps": repr(qps)})
    units, end = draw(st.integers(1, 10**12)), draw(ends).isoformat(sep=" ")
    records.append({"record": "pack", "app": app, "capability": capability, "units": str(units), "ends": end})
    return draw(st.permutations([{name: text for name, text in each.items() if text} for each in records]))


def read(data: bytes) -> tuple[Plan, list[Problem]]:
    rows, unread = reading.read(data)
    records, problems = parsing.parse(rows)
    plan = Plan.of(records)
    return plan, [*unread, *problems, *checks.within(plan)]


@given(files(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_read_back(records: list[Fields], as_json_: bool) -> None:
    plan, problems = read(as_json(records) if as_json_ else as_csv(records))
    assert [each.text() for each in problems] == []
    given_ = {each["record"]: each for each in records}
    (account,), (key,), (app,), (opened,), (pack,) = plan.accounts, plan.keys, plan.apps, plan.capabilities, plan.packs
    assert account.name == given_["account"]["account"] == key.account == app.account
    assert (key.ak, key.secret) == (given_["key"]["id"], given_["key"]["secret"])
    assert (app.appkey, app.secret, app.name) == tuple(given_["app"][name] for name in ("id", "secret", "app"))
    assert app.description == given_["app"].get("description", "")
    wanted = [str(ipaddress.ip_network(each)) for each in given_["app"].get("allowed", "").split()]
    assert list(app.allowed) == wanted
    assert (opened.capability, opened.qps) == (given_["capability"]["capability"], float(given_["capability"]["qps"]))
    end = datetime.fromisoformat(given_["pack"]["ends"]).replace(tzinfo=BEIJING)
    assert (pack.units, pack.ends) == (int(given_["pack"]["units"]), end.astimezone(UTC))


@given(files(), st.data(), st.booleans())
@settings(max_examples=120, deadline=None)
def test_damage_to_one_field_is_found_in_its_row(records: list[Fields], data: st.DataObject, as_json_: bool) -> None:
    place = data.draw(st.integers(0, len(records) - 1))
    record = dict(records[place])
    name = data.draw(st.sampled_from(sorted(set(record) - {"description"})))
    damage = data.draw(st.sampled_from(["\x07", "!" * 129, "", "!"]))
    if name == "account" and damage == "!":  # an account may be called so
        damage = "\x07"
    optional = name in ("qps", "allowed") or (record["record"], name) == ("pack", "app")
    if not damage and optional:  # these may be left out, the app of a pack for its account
        damage = "!"
    record[name] = damage
    if name == "allowed":
        record[name] = "!" if damage != "\x07" else damage
    records[place] = record
    _, problems = read(as_json(records) if as_json_ else as_csv(records))
    row = place + (1 if as_json_ else 2)
    assert (row, name) in {(each.row, each.field) for each in problems} or (row, "record") in {
        (each.row, each.field) for each in problems
    }
