"""Reading and parsing of import files: both forms, bounds, every malformed field, keys that are weak."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkgate.service.errors import Misuse
from inkgate.service.importing import checks, key_rules, parsing, reading
from inkgate.service.importing.checks import Plan
from inkgate.service.importing.records import APP_RECORDS, COLUMNS, FIELDS, AppRecord, PackRecord, Problem, Record
from inkgate.service.importing.template import template
from inkgate.service.sealed import keys as sm2
from tests.unit.importing.files import as_csv, as_json, company, pair


def read(data: bytes, kinds: tuple[str, ...] = tuple(FIELDS)) -> tuple[list[Record], list[Problem]]:
    rows, unread = reading.read(data)
    records, problems = parsing.parse(rows, kinds)
    return records, [*unread, *problems]


def first_problem(data: bytes) -> tuple[int, str, str]:
    """(row, field, code) of the first problem."""
    _, problems = read(data)
    assert problems, "the file was accepted"
    return problems[0].row, problems[0].field, problems[0].reason.code


def test_csv_and_json_of_the_same_records_are_read_alike() -> None:
    records = company()
    by_csv, problems = read(as_csv(records))
    by_json, _ = read(as_json(records))
    assert problems == [] and [each.row for each in by_csv] == list(range(2, 11))
    assert [each.row for each in by_json] == list(range(1, 10))

    def without_row(each: Record) -> dict[str, object]:
        return {name: getattr(each, name) for name in each.__slots__ if name != "row"}

    assert [without_row(each) for each in by_csv] == [without_row(each) for each in by_json]


def test_json_takes_native_values() -> None:
    app = {"record": "app", "account": "甲公司", "app": "扫描前台", **pair(), "allowed": ["10.0.0.1", "10.1.0.0/16"]}
    pack = {"record": "pack", "app": "扫描前台", "capability": "general", "units": 7, "ends": "2027/3/31"}
    records, problems = read(as_json([app | {"seals": True}, pack | {"account": None}]))
    assert problems == []
    assert isinstance(records[0], AppRecord) and isinstance(records[1], PackRecord)
    assert records[0].seals and records[0].allowed == ("10.0.0.1/32", "10.1.0.0/16")
    assert records[1].units == 7 and records[1].ends == datetime(2027, 3, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "import.header_invalid"),
        (b"record\r\n", "import.file_empty"),
        ("record,account\r\naccount,甲".encode("gb18030"), "import.file_not_utf8"),
        (b"account,parent\r\nx,y", "import.header_invalid"),
        (b"record,record\r\n", "import.header_invalid"),
        (b"record,sk\r\n", "import.header_invalid"),
        (b'record,account\r\naccount,"open', "import.file_not_csv"),
        (b"record\n" + b"account\n" * (reading.MAX_ROWS + 1), "import.file_too_many_rows"),
        (b"[" + b"{}," * reading.MAX_ROWS + b"{}]", "import.file_too_many_rows"),
        (b"x" * (reading.MAX_FILE_BYTES + 1), "import.file_too_large"),
        (b"[{]", "import.file_not_json"),
        (b"[" * 100_000, "import.file_not_json"),
        (b'{"records": 1}', "import.file_not_json"),
        (b'{"rows": []}', "import.file_not_json"),
        (b'[{"record": "key", "record": "app"}]', "import.file_not_json"),
        (b"[]", "import.file_empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error(data: bytes, code: str) -> None:
    with pytest.raises(Misuse) as caught:
        read(data)
    assert caught.value.code == code


def change(place: int, **fields: str) -> bytes:
    """The file of `company` with fields of the record at `place` replaced; "" removes one."""
    records = company()
    records[place] = {name: value for name, value in (records[place] | fields).items() if value}
    return as_csv(records)


@pytest.mark.parametrize(
    ("place", "fields", "field", "code"),
    [
        (0, {"record": "order"}, "record", "import.record_unknown"),
        (0, {"account": ""}, "account", "import.field_missing"),
        (0, {"account": "x" * 65}, "account", "account.name_invalid"),
        (0, {"id": "a1b2c3d4e5f60718"}, "id", "import.field_unused"),
        (2, {"id": "short"}, "id", "import.id_malformed"),
        (2, {"id": "0123456789abcdef 123456789abcdef"}, "id", "import.id_malformed"),
        (2, {"id": "1.23457E+31"}, "id", "import.id_malformed"),
        (2, {"id": "x" * 32}, "id", "import.id_placeholder"),
        (2, {"id": "0127e11c2d08452880cd57b21d3d093"}, "id", "import.id_placeholder"),
        (2, {"secret": "too-short"}, "secret", "import.secret_malformed"),
        (2, {"secret": "密" * 32}, "secret", "import.secret_malformed"),
        (2, {"secret": "x" * 32}, "secret", "import.secret_weak"),
        (2, {"secret": "a1b2c3d4" * 4}, "secret", "import.secret_weak"),
        (2, {"secret": "0123456789abcdef0123456789abcdef"}, "secret", "import.secret_weak"),
        (2, {"secret": "fcbbcc3afe1f34ac6ba87d417fffd0fa"}, "secret", "import.secret_published"),
        (2, {"secret": "9f8e7d6c5b4a39281706", "id": "9F8E7D6C5B4A39281706"}, "secret", "import.secret_is_id"),
        (2, {"secret": "s" * 129}, "secret", "import.field_unfit"),
        (4, {"app": "1号门"}, "app", "import.app_name_invalid"),
        (4, {"allowed": "10.0.0.1 10.0.0.300"}, "allowed", "import.network_invalid"),
        (4, {"allowed": " ".join(f"10.0.{n}.1" for n in range(101))}, "allowed", "network.limit"),
        (4, {"seals": "maybe"}, "seals", "import.flag_invalid"),
        (4, {"sm2_private_key": "00" * 32}, "sm2_private_key", "import.sm2_key_invalid"),
        (4, {"description": "x" * 501}, "description", "import.field_unfit"),
        (4, {"description": "a\x00b"}, "description", "import.field_unfit"),
        (5, {"capability": "handwriting"}, "capability", "import.capability_unknown"),
        (5, {"qps": "0"}, "qps", "qps.out_of_range"),
        (5, {"qps": "nan"}, "qps", "qps.out_of_range"),
        (5, {"qps": "many"}, "qps", "qps.out_of_range"),
        (7, {"units": "0"}, "units", "import.units_invalid"),
        (7, {"units": "1.5"}, "units", "import.units_invalid"),
        (7, {"units": "٣"}, "units", "import.units_invalid"),
        (7, {"units": "1" * 20}, "units", "import.units_invalid"),
        (7, {"ends": "soon"}, "ends", "import.ends_invalid"),
        (7, {"ends": "2027-02-30"}, "ends", "import.ends_invalid"),
        (7, {"ends": "9999-12-31"}, "ends", "import.ends_invalid"),
        (7, {"app": ""}, "account", "import.pack_owner"),
        (7, {"capability": "licence"}, "capability", "import.capability_free"),
    ],
)
def test_each_malformed_field_is_named_with_its_row(place: int, fields: dict[str, str], field: str, code: str) -> None:
    assert first_problem(change(place, **fields)) == (place + 2, field, code)


def test_a_row_with_more_cells_than_the_header_is_refused() -> None:
    assert first_problem(b"record,account\r\naccount,a,b\r\n") == (2, "", "import.row_too_long")


@pytest.mark.parametrize("record", ["text", {"unknown": "x"}, {"record": {"a": 1}}, {"record": [["a"]]}])
def test_a_record_of_json_that_is_no_flat_object_is_refused(record: object) -> None:
    row, _, code = first_problem(json.dumps([record]).encode())
    assert row == 1 and code in ("import.record_not_object", "import.field_unknown", "import.value_nested")


def test_every_problem_of_a_file_is_reported_and_no_key_is_quoted() -> None:
    """Also with the columns shifted, so that secrets stand where names and networks belong."""
    secret = secrets.token_hex(16)
    shifted = [{name: secret for name in COLUMNS if name != "record"} | {"record": kind} for kind in FIELDS]
    _, problems = read(as_csv(shifted))
    assert {each.row for each in problems} == set(range(2, 2 + len(FIELDS)))
    assert len(problems) > 20
    for each in problems:
        assert secret not in each.text("en") and secret not in each.text("zh")


def test_records_and_rows_hide_their_secrets() -> None:
    records = company()
    rows, _ = reading.read(as_csv(records))
    parsed, _ = parsing.parse(rows)
    assert records[2]["secret"] not in repr(rows) + repr(parsed)
    assert records[4]["secret"] not in repr(rows) + repr(parsed)


def test_the_import_of_apps_takes_no_accounts() -> None:
    _, problems = read(as_csv(company()), APP_RECORDS)
    assert {(each.row, each.reason.code) for each in problems} == {
        (row, "import.record_elsewhere") for row in (2, 3, 4, 5)
    }


def plan(*records: dict[str, str]) -> Plan:
    parsed, problems = read(as_csv(records))
    assert problems == []
    return Plan.of(parsed)


def test_what_occurs_twice_is_named_with_its_first_row() -> None:
    one, two = pair(), pair()
    app = {"record": "app", "account": "甲公司", "app": "扫描前台", **one}
    opened = {"record": "capability", "app": "扫描前台", "capability": "general"}
    pack = {"record": "pack", "app": "扫描前台", "capability": "general", "units": "5", "ends": "2027-01-01"}
    found = checks.within(plan(app, app | {"secret": two["secret"]}, opened, opened | {"qps": "3"}, pack, pack))
    assert [(each.row, each.field, each.reason.code, each.reason.params["first"]) for each in found] == [
        (3, "id", "import.repeated", 2),
        (3, "app", "import.repeated", 2),
        (5, "capability", "import.repeated", 4),
        (7, "", "import.pack_repeated", 6),
    ]


def test_two_pairs_do_not_share_a_secret() -> None:
    one, two = pair(), pair()
    key = {"record": "key", "account": "甲公司", **one}
    found = checks.within(plan(key, key | {"id": two["id"]}))
    assert [(each.row, each.reason.code) for each in found] == [(3, "import.secret_repeated")]


@pytest.mark.parametrize("as_json_", [False, True])
def test_the_template_is_refused_only_for_its_keys(as_json_: bool) -> None:
    _, problems = read(template(as_json=as_json_).encode())
    assert {each.field for each in problems} == {"id", "secret"}
    records, problems = read(template(APP_RECORDS, as_json=as_json_).encode(), APP_RECORDS)
    assert {each.field for each in problems} == {"id", "secret"} and len(records) == 2


def test_problems_read_well_in_both_languages() -> None:
    problem = Problem(7, "id", Misuse("import.key_exists"))
    assert problem.text() == "row 7, id: is an access key here already"
    assert problem.text("zh") == "第 7 行，id：AccessKey 已存在。"
    assert Problem(3, "", Misuse("import.row_too_long")).text() == "row 3: the row has more cells than the header"


def forms(private: bytes) -> list[str]:
    """A private key in the forms that tools write: of openssl and BouncyCastle among them."""
    oid = bytes.fromhex("06082a811ccf5501822d")
    sec1 = bytes.fromhex("302f0201010420") + private + bytes.fromhex("a00a") + oid
    sec1 = b"\x30" + bytes([len(sec1) - 2]) + sec1[2:]
    inner = bytes.fromhex("30250201010420") + private
    head = bytes.fromhex("020100") + bytes.fromhex("301306072a8648ce3d0201") + oid
    body = head + b"\x04" + bytes([len(inner)]) + inner
    pkcs8 = b"\x30" + bytes([len(body)]) + body
    pem = base64.encodebytes(pkcs8).decode()
    return [
        private.hex(),
        private.hex().upper(),
        base64.b64encode(private).decode(),
        base64.b64encode(pkcs8).decode(),
        base64.b64encode(sec1).decode(),
        f"-----BEGIN PRIVATE KEY-----\n{pem}-----END PRIVATE KEY-----\n",
        f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(sec1).decode()}-----END EC PRIVATE KEY-----",
    ]


@pytest.mark.parametrize("form", range(7))
def test_a_private_key_comes_along_in_every_form(form: int) -> None:
    private, _ = sm2.generate()
    app = {"record": "app", "account": "甲公司", "app": "扫描前台", **pair(), "sm2_private_key": forms(private)[form]}
    records, problems = read(as_csv([app]))
    assert problems == [] and isinstance(records[0], AppRecord)
    assert records[0].private == private and records[0].seals


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a key",
        "ff" * 32,
        base64.b64encode(b"x" * 31).decode(),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
        # P-256 instead of the SM2 curve
        base64.b64encode(
            bytes.fromhex("303e020100301306072a8648ce3d020106082a8648ce3d030107042430250201010420") + b"\x01" * 32
        ).decode(),
    ],
)
def test_what_is_no_private_key_is_refused(text: str) -> None:
    from inkgate.service.sealed.private_key import parse_private

    with pytest.raises(ValueError):
        parse_private(text)


@given(st.sampled_from([16, 20, 24, 31, 32, 36, 40, 64]))
@settings(deadline=None)
def test_random_keys_of_every_length_in_use_are_accepted(length: int) -> None:
    ak, sk = secrets.token_hex(32)[:length], secrets.token_urlsafe(96)[: max(length, 20)]
    assert key_rules.check_id(ak) == ak
    assert key_rules.check_secret(sk, ak) == sk


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_bytes_are_records_problems_or_one_error(data: bytes) -> None:
    for prefix in (b"", b"record,account\r\n", b"["):
        try:
            records, problems = read(prefix + data)
        except Misuse:
            continue
        assert records or problems
