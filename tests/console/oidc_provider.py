"""A small OpenID Connect provider for tests: discovery, authorization code with PKCE, signed ID tokens, keys.

It listens on loopback in a thread of the test process. `spoil` changes the claims of the next token, `sign_with` and
`algorithm` how it is signed.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse

CLIENT, SECRET = "inkgate", "the client's secret"


@functools.cache
def signing_key(number: int = 0) -> rsa.RSAPrivateKey:
    """A key of the test session, the same for the same number: to find the primes takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class TinyProvider:
    """A provider at which the user `login` is signed in and authenticated `age` seconds ago."""

    def __init__(self) -> None:
        self.login, self.age = "lin", 3600.0
        self.key = self.sign_with = signing_key()
        self.kid, self.algorithm = "one", "RS256"
        self.spoil: Callable[[dict[str, Any]], None] = lambda claims: None
        self.issuer = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.seen: list[str] = []
        self.app = FastAPI()
        self.app.add_api_route("/.well-known/openid-configuration", self.metadata)
        self.app.add_api_route("/keys", self.keys)
        self.app.add_api_route("/authorize", self.authorize)
        self.app.add_api_route("/token", self.token, methods=["POST"])

    def metadata(self) -> dict[str, Any]:
        self.seen.append("metadata")
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def keys(self) -> dict[str, Any]:
        self.seen.append("keys")
        public: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [public | {"kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def authorize(self, request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split() and asked["code_challenge_method"] == "S256"
        if asked.get("prompt") == "login":
            self.age = 0.0
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 303)

    def token(
        self,
        request: Request,
        code: str = Form(),
        redirect_uri: str = Form(),
        code_verifier: str = Form(),
        grant_type: str = Form(),
    ) -> JSONResponse:
        given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        asked = self.codes.pop(code, None)  # a code works once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        fits = asked is not None and asked["code_challenge"] == challenge and asked["redirect_uri"] == redirect_uri
        if not fits or grant_type != "authorization_code" or given.split(":")[0] != CLIENT:
            return JSONResponse({"error": "invalid_grant"}, 400)
        assert asked is not None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "42",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "auth_time": now - int(self.age),
            "preferred_username": self.login,
        }
        self.spoil(claims)
        signed = jwt.encode(claims, self.sign_with, self.algorithm, headers={"kid": self.kid})  # type: ignore[arg-type]
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": signed})


@contextmanager
def tiny_provider() -> Iterator[TinyProvider]:
    """A running provider, stopped at the end of the block."""
    provider = TinyProvider()
    server = uvicorn.Server(uvicorn.Config(provider.app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    provider.issuer = f"http://127.0.0.1:{port}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(5)


def state_of(location: str) -> str:
    """The `state` parameter of a redirect to the provider."""
    return parse_qs(urlsplit(location).query)["state"][0]
