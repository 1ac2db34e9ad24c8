"""The judgements of `inkgate doctor --takeover` that need no network, and its options."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from inkgate.service.accounts.models import AppRow
from inkgate.service.cli.doctor import takeover
from inkgate.service.cli.doctor.takeover import Imported, Probe, Target
from inkgate.service.takeover.routes import Mode, Override, Overview, RouteLine
from tests.ledger_data import START
from tests.unit.cli.test_money_commands import Shell, inkgate  # noqa: F401 - the fixture


def app(name: str, *, seals: bool = False, sm2_imported: bool = False) -> AppRow:
    return AppRow(id="1", account_id="2", name=name, appkey="k", seals=seals, sm2_imported=sm2_imported)


@pytest.mark.parametrize(
    ("addresses", "resolved", "words"),
    [
        ((), [], "does not resolve"),
        ((), ["10.1.2.3"], ""),
        ((), ["fd00::1", "127.0.0.1"], ""),
        ((), ["fe80::1%eth0"], ""),
        ((), ["10.1.2.3", "8.8.8.8"], "public address"),
        (("8.8.8.8",), ["8.8.8.8"], ""),
        (("10.1.2.3",), ["10.1.2.4"], "expected 10.1.2.3"),
    ],
)
def test_where_the_name_leads(addresses: tuple[str, ...], resolved: list[str], words: str) -> None:
    finding = takeover._place(Target(addresses=addresses), resolved)
    assert bool(finding.remedy) == bool(words) and words in finding.found


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Hostname mismatch, certificate is not valid for 'x'.", "subjectAltName"),
        ("certificate has expired", "Renew"),
        ("unable to get local issuer certificate", "--ca"),
    ],
)
def test_why_a_certificate_is_not_accepted(message: str, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_message = message
    assert words in takeover._remedy(Target(), error)
    assert "intermediate" in takeover._remedy(Target(authority=Path("x")), error) or words != "--ca"


@pytest.mark.parametrize("code", [10002, 10020, 40006, 40009, 51001, 51002, 51003, 99999])
def test_an_answer_that_proves_nothing_has_a_remedy(code: int) -> None:
    probe = Probe("ak", b"sk", app("扫描前台"), "3", "general")
    finding = takeover._verdict(probe, code, recorded=False)
    assert finding.remedy and str(code) in finding.found
    assert "sk" not in repr(probe)


def test_an_answer_of_another_installation_is_not_taken_for_ours() -> None:
    probe = Probe("ak", b"sk", app("扫描前台"), "3", "general")
    assert takeover._verdict(probe, 40017, recorded=True).remedy == ""
    assert "another installation" in takeover._verdict(probe, 40017, recorded=False).remedy


def test_apps_that_seal_are_listed() -> None:
    apps = [app("一号应用"), app("二号应用", seals=True), app("三号应用", seals=True, sm2_imported=True)]
    owners = {"1": "我的公司"}
    found = takeover._apps(Imported(apps, owners, ["一号应用 (我的公司)"], None))
    assert [each.what for each in found] == ["imported apps", "sealing apps", "sealing apps"]
    assert "一号应用" in found[0].found and found[0].remedy
    assert "二号应用 (我的公司)" in found[1].found and "public key" in found[1].found
    assert "三号应用" in found[2].found
    many = takeover._apps(Imported([app(f"应用_{n:03d}", seals=True) for n in range(30)], owners, [], None))
    assert "and 20 more" in many[1].found


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--host", ""), "no host name"),
        (("--host", "x:99999"), "no host name"),
        (("--address", "10.0.0.0/8"), "one address"),
        (("--address", "here"), "neither an address nor a network"),
        (("--ca", "/no/such/file"), "no such file"),
        (("--ca", __file__), "no certificate in PEM form"),
    ],
)
def test_a_wrong_option_is_one_line(inkgate: Shell, words: tuple[str, ...], error: str) -> None:  # noqa: F811
    inkgate("doctor", "--takeover", *words, status=2)
    assert error in inkgate.error and len(inkgate.error.splitlines()) == 1


def test_nothing_imported_and_nothing_listening(inkgate: Shell) -> None:  # noqa: F811
    out = inkgate("doctor", "--takeover", "--host", "localhost:1", "--json", status=1)
    assert "Import them" in out and "Connection refused" in out


@pytest.mark.parametrize(
    ("enabled", "override", "expected"),
    [
        (True, Override.NONE, {"general", "plate"}),
        (True, Override.LOCAL, set()),
        (True, Override.CLOUD, {"general", "plate", "idcard"}),
        (False, Override.NONE, set()),
    ],
)
def test_which_calls_the_cloud_may_answer(enabled: bool, override: Override, expected: set[str]) -> None:
    modes = {"general": Mode.MIRROR, "plate": Mode.SPLIT, "idcard": Mode.LOCAL}
    lines = tuple(
        RouteLine("1", "扫描前台", "k", "2", "我的公司", name, mode, 0, START) for name, mode in modes.items()
    )
    found = takeover.routes_to_the_cloud(Overview(enabled, override, 1, lines))
    assert found == {("1", name) for name in expected}


def test_a_mirrored_call_proves_no_gateway_and_needs_no_remedy() -> None:
    probe = Probe("ak", b"sk", app("扫描前台"), "3", "general", is_sent_on=True)
    finding = takeover._verdict(probe, 40017, recorded=False)
    assert finding.remedy == "" and "routed to the cloud" in finding.found
