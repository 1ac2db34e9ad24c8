"""Sign-in: first-run set-up, sessions, lock-out, form tokens, headers."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository as audit
from inkgate.service.composition.console import application, serve_console
from inkgate.service.console import ConsoleDependencies
from inkgate.service.console.pages import PAGES
from inkgate.service.db import work
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Server, Settings
from inkgate.service.telemetry.health import Health
from inkgate.service.users import repository, throttle
from inkgate.service.users.models import AttemptRow, SessionRow, UserRow
from tests.console.console_fixture import PASSWORD, ConsoleFixture
from tests.postgres import ON_SQLITE

CODE = "open sesame, 芝麻开门"


async def test_the_first_run_creates_one_operator(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.empty(engine)
    visitor = console.visitor()
    assert (await visitor.get("/login")).headers["location"] == "/console/setup"
    answer = await visitor.submit("/setup", page="/setup", login="chief", password=PASSWORD)
    assert answer.status_code == 303
    assert "账号" in await visitor.see("/operator/accounts")
    assert (await console.visitor().get("/setup")).status_code == 404
    late = await console.visitor().submit("/setup", login="second", password=PASSWORD)
    assert late.status_code == 404


async def test_remote_set_up_needs_the_code(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.empty(engine, console={"setup_code": CODE})
    remote = console.visitor(peer="192.0.2.7")
    wrong = await remote.submit("/setup", page="/setup", login="chief", password=PASSWORD, code="guess")
    assert wrong.status_code == 422
    proxied = console.visitor()
    token = await proxied.token("/setup")
    forwarded = await proxied.post(
        "/setup", data={"csrf": token, "login": "chief", "password": PASSWORD}, headers={"x-forwarded-for": "192.0.2.7"}
    )
    assert forwarded.status_code == 422
    right = await remote.submit("/setup", page="/setup", login="chief", password=PASSWORD, code=CODE)
    assert right.status_code == 303


@pytest.mark.parametrize("wrong", ["芝麻开门", "é" * 16, "", " ", "\u200b" + CODE, CODE + "x", CODE[:-1], "\ud800"])
async def test_a_wrong_set_up_code_is_a_plain_refusal(engine: AsyncEngine, wrong: str) -> None:
    console = await ConsoleFixture.empty(engine, console={"setup_code": CODE})
    remote = console.visitor(peer="192.0.2.7")
    token = await remote.token("/setup")
    body = urlencode({"csrf": token, "login": "chief", "password": PASSWORD, "code": wrong}, errors="replace")
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await remote.post("/setup", content=body.encode(), headers=form)
    assert answer.status_code == 422 and "INKGATE_CONSOLE__SETUP_CODE" in answer.text
    async with work.read_session(engine) as session:
        assert await repository.users(session) == []


async def test_without_a_code_there_is_no_remote_set_up(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.empty(engine)
    for given in ("", " ", "None", CODE):
        answer = await console.visitor(peer="192.0.2.7").submit(
            "/setup", page="/setup", login="chief", password=PASSWORD, code=given
        )
        assert answer.status_code == 422


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "via", "x-forwarded-proto"])
async def test_a_local_proxy_does_not_make_a_client_local(engine: AsyncEngine, header: str) -> None:
    console = await ConsoleFixture.empty(engine)
    visitor = console.visitor()
    token = await visitor.token("/setup")
    data = {"csrf": token, "login": "chief", "password": PASSWORD}
    assert (await visitor.post("/setup", data=data, headers={header: "http"})).status_code == 422


async def test_guesses_of_the_set_up_code_are_limited(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.empty(engine, console={"setup_code": CODE})

    async def guess(peer: str, code: str) -> httpx.Response:
        return await console.visitor(peer).submit("/setup", page="/setup", login="chief", password=PASSWORD, code=code)

    for number in range(throttle.MAX_SETUPS_OF_ADDRESS):
        assert (await guess("192.0.2.7", f"guess number {number:04}")).status_code == 422
    late = await guess("192.0.2.7", CODE)  # the right code is refused too, or a guesser would learn it
    assert late.status_code == 429 and 0 < int(late.headers["retry-after"]) <= throttle.WINDOW.total_seconds()
    assert (await guess("198.51.100.7", CODE)).status_code == 303


async def test_guesses_behind_a_trusted_proxy_count_by_client(engine: AsyncEngine) -> None:
    server = {"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}
    console = await ConsoleFixture.empty(engine, console={"setup_code": CODE}, server=server)

    async def guess(*forwarded: str, code: str = "a wrong guess of it", peer: str = "127.0.0.1") -> int:
        visitor = console.visitor(peer)
        fields = {"csrf": await visitor.token("/setup"), "login": "chief", "password": PASSWORD, "code": code}
        lines = [("x-forwarded-for", line) for line in forwarded]
        return (await visitor.post("/setup", data=fields, headers=lines)).status_code

    for number in range(throttle.MAX_SETUPS_OF_ADDRESS):  # forged entries are to the left, also in further headers
        assert await guess(f"198.51.100.{number}, 192.0.2.7, 10.0.0.1") == 422
    assert await guess("192.0.2.7", code=CODE) == 429
    assert await guess("198.51.100.7", "192.0.2.7", code=CODE) == 429, "lines are one list"
    for _ in range(throttle.MAX_SETUPS_OF_ADDRESS):  # not a trusted proxy: its own address counts
        assert await guess("203.0.113.1", peer="192.0.2.8") == 422
    assert await guess("203.0.113.2", peer="192.0.2.8", code=CODE) == 429
    assert await guess("192.0.2.9", code=CODE) == 303, "another client of the same proxy"


async def test_a_console_does_not_start_with_malformed_trusted_proxies(console: ConsoleFixture) -> None:
    settings = Settings(server=Server(trusted_proxies=("10.0.0.0/33",)))
    with pytest.raises(ConfigurationError, match="INKGATE_SERVER__TRUSTED_PROXIES"):
        ConsoleDependencies.of(settings, console.engine, console.parts.vault, None)


async def test_attempts_at_the_set_up_code_are_limited_per_address_and_in_total(engine: AsyncEngine) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    async def register(address: str) -> int:
        async with work.unit_of_work(engine, "test", lambda _: now) as unit:
            refusal = await throttle.register_setup(unit, throttle.network_of(address))
        return refusal.seconds if refusal is not None else 0

    most = throttle.MAX_SETUPS_OF_ADDRESS
    assert [await register("192.0.2.7") for _ in range(most)] == [0] * most
    window = round(throttle.WINDOW.total_seconds())
    assert await register("192.0.2.7") == await register("::ffff:192.0.2.7") == window
    admitted = sum([await register(f"10.0.0.{host}") == 0 for host in range(2 * throttle.MAX_SETUPS)])
    assert admitted == throttle.MAX_SETUPS - most, "refused attempts of one address are not counted for all"
    async with work.read_session(engine) as session:
        rows = await session.scalar(select(func.count()).select_from(AttemptRow))
        refused = [each.subject for each in await audit.events(session, action="user.throttle")]
    assert rows == 2 + admitted, "the number of addresses does not add rows once no attempt is admitted"
    assert refused and set(refused) == {"set-up code"}
    now += throttle.WINDOW
    assert await register("192.0.2.7") == 0
    one_network = [await register(f"2001:db8::{host:x}") == 0 for host in range(20)]
    assert sum(one_network) == most


async def test_each_sign_in_has_a_token_of_its_own_and_only_its_hash_is_kept(console: ConsoleFixture) -> None:
    visitor = await console.signed_in("lin")
    first = visitor.cookies["inkgate_session"]
    again = await console.signed_in("lin")
    assert again.cookies["inkgate_session"] != first
    async with work.read_session(console.engine) as session:
        kept = set(await session.scalars(select(SessionRow.token_hash)))
    assert len(kept) == 2 and first not in kept


async def test_the_session_cookie_is_protected_from_scripts_and_other_sites(console: ConsoleFixture) -> None:
    visitor = console.visitor()
    answer = await visitor.submit("/login", login="lin", password=PASSWORD)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("inkgate_session="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/console" in cookie
    assert "Secure" not in cookie  # plain http here; behind TLS:
    secure = console.visitor()
    form = await secure.token()
    over_tls = await secure.post(
        "/login", data={"csrf": form, "login": "lin", "password": PASSWORD}, headers={"x-forwarded-proto": "https"}
    )
    assert "; Secure" in next(each for each in over_tls.headers.get_list("set-cookie") if "inkgate_session=" in each)


async def test_an_idle_session_ends_and_so_does_an_old_one(console: ConsoleFixture) -> None:
    visitor = await console.signed_in("lin")
    console.clock.advance(minutes=29)
    await visitor.see("/apps")
    console.clock.advance(minutes=29)
    await visitor.see("/apps")  # the request in between extended the session
    console.clock.advance(minutes=31)
    assert (await visitor.get("/apps")).headers["location"] == "/console/login?next=/apps"
    visitor = await console.signed_in("lin")
    for _ in range(30):
        console.clock.advance(minutes=25)
        answer = await visitor.get("/apps")
    assert answer.status_code == 303


async def test_five_wrong_passwords_lock_a_quarter_of_an_hour(console: ConsoleFixture) -> None:
    for _ in range(5):
        assert (await console.visitor().submit("/login", login="lin", password="wrong")).status_code == 422
    assert (await console.visitor().submit("/login", login="lin", password=PASSWORD)).status_code == 422
    assert (await console.visitor().submit("/login", login="east", password=PASSWORD)).status_code == 303
    console.clock.advance(minutes=16)
    assert (await console.visitor().submit("/login", login="lin", password=PASSWORD)).status_code == 303
    async with work.read_session(console.engine) as session:
        assert "user.lock" in {each.action for each in await audit.events(session, account_id=console.account_id)}


async def test_signing_out_ends_the_session_on_the_server(console: ConsoleFixture) -> None:
    visitor = await console.signed_in("lin")
    kept = visitor.cookies["inkgate_session"]
    await visitor.submit("/logout", page="/apps")
    visitor.cookies.set("inkgate_session", kept, path="/console")
    assert (await visitor.get("/apps")).status_code == 303


async def test_a_new_password_ends_the_other_sessions(console: ConsoleFixture) -> None:
    here, elsewhere = await console.signed_in("lin"), await console.signed_in("lin")
    new = {"new": "another afternoon", "again": "another afternoon"}
    assert (await here.submit("/password", page="/password", password="wrong", **new)).status_code == 422
    done = await here.submit("/password", page="/password", password=PASSWORD, **new)
    assert done.status_code == 303
    await here.see("/apps")
    assert (await elsewhere.get("/apps")).status_code == 303


async def test_an_initial_password_must_be_changed_first(console: ConsoleFixture) -> None:
    async with work.unit_of_work(console.engine, "test") as unit:
        user = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
        assert user is not None
        user.must_change = True
    visitor = await console.signed_in("lin")
    assert (await visitor.get("/apps")).headers["location"] == "/console/password"


def posts() -> list[str]:
    found = [route.path for router in PAGES for route in router.routes if "POST" in route.methods]  # type: ignore[attr-defined]
    assert len(found) > 25
    return found


@ON_SQLITE
async def test_a_form_without_its_token_is_rejected(console: ConsoleFixture) -> None:
    for login in ("lin", "chief"):
        visitor = await console.signed_in(login)
        for path in posts():
            concrete = re.sub(r"{\w+}", "x", path)
            assert (await visitor.post(concrete, data={"a": "b"})).status_code == 403, path
            assert (await visitor.post(concrete, data={"csrf": "x" * 43})).status_code == 403, path


@pytest.mark.parametrize("given", ["", "x", "x" * 43, "=" * 88, "é" * 88, "A" * 88, "A" * 60_000])
async def test_a_forged_form_token_is_rejected(console: ConsoleFixture, given: str) -> None:
    visitor = await console.signed_in("lin")
    assert (await visitor.post("/keys", data={"csrf": given})).status_code == 403


async def test_a_compressed_page_masks_the_form_token_differently_each_time(console: ConsoleFixture) -> None:
    """A constant token could be derived from the length of compressed responses (BREACH)."""
    visitor = await console.signed_in("lin")
    answer = await visitor.get("/keys")
    assert answer.headers["content-encoding"] == "gzip" and "accept-encoding" in answer.headers["vary"].lower()
    seen = {await visitor.token("/keys") for _ in range(4)}
    assert len(seen) == 4
    for token in seen:
        assert (await visitor.post("/keys", data={"csrf": token})).status_code != 403


async def test_a_form_from_another_site_is_rejected(console: ConsoleFixture) -> None:
    visitor = await console.signed_in("lin")
    token = await visitor.token("/keys")
    for headers in ({"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}):
        assert (await visitor.post("/keys", data={"csrf": token}, headers=headers)).status_code == 403


async def test_a_form_without_length_or_too_large_is_not_read(console: ConsoleFixture) -> None:
    visitor = await console.signed_in("lin")

    async def endless():  # type: ignore[no-untyped-def]
        yield b"csrf=x"

    assert (await visitor.post("/keys", content=endless())).status_code == 413
    upload = {"content-type": "multipart/form-data; boundary=x"}
    assert (await visitor.post("/keys", content=b"x" * (3 * 1024 * 1024 + 1), headers=upload)).status_code == 413
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json", ""):
        plain = {"content-type": kind}
        assert (await visitor.post("/keys", content=b"&" * (64 * 1024 + 1), headers=plain)).status_code == 413


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-www-form-urlencoded", b"a=1&" * 101),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 101),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n1\r\n' * 2,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + bytes(64 * 1024 + 1) + b"\r\n--x--\r\n",
        ),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nno headers"),
    ],
    ids=["fields", "parts", "files", "field", "boundary", "malformed"],
)
async def test_a_form_has_few_fields_and_one_file(console: ConsoleFixture, kind: str, content: bytes) -> None:
    """The limits apply before sign-in too, since the form token is read from the form."""
    answer = await console.visitor().post("/login", content=content, headers={"content-type": kind})
    assert answer.status_code == 400 and len(answer.content) < 200


async def test_an_upload_is_never_written_to_a_disk(console: ConsoleFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await console.signed_in("lin")
    rolled: list[object] = []
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rolled.append)
    answer = await visitor.post(
        "/try/general",
        data={"csrf": await visitor.token("/keys")},
        files={"image": ("a.jpg", b"\xff\xd8\xff" + bytes(2_000_000))},
    )
    assert answer.status_code == 422 and "已损坏" in answer.text and not rolled


async def test_every_answer_carries_a_policy_without_inline_code(console: ConsoleFixture) -> None:
    visitor = await console.signed_in("lin")
    for path in ("/login", "/", "/apps", "/nowhere"):
        answer = await visitor.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", answer.text), path
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("where", ["//evil.test", "https://evil.test", "/\\evil.test"])
async def test_sign_in_redirects_to_pages_of_the_console_only(console: ConsoleFixture, where: str) -> None:
    answer = await console.visitor().submit("/login", login="lin", password=PASSWORD, next=where)
    assert answer.headers["location"] == "/console/"


async def test_a_separate_console_needs_the_gateway_url_and_answers_probes(console: ConsoleFixture) -> None:
    with pytest.raises(ConfigurationError, match="INKGATE_CONSOLE__GATEWAY_URL"):
        await serve_console(console.parts.settings, print)
    health = Health()
    transport = httpx.ASGITransport(application(console.parts, health))
    async with httpx.AsyncClient(transport=transport, base_url="http://console.test") as client:
        assert (await client.get("/readyz")).status_code == 503
        health.mark_started()
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/")).headers["location"] == "/console/"
        assert (await client.get("/console/login")).status_code == 200
