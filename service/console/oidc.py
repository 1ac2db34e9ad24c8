"""Sign-in through an OpenID Connect provider: authorization code flow with PKCE and a verified ID token.

The provider authenticates, InkGate authorises: a user with the login of the ID token must exist here.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Oidc

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512")
"""Public-key signatures only: with a shared secret, every verifier could also sign."""
BASIC = "client_secret_basic"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
REFRESH_SECONDS = 3600.0
TIMEOUT_SECONDS = 10.0
LEEWAY_SECONDS = 60
MAX_ATTEMPT_SECONDS = 600
MAX_ANSWER_BYTES = 256 * 1024  # of one response of the provider; keys and tokens have a few thousand
_PLAIN_JSON = {"accept": "application/json", "accept-encoding": "identity"}
MAX_AUTHENTICATION_AGE_SECONDS = 300  # of the password entry at the provider, when re-authentication is required


class OidcError(Exception):
    """The provider is unreachable or its response is invalid. The text is for the log."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user as the provider names it: the login and the groups."""

    login: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """State of one sign-in, kept encrypted in a browser cookie. `again` requires re-authentication at the provider."""

    state: str
    nonce: str
    verifier: str
    next: str
    again: bool
    begun: float

    @classmethod
    def new(cls, where: str, *, again: bool = False) -> LoginAttempt:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, where, again, time.time())

    def pack(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpack(cls, text: bytes) -> LoginAttempt:
        """The attempt that `pack` wrote. Raises OidcError if it has expired."""
        found = cls(**json.loads(text))
        if time.time() - found.begun > MAX_ATTEMPT_SECONDS:
            raise OidcError("the attempt to sign in is too old")
        return found


class Provider:
    """One provider. Its metadata and keys are fetched on first use and refreshed every hour.

    Raises ConfigurationError for invalid settings.
    """

    def __init__(self, settings: Oidc) -> None:
        url = urlsplit(settings.issuer)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ConfigurationError("INKGATE_OIDC__ISSUER", "is not an https:// address", "Name the provider's own.")
        if not settings.client_id:
            raise ConfigurationError("INKGATE_OIDC__CLIENT_ID", "is empty", "Name the client made at the provider.")
        self._settings = settings
        self._issuer = settings.issuer.rstrip("/")
        self._lock = asyncio.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._keys: Mapping[str, Any] = {}
        self._fetched = -REFRESH_SECONDS

    async def start(self, attempt: LoginAttempt, redirect: str) -> str:
        """The authorization URL to redirect the browser to. Raises OidcError."""
        metadata = await self._known()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect,
            "scope": self._settings.scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if attempt.again:
            query |= {"prompt": "login", "max_age": "0"}
        where = str(metadata["authorization_endpoint"])
        return f"{where}{'&' if '?' in where else '?'}{urlencode(query)}"

    async def finish(self, attempt: LoginAttempt, redirect: str, code: str) -> Identity:
        """Exchanges `code` and returns login and groups of the ID token. Raises OidcError."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": attempt.verifier,
            "client_id": self._settings.client_id,
        }
        metadata = await self._known()
        secret = self._settings.client_secret.get_secret_value() if self._settings.client_secret else ""
        basic = None
        if secret and BASIC in metadata.get("token_endpoint_auth_methods_supported", (BASIC,)):
            basic = httpx.BasicAuth(self._settings.client_id, secret)
        elif secret:
            form["client_secret"] = secret
        answer = await self._fetch("POST", str(metadata["token_endpoint"]), data=form, auth=basic)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the provider gave no ID token")
        claims = await self._claims(token)
        return Identity(self._login(claims, attempt), self._groups(claims))

    def _groups(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """The groups of the ID token; a single name counts as a list of one, anything else as none."""
        found = claims.get(self._settings.groups_claim, ())
        names = [found] if isinstance(found, str) else found
        return tuple(each for each in names if isinstance(each, str)) if isinstance(names, list) else ()

    def _login(self, claims: Mapping[str, Any], attempt: LoginAttempt) -> str:
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise OidcError("the ID token is for another attempt")
        if claims.get("azp", self._settings.client_id) != self._settings.client_id:
            raise OidcError("the ID token was made for another client")
        if attempt.again and time.time() - float(claims.get("auth_time", 0)) > MAX_AUTHENTICATION_AGE_SECONDS:
            raise OidcError("the provider did not ask for the password again")
        claim = self._settings.claim
        login = claims.get(claim)
        if not isinstance(login, str) or (claim == "email" and claims.get("email_verified") is not True):
            raise OidcError(f"the ID token has no (verified) claim {claim}")
        return login

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._settings.client_id,
                issuer=self._metadata["issuer"],
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise OidcError(f"the ID token does not hold: {error}") from error
        return claims

    async def _key(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        """The key named by the token header. An unknown name refreshes the key set once, since keys are rotated."""
        for fresh in (False, True):
            await self._known(fresh=fresh)
            for key in jwt.PyJWKSet(list(self._keys.get("keys", ()))).keys:
                if header.get("kid", key.key_id) == key.key_id:
                    return key
        raise OidcError("the ID token names an unknown key")

    async def _known(self, *, fresh: bool = False) -> Mapping[str, Any]:
        async with self._lock:
            age = time.monotonic() - self._fetched
            if age >= REFRESH_SECONDS or (fresh and age > 1.0):
                metadata = await self._fetch("GET", f"{self._issuer}/.well-known/openid-configuration")
                if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
                    raise OidcError("the provider calls itself by another name than INKGATE_OIDC__ISSUER")
                if not all(isinstance(metadata.get(each), str) for each in ENDPOINTS):
                    raise OidcError(f"the provider's metadata lacks one of {', '.join(ENDPOINTS)}")
                self._keys = await self._fetch("GET", metadata["jwks_uri"])
                self._metadata, self._fetched = metadata, time.monotonic()
        return self._metadata

    async def _fetch(self, method: str, url: str, **more: Any) -> Mapping[str, Any]:
        try:
            async with (
                asyncio.timeout(2 * TIMEOUT_SECONDS),
                httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client,
                client.stream(method, url, headers=_PLAIN_JSON, **more) as answer,
            ):
                found = json.loads(await _read_limited(answer.raise_for_status()))
        except TimeoutError as error:
            raise OidcError(f"{url}: took too long") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            raise OidcError(f"{url}: {error}") from error
        if not isinstance(found, dict):
            raise OidcError(f"{url} answered no object")
        return found


async def _read_limited(answer: httpx.Response) -> bytes:
    """The body of a response. Raises OidcError beyond MAX_ANSWER_BYTES and for a compressed body."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise OidcError(f"{answer.url}: a packed answer, though none was asked for")
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise OidcError(f"{answer.url}: an answer of more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)
