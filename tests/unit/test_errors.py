"""The tree of errors at the top of `service/errors.py`, and the wire form of each error of a call."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkgate import service
from inkgate.service import errors
from inkgate.service.contract.refusals import GATEWAY_CODES
from inkgate.service.errors import (
    AppHeldOff,
    BodyTooLarge,
    BodyTooSlow,
    BrokerUnavailable,
    ClientDisconnected,
    ClockSuspect,
    DatabaseDown,
    DeadlineMissed,
    InkGateError,
    InternalError,
    LedgerBusy,
    LedgerUnavailable,
    Overloaded,
    PayerUnknown,
    RateLimited,
    Refused,
    RequestFault,
    SealFault,
    SettlementUnconfirmed,
    UpstreamFailed,
    UpstreamTimedOut,
    WireError,
)

_INDENT = 4  # columns for each level of the tree
_ENTRY = re.compile(r"^(?P<lines>[│├└─ ]*)(?P<name>\w+) {2,}(?P<text>.*)$")


def drawn() -> dict[str, tuple[str, str]]:
    """Every class of the tree: name -> (name of the parent, text)."""
    tree: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if line.startswith(("InkGateError", "├", "│", "└", " ")) and (entry := _ENTRY.match(line)):
            level, odd = divmod(len(entry["lines"]), _INDENT)
            assert not odd, f"out of column: {line}"
            assert entry["name"] not in tree, f"twice: {line}"
            path[level:] = [entry["name"]]
            tree[entry["name"]] = (path[level - 1] if level else "", entry["text"].strip())
    return tree


def classes(base: type[InkGateError] = InkGateError) -> Iterator[type[InkGateError]]:
    """`base` and all its subclasses in the service."""
    yield base
    for each in base.__subclasses__():
        if each.__module__.startswith("inkgate.service"):
            yield from classes(each)


@pytest.fixture(scope="module", autouse=True)
def everything_imported() -> None:
    for module in pkgutil.walk_packages(service.__path__, "inkgate.service."):
        if not module.name.endswith(".__main__") and ".migrations." not in module.name:  # those run when imported
            importlib.import_module(module.name)


def test_the_tree_lists_every_class_under_its_parent() -> None:
    found = {each.__name__: "" if each is InkGateError else each.__bases__[0].__name__ for each in classes()}
    assert {name: parent for name, (parent, _) in drawn().items()} == found
    assert len(found) == len(list(classes())), "two classes of one name"


def test_every_class_has_a_docstring() -> None:
    assert all(text for _, text in drawn().values())
    assert all(each.__doc__ for each in classes())


def test_errors_import_nothing_of_the_service() -> None:
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= {"__future__", "typing", "inkgate.service.messages"}  # the texts of Misuse, pure as well


WIRE = [
    # error, code, HTTP status, outcome, label of the rejection, Retry-After
    (WireError("?"), 50000, 500, "failed", None, None),
    (Refused(51003), 51003, 403, "refused", "51003", None),
    (Refused(10002, "unknown", retry_after=7), 10002, 401, "refused", "10002", 7),
    (RateLimited(), 42900, 429, "limited", "42900", 2),
    (RateLimited(5), 42900, 429, "limited", "42900", 5),
    (Overloaded("full"), 50300, 503, "overloaded", "50300", 2),
    (BodyTooSlow(), 40800, 408, "slow_body", "40800", None),
    (AppHeldOff(30), 50300, 503, "refused", "held_off", 30),
    (BodyTooLarge(), 413, 413, "client_error", "too_large", None),
    (ClientDisconnected("disconnected"), 0, 499, "cancelled", None, None),
    (SealFault(40019, "SM2", "SM2"), 40019, 200, "client_error", None, None),
    (RequestFault("general", "path"), 0, 200, "client_error", None, None),
    (BrokerUnavailable("away"), 50000, 500, "failed", None, None),
    (DatabaseDown("away"), 50000, 500, "failed", None, None),
    (LedgerUnavailable("away"), 50000, 500, "failed", None, None),
    (SettlementUnconfirmed("late"), 50000, 500, "failed", None, None),
    (LedgerBusy("closed"), 50000, 500, "failed", None, None),
    (PayerUnknown("no app"), 50000, 500, "failed", None, None),
    (ClockSuspect("own", "set"), 50000, 500, "failed", None, None),
    (UpstreamFailed("refused"), 50200, 502, "failed", None, None),
    (UpstreamTimedOut("late"), 50400, 504, "failed", None, None),
    (DeadlineMissed("late"), 50000, 500, "failed", None, None),
    (InternalError("?"), 50000, 500, "failed", None, None),
]


@pytest.mark.parametrize(("error", "code", "http", "outcome", "rejection", "retry"), WIRE, ids=lambda each: str(each))
def test_the_wire_form_of_an_error(
    error: WireError, code: int, http: int, outcome: str, rejection: str | None, retry: int | None
) -> None:
    status = GATEWAY_CODES[error.code].http if error.http_status is None else error.http_status
    assert (error.code, status, error.outcome) == (code, http, outcome)
    assert (error.rejection, error.retry_after) == (rejection, retry)


def test_every_wire_error_is_in_the_table() -> None:
    assert {type(row[0]) for row in WIRE} == set(classes(WireError))


def test_only_a_request_fault_names_its_capability() -> None:
    assert [row[0].capability for row in WIRE if row[0].capability] == ["general"]
