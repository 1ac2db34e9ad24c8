"""Repeated header lines over real sockets, and the table that says what they mean (CONTRACT D8)."""

from __future__ import annotations

import ast
import hashlib
import http.client
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from inkgate.service.admin.app import create_admin
from inkgate.service.composition.web import build_server
from inkgate.service.console.app import create_console
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.headers import TABLE, Repeat, Surface, merge_repeats, refused_repeats
from inkgate.service.eop.signature import sign
from inkgate.service.header_middleware import RepeatedHeaderMiddleware
from inkgate.service.settings import Server, Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_server import ProbeServer
from tests.gateway import AK, PNG, SK, GatewayUnderTest, body_of, signed_headers
from tests.http_server import ask, head, served

GENERAL = CAPABILITIES["general"]
ROOT = Path(__file__).parents[2]
BODY = json.dumps(body_of(GENERAL, PNG)).encode()
Lines = list[tuple[str, str | bytes]]


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[GatewayUnderTest, int]]:
    """A gateway behind a proxy on this machine that it trusts; its one app takes calls from 192.0.2.0/24 alone."""
    under_test = GatewayUnderTest(Settings(server=Server(trusted_proxies=["127.0.0.0/8"])))
    under_test.directory.add("f" * 32, allowed=["192.0.2.0/24"])
    async with served(under_test.app) as port:
        yield under_test, port


def lines(appkey: str | None = None, *more: tuple[str, str | bytes], without: str = "") -> Lines:
    signed = signed_headers(BODY, **({"appkey": appkey} if appkey else {}))
    first: Lines = [("Host", "g"), ("Content-Length", str(len(BODY)))]
    return [(n, v) for n, v in [*first, *signed.items()] if n.lower() != without] + list(more)


async def call(port: int, headers: Lines) -> tuple[int, dict[str, object]]:
    status, body = await ask(port, head("POST", GENERAL.paths[0], headers) + BODY)
    return status, json.loads(body) if body.startswith(b"{") else {}


async def test_a_proxys_own_line_stands_above_the_clients(gateway):
    under_test, port = gateway
    forged = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "203.0.113.9")]
    status, answer = await call(port, lines("f" * 32, *forged))
    assert (status, answer["code"]) == (403, "40009"), "the client wrote the first line, the proxy the second"
    status, _ = await call(port, lines("f" * 32, *reversed(forged)))
    assert status == 200
    assert [settled.client_ip for settled in under_test.ledger.settled.values()] == ["192.0.2.7"]


async def test_forwarded_lines_are_one_list(gateway):
    under_test, port = gateway
    more = [("X-Forwarded-For", "192.0.2.7, 127.0.0.2"), ("X-FORWARDED-FOR", "127.0.0.3")]
    assert (await call(port, lines("f" * 32, *more)))[0] == 200
    assert [settled.client_ip for settled in under_test.ledger.settled.values()] == ["192.0.2.7"]


@pytest.mark.parametrize("same", [True, False], ids=["same", "other"])
@pytest.mark.parametrize("name", ["eop-authorization", "eop-date", "ctyun-eop-request-id", "appkey", "decrypted"])
async def test_a_repeated_header_of_the_signature_is_refused(gateway, name, same):
    under_test, port = gateway
    headers = [*lines(), ("decrypted", "false")]
    value = next(v for n, v in headers if n.lower() == name)
    more = (name.title(), value if same else "x")
    for sent in ([*headers, more], [more, *headers]):
        status, answer = await call(port, sent)
        assert (status, answer["code"], answer["statusCode"]) == (401, "10020", "CTAPI_10020"), name
    assert not under_test.ledger.settled


@pytest.mark.parametrize("name", ["Host", "Content-Length"])
@pytest.mark.parametrize("target", [GENERAL.paths[0], "/livez", "/nowhere"])
async def test_a_repeated_host_or_length_is_no_http(gateway, name, target):
    _, port = gateway
    headers = lines()
    value = next(v for n, v in headers if n == name)
    for more in (value, "7"):
        status, _ = await ask(port, head("POST", target, [*headers, (name.lower(), more)]) + BODY)
        assert status == 400


async def test_what_is_neither_listed_nor_signed_may_come_twice(gateway):
    _, port = gateway
    more = [("X-Note", "a"), ("X-Note", "b"), ("User-Agent", "a"), ("User-Agent", "b"), ("Content-Type", "text/x")]
    assert (await call(port, lines(None, *more)))[0] == 200


async def test_a_signature_fails_when_a_signed_header_is_repeated(gateway):
    """Whatever it is: a line added on the way changes the value, and with it the signature."""
    _, port = gateway
    plain = {name.lower(): value for name, value in signed_headers(BODY).items() if name.lower() != "eop-authorization"}
    signed = {**plain, "x-note": "a"}
    authorization = sign(AK, SK.encode(), signed, "", hashlib.sha256(BODY).hexdigest())
    headers = [("Host", "g"), ("Content-Length", str(len(BODY))), *signed.items(), ("Eop-Authorization", authorization)]
    assert (await call(port, headers))[0] == 200
    assert (await call(port, [*headers, ("x-note", "b")]))[1]["code"] == "10020"


async def test_the_pages_beside_the_calls_read_by_the_table(gateway):
    _, port = gateway
    accept = [("Host", "g"), ("Accept", "text/plain"), ("Accept", "application/openmetrics-text; version=1.0.0")]
    status, body = await ask(port, head("GET", "/metrics", accept))
    assert status == 200 and body.endswith(b"# EOF\n"), "both lines count"
    twice = [("Host", "g"), ("ctyun-eop-request-id", "a"), ("ctyun-eop-request-id", "b")]
    status, body = await ask(port, head("GET", "/nowhere", twice))
    assert (status, json.loads(body)["requestId"]) == (404, "")


def seen_by(surface: Surface) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def look(request: Request) -> JSONResponse:
        return JSONResponse({"cookies": request.cookies, "headers": dict(request.headers)})

    app.add_middleware(RepeatedHeaderMiddleware, surface=surface)
    return app


@pytest.mark.parametrize("surface", [Surface.CONSOLE, Surface.ADMIN])
async def test_every_row_of_the_table_over_a_socket(surface):
    async with served(seen_by(surface)) as port:
        for name, row in TABLE.items():
            if Surface.SERVER in row.readers:
                continue
            sent = head("GET", "/", [("host", "g"), (name, "a=1"), ("x-between", "-"), (name.upper(), "b=2")])
            status, body = await ask(port, sent)
            if row.repeat is Repeat.REFUSED and surface in row.readers:
                assert (status, body) == (400, f"The header {name} came more than once.\n".encode())
                continue
            assert status == 200, name
            joined = "a=1" + row.separator.decode() + "b=2"
            meant = {Repeat.JOINED: joined, Repeat.LAST: "b=2", Repeat.REFUSED: "a=1"}[row.repeat]
            assert json.loads(body)["headers"][name] == meant
    assert TABLE["cookie"].separator == b"; "


def test_admin_and_console_use_the_table():
    admin, console = create_admin(None, None, Settings()), create_console(None)  # type: ignore[arg-type]
    for app, surface in ((admin, Surface.ADMIN), (console, Surface.CONSOLE)):
        used = [each for each in app.user_middleware if each.cls is RepeatedHeaderMiddleware]
        assert [each.kwargs for each in used] == [{"surface": surface}]


async def test_no_other_program_reads_forwarding_headers_for_us():
    config = build_server(Settings(), FastAPI(), Health()).config
    assert config.proxy_headers is False, "uvicorn would put what X-Forwarded-For says in the peer's place"


def test_folding_keeps_order_and_bytes():
    raw = [(b"X-A", b"1"), (b"cookie", b"a=\xff"), (b"x-a", b""), (b"Cookie", b"b=2"), (b"HOST", b"h")]
    assert merge_repeats(raw) == [(b"x-a", b"1, "), (b"cookie", b"a=\xff; b=2"), (b"host", b"h")]
    assert refused_repeats(raw, Surface.CONSOLE) == ()
    assert refused_repeats([*raw, (b"host", b"h")], Surface.CONSOLE) == ("host",)
    assert refused_repeats([*raw, (b"host", b"h")], Surface.ADMIN) == ()


# --- nothing is read that the table lacks

_RECEIVED = re.compile(r"(^|\.)headers$|^(dict\()?\w*scope\['headers'\]\)?$")
_AS_CLIENT = {  # headers of answers that we get, or of requests that we make
    "service/cli/doctor/gateway.py",
    "service/cli/demo.py",
    "service/cli/sign.py",
    "service/console/gateway_client.py",
}
_SIGNED = {"service/eop/signature.py", "service/eop/canonical.py"}  # by the names that the client lists
_FOLDED = {"service/contract/headers.py", "service/header_middleware.py"}
_RAW = {  # where raw lines are used, through the table except as noted
    "service/gateway/raw_head.py": 1,  # sends them on as they came
    "service/gateway/exchange.py": 2,
    "service/gateway/app.py": 1,
    "service/header_middleware.py": 2,
    "service/console/app.py": 2,
}


def reads(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """Line and name of every look-up in something called headers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_header":  # of service/gateway/app.py
            yield node.lineno, node.args[1]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("get", "getlist", "get_all", "pop") and node.args and _of(node.func.value):
                yield node.lineno, node.args[0]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _of(node.value):
            yield node.lineno, node.slice
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn) and _of(node.comparators[0]):
            yield node.lineno, node.left


def _of(value: ast.expr) -> bool:
    return bool(_RECEIVED.search(ast.unparse(value)))


def constants(trees: Iterable[ast.Module]) -> dict[str, list[str]]:
    """Texts of every module-level name that is a text or a tuple of texts."""
    found = {}
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                texts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                if all(isinstance(text, ast.Constant) and isinstance(text.value, str) for text in texts):
                    found[node.targets[0].id] = [ast.literal_eval(text) for text in texts]
    return found


def names(key: ast.expr, tree: ast.Module, known: dict[str, list[str]]) -> list[str]:
    """The header names that a look-up may be for; its source text when they are unknown."""
    if isinstance(key, ast.Constant):
        return [key.value.decode() if isinstance(key.value, bytes) else str(key.value)]
    text = ast.unparse(key)
    for node in ast.walk(tree):  # `any(name in headers for name in NAMES)`
        if isinstance(node, ast.comprehension) and ast.unparse(node.target) == text:
            text = ast.unparse(node.iter)
    return known.get(text, [text])


def test_every_header_that_the_code_reads_is_in_the_table():
    found, unknown = set[str](), []
    trees = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "service").rglob("*.py"))}
    known = constants(trees.values())
    for path, tree in trees.items():
        name = path.relative_to(ROOT).as_posix()
        if name in _AS_CLIENT | _SIGNED | _FOLDED:
            continue
        for line, key in reads(tree):
            read = {each.lower() for each in names(key, tree, known)}
            found |= read
            unknown += [f"{name}:{line} reads {each}" for each in sorted(read - set(TABLE))]
    assert not unknown, "say in service/contract/headers.py what a repeat of it means: " + "; ".join(unknown)
    assert found >= {"appkey", "x-forwarded-for", "origin", "x-poll", "accept", "content-length", "decrypted"}


def test_the_raw_lines_are_read_by_the_table_alone():
    for path in sorted((ROOT / "service").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        raw = r"""scope\[["']headers["']\]|scope\.get\(["']headers["']|headers\.raw\b"""
        count = len(re.findall(raw, path.read_text()))
        assert count <= _RAW.get(name, 0), f"{name} reads header lines past the table"


@pytest.mark.parametrize("page", ["wire-contract.md", "wire-contract.en.md"])
def test_the_contract_page_shows_the_table(page: str):
    text = (ROOT / "docs" / "reference" / page).read_text()
    for name, row in TABLE.items():
        (shown,) = re.findall(rf"^\| `{name}` \|.*$", text, re.M | re.I)
        assert f"| {row.repeat} |" in shown and all(reader in shown for reader in row.readers), name


def test_the_inspection_sees_reads_of_every_kind():
    source = """
NAMES = ("x-a", "x-b")
ONE = "x-c"
any(name in visit.request.headers for name in NAMES)
request.headers.get(ONE)
self.headers["X-D"]
dict(scope["headers"]).get(b"x-e")
headers.getlist(computed)
_header(request, "x-f")
"""
    tree = ast.parse(source)
    found = {each for _, key in reads(tree) for each in names(key, tree, constants([tree]))}
    assert found == {"x-a", "x-b", "x-c", "X-D", "x-e", "computed", "x-f"}


def test_the_probe_server_reads_by_the_table():
    probes = ProbeServer(Health(), Metrics("worker", "test"), "127.0.0.1", 0)
    probes.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", probes.port, timeout=10)
        connection.putrequest("GET", "/metrics")
        for value in ("text/plain", "application/openmetrics-text; version=1.0.0"):
            connection.putheader("Accept", value)
        connection.endheaders()
        assert connection.getresponse().read().endswith(b"# EOF\n")
    finally:
        probes.close()
