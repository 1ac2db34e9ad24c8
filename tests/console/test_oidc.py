"""Sign-in through an OpenID Connect provider over HTTP, with valid and forged ID tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.console.oidc import OidcError, Provider
from inkgate.service.db import work
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Oidc
from inkgate.service.users import service as users
from inkgate.service.users.models import UserRow
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture
from tests.console.oidc_provider import CLIENT, SECRET, TinyProvider, signing_key, state_of, tiny_provider
from tests.http_client import local_client


@pytest.fixture
def provider() -> Iterator[TinyProvider]:
    with tiny_provider() as made:
        yield made


@pytest.fixture
async def sso_console(engine: AsyncEngine, provider: TinyProvider) -> ConsoleFixture:
    """A console with the provider configured."""
    made = await ConsoleFixture.build(
        engine, oidc={"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "title": "青禾统一认证"}
    )
    parts = replace(made.parts, identity_provider=Provider(made.parts.settings.oidc))
    made.app.routes[-1].app.state.parts = made.parts = parts  # type: ignore[attr-defined]
    return made


async def at_provider(location: str) -> str:
    """Follow the redirect to the provider; returns the callback path."""
    async with local_client() as browser:
        answer = await browser.get(location)
    return answer.headers["location"].removeprefix("http://console.test/console")


async def there_and_back(visitor: BrowserClient, query: str = "") -> httpx.Response:
    begun = await visitor.get(f"/oidc{query}")
    assert begun.status_code == 303, begun.text
    return await visitor.get(await at_provider(begun.headers["location"]))


async def test_a_user_signs_in_through_the_provider_and_gets_the_requested_page(sso_console: ConsoleFixture) -> None:
    visitor = sso_console.visitor()
    assert "青禾统一认证" in await visitor.see("/login?next=/keys")
    answer = await there_and_back(visitor, "?next=/keys")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/keys")
    assert "青禾" in await visitor.see("/keys")
    assert "方式：身份提供方" in await (await sso_console.signed_in("chief")).see("/operator/audit?action=user")


async def test_an_unknown_or_disabled_user_cannot_sign_in(sso_console: ConsoleFixture, provider: TinyProvider) -> None:
    provider.login = "unknown"
    answer = await there_and_back(sso_console.visitor())
    assert answer.status_code == 422 and "没有对应的可用用户" in answer.text
    async with work.unit_of_work(sso_console.engine, "test") as unit:
        user = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
        assert user is not None
        await users.disable_user(unit, user.id)
    provider.login = "lin"
    assert (await there_and_back(sso_console.visitor())).status_code == 422


async def test_an_initial_password_ends_with_the_first_sign_in_through_the_provider(
    sso_console: ConsoleFixture,
) -> None:
    async with work.unit_of_work(sso_console.engine, "test") as unit:
        user = await unit.session.scalar(select(UserRow).where(UserRow.login == "lin"))
        assert user is not None
        user.must_change = True
    visitor = sso_console.visitor()
    await there_and_back(visitor)
    await visitor.see("/apps")
    assert (await sso_console.visitor().submit("/login", login="lin", password=PASSWORD)).status_code == 422


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another attempt": lambda claims: claims.update(nonce="x"),
    "another client": lambda claims: claims.update(aud="x"),
    "made for another client": lambda claims: claims.update(aud=[CLIENT, "x"], azp="x"),
    "another provider": lambda claims: claims.update(iss="https://evil.test"),
    "too old": lambda claims: claims.update(exp=claims["iat"] - 600),
    "no login": lambda claims: claims.pop("preferred_username"),
    "no subject": lambda claims: claims.pop("sub"),
}


@pytest.mark.parametrize("lie", list(LIES.values()), ids=list(LIES))
async def test_an_invalid_id_token_is_rejected(
    sso_console: ConsoleFixture, provider: TinyProvider, lie: Callable[[dict[str, Any]], None]
) -> None:
    provider.spoil = lie
    visitor = sso_console.visitor()
    answer = await there_and_back(visitor)
    assert answer.status_code == 422 and "单点登录失败" in answer.text
    assert (await visitor.get("/apps")).status_code == 303


async def test_a_signature_by_another_key_or_with_a_shared_secret_is_rejected(
    sso_console: ConsoleFixture, provider: TinyProvider
) -> None:
    provider.sign_with = signing_key(1)
    assert (await there_and_back(sso_console.visitor())).status_code == 422
    provider.sign_with, provider.algorithm = SECRET.ljust(64, "!"), "HS256"  # type: ignore[assignment]
    assert (await there_and_back(sso_console.visitor())).status_code == 422
    provider.sign_with, provider.algorithm = None, "none"  # type: ignore[assignment]
    assert (await there_and_back(sso_console.visitor())).status_code == 422


async def test_keys_are_fetched_again_when_the_provider_rotates_them(
    sso_console: ConsoleFixture, provider: TinyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await there_and_back(sso_console.visitor())).status_code == 303
    assert (await there_and_back(sso_console.visitor())).status_code == 303
    assert provider.seen.count("keys") == 1  # kept for an hour
    provider.key = provider.sign_with = signing_key(1)
    provider.kid = "two"
    assert sso_console.parts.identity_provider is not None
    monkeypatch.setattr(
        sso_console.parts.identity_provider, "_fetched", sso_console.parts.identity_provider._fetched - 2
    )  # a moment later
    assert (await there_and_back(sso_console.visitor())).status_code == 303


async def test_a_callback_without_an_attempt_of_this_browser_is_rejected(sso_console: ConsoleFixture) -> None:
    victim, thief = sso_console.visitor(), sso_console.visitor()
    stolen = await at_provider((await thief.get("/oidc")).headers["location"])
    assert (await victim.get(stolen)).status_code == 422  # it has no attempt
    begun = await victim.get("/oidc")
    assert (await victim.get(stolen)).status_code == 422  # its own attempt has another state
    mine = state_of(begun.headers["location"])
    assert (await victim.get(f"/oidc/back?error=access_denied&state={mine}")).status_code == 422
    back = await at_provider((await thief.get("/oidc")).headers["location"])
    assert (await thief.get(back)).status_code == 303
    assert (await thief.get(back)).status_code == 422  # a code works once, and the attempt is over


async def test_a_secret_is_shown_after_reauthentication_at_the_provider(
    sso_console: ConsoleFixture, provider: TinyProvider
) -> None:
    visitor = sso_console.visitor()
    await there_and_back(visitor)
    page = f"/apps/{sso_console.app_id}"
    sso_console.clock.advance(minutes=6)
    assert "重新验证" in await visitor.see(page)
    stale = await visitor.submit(f"{page}/secret", page=page, password="")
    assert stale.status_code == 422
    answer = await there_and_back(visitor, f"?again=1&next={page}")
    assert answer.headers["location"] == f"/console{page}"
    shown = await visitor.submitted(f"{page}/secret", page=page, password="")
    assert 'class="secret"' in shown.text


async def test_reauthentication_must_be_recent_and_of_the_same_user(
    sso_console: ConsoleFixture, provider: TinyProvider
) -> None:
    visitor = sso_console.visitor()
    await there_and_back(visitor)
    provider.spoil = lambda claims: claims.update(auth_time=claims["iat"] - 3600)
    assert (await there_and_back(visitor, "?again=1")).status_code == 422
    provider.spoil, provider.login = lambda claims: None, "east"
    assert (await there_and_back(visitor, "?again=1")).status_code == 422
    assert "portal_app" in await visitor.see("/apps")


async def test_an_unreachable_provider_is_reported_and_passwords_still_work(engine: AsyncEngine) -> None:
    sso_console = await ConsoleFixture.build(engine, oidc={"issuer": "http://127.0.0.1:9", "client_id": CLIENT})
    parts = replace(sso_console.parts, identity_provider=Provider(sso_console.parts.settings.oidc))
    sso_console.app.routes[-1].app.state.parts = parts  # type: ignore[attr-defined]
    answer = await sso_console.visitor().get("/oidc")
    assert answer.status_code == 422 and "单点登录失败" in answer.text
    await sso_console.signed_in("lin")


async def test_the_size_of_a_provider_response_is_limited(sso_console: ConsoleFixture, provider: TinyProvider) -> None:
    provider.kid = "x" * 300_000
    assert (await sso_console.visitor().get("/oidc")).status_code == 422
    with pytest.raises(OidcError, match="more than 262144 bytes"):
        await sso_console.parts.identity_provider._known()  # type: ignore[union-attr]


async def test_without_a_provider_its_routes_are_404(console: ConsoleFixture) -> None:
    for path in ("/oidc", "/oidc/back"):
        assert (await console.visitor().get(path)).status_code == 404
    empty = await (await console.signed_in("lin")).submit(f"/apps/{console.app_id}/secret", password="")
    assert empty.status_code == 422


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"issuer": "http://idp.example", "client_id": "a"}, "ISSUER"), ({"issuer": "https://idp.example"}, "CLIENT_ID")],
)
def test_invalid_settings_are_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"INKGATE_OIDC__{named}"):
        Provider(Oidc(**settings))  # type: ignore[arg-type]


async def test_an_email_claim_must_be_verified(engine: AsyncEngine, provider: TinyProvider) -> None:
    sso_console = await ConsoleFixture.build(
        engine, oidc={"issuer": provider.issuer, "client_id": CLIENT, "claim": "email", "client_secret": SECRET}
    )
    parts = replace(sso_console.parts, identity_provider=Provider(sso_console.parts.settings.oidc))
    sso_console.app.routes[-1].app.state.parts = parts  # type: ignore[attr-defined]
    provider.spoil = lambda claims: claims.update(email="lin", email_verified=False)
    assert (await there_and_back(sso_console.visitor())).status_code == 422
    provider.spoil = lambda claims: claims.update(email="lin", email_verified=True)
    assert (await there_and_back(sso_console.visitor())).status_code == 303


@pytest.mark.parametrize(
    ("groups", "status", "role"),
    [
        (["/ocr/finance"], 303, "finance"),
        (["x", "/OCR/Developers", "/ocr/finance"], 303, "developer"),  # the first of the mapping, not of the token
        ("/ocr/finance", 303, "finance"),
        (["/ocr/security"], 422, None),  # a role of operators for a customer
        ([], 422, None),
        (None, 422, None),
        ({"/ocr/finance": 1}, 422, None),
        ([{"name": "/ocr/finance"}], 422, None),
    ],
)
async def test_groups_of_the_token_give_roles(
    engine: AsyncEngine, provider: TinyProvider, groups: object, status: int, role: str | None
) -> None:
    roles = {"/ocr/developers": "developer", "/ocr/finance": "finance", "/ocr/security": "security"}
    console = await ConsoleFixture.build(
        engine, oidc={"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "roles": roles}
    )
    parts = replace(console.parts, identity_provider=Provider(console.parts.settings.oidc))
    console.app.routes[-1].app.state.parts = parts  # type: ignore[attr-defined]

    def with_groups(claims: dict[str, Any]) -> None:
        if groups is not None:
            claims["groups"] = groups

    provider.spoil = with_groups
    answer = await there_and_back(console.visitor())
    assert answer.status_code == status
    async with work.read_session(engine) as session:
        user = await session.scalar(select(UserRow).where(UserRow.login == "lin"))
    assert user is not None and user.duty == role


async def test_an_operator_is_created_by_a_group_of_the_token(engine: AsyncEngine, provider: TinyProvider) -> None:
    settings = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "roles": {"ops": "system"}}
    console = await ConsoleFixture.build(engine, oidc=settings | {"create": True})
    parts = replace(console.parts, identity_provider=Provider(console.parts.settings.oidc))
    console.app.routes[-1].app.state.parts = parts  # type: ignore[attr-defined]
    provider.login, provider.spoil = "newcomer", lambda claims: claims.update(groups=["ops"])
    visitor = console.visitor()
    assert (await there_and_back(visitor)).status_code == 303
    assert "系统管理员" in await visitor.see("/operator/workers")
    provider.login, provider.spoil = "outsider", lambda claims: claims.update(groups=["others"])
    assert (await there_and_back(console.visitor())).status_code == 422
