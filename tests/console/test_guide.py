"""The API pages: the address behind proxies, whose keys the samples name, and texts in both languages."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.permissions import CUSTOMER_ROLES
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, ConsoleFixture

PROXY = "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "trusted", "address"),
    [
        ({}, True, "http://console.test"),
        ({"x-forwarded-proto": "https"}, False, "https://console.test"),
        ({"x-forwarded-proto": "https", "x-forwarded-host": "ocr.example.cn"}, True, "https://ocr.example.cn"),
        ({"x-forwarded-host": "ocr.example.cn:8443, inner.test"}, True, "http://ocr.example.cn:8443"),
        ({"x-forwarded-host": "[2001:db8::7]:8443"}, True, "http://[2001:db8::7]:8443"),
        ({"x-forwarded-host": "ocr.example.cn"}, False, "http://console.test"),
        ({"x-forwarded-host": "evil.test/path"}, True, "http://console.test"),
        ({"x-forwarded-host": "user@evil.test"}, True, "http://console.test"),
        ({"x-forwarded-proto": "javascript"}, True, "http://console.test"),
    ],
)
async def test_the_address_is_the_one_that_the_user_sees(
    engine: AsyncEngine, headers: dict[str, str], trusted: bool, address: str
) -> None:
    settings = {"server": {"trusted_proxies": (f"{PROXY}/32",)}} if trusted else {}
    console = await ConsoleFixture.build(engine, **settings)
    lin = await console.signed_in("lin")
    for path in ("/reference", "/reference/general"):
        page = (await lin.get(path, headers=headers)).text
        assert f"{address}/" in page and "evil" not in page
        assert not trusted or "ocr.example.cn" not in headers.get("x-forwarded-host", "") or "console.test" not in page


async def test_the_setting_outweighs_what_proxies_say(engine: AsyncEngine) -> None:
    console = await ConsoleFixture.build(engine, console={"endpoint": "https://api.example.cn/"})
    lin = await console.signed_in("lin")
    page = (await lin.get("/reference/general", headers={"x-forwarded-proto": "http"})).text
    assert "https://api.example.cn/" in page and "console.test" not in page


async def test_samples_name_only_keys_that_the_user_may_see(console: ConsoleFixture) -> None:
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        pair = await accounts.create_access_key(unit, console.parts.vault, console.account_id)
        app = await queries.app(unit.session, console.app_id)
        for role in CUSTOMER_ROLES:
            await users.create_user(unit, f"the-{role}", hashed, account_id=console.account_id, role=role)
    assert app is not None
    shown = {}
    for role in CUSTOMER_ROLES:
        page = await (await console.signed_in(f"the-{role}")).see("/reference/general")
        assert pair.sk not in page
        shown[role.value] = (pair.ak in page, app.appkey in page)
    assert shown["owner"] == shown["developer"] == (True, True)
    assert not shown["viewer"][0] and not shown["finance"][0]


async def test_the_sample_uses_an_app_that_has_opened_the_capability(console: ConsoleFixture) -> None:
    console.clock.advance(minutes=1)
    async with console.begin() as unit:
        newer = await accounts.create_app(unit, console.parts.vault, console.account_id, "newer_app")
        await accounts.open_capability(unit, console.app_id, "plate")
        older = await queries.app(unit.session, console.app_id)
    assert older is not None
    lin = await console.signed_in("lin")
    assert older.appkey in await lin.see("/reference/plate")
    assert newer.appkey in await lin.see("/reference/general")


async def test_codes_are_explained_and_found_in_english(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    lin.headers["accept-language"] = "en"
    page = await lin.see("/reference?q=allow-list")
    assert "IP未被APP授权" in page and "The address is not on the allow-list of the app" in page
    assert "应用未开通" not in page
    assert "The capability is not enabled in the app" not in await (await console.signed_in("lin")).see("/reference")
