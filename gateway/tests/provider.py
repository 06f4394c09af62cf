"""A small OpenID Connect provider on a real port, that can be told to lie."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET, KID = "oficina-test", "a secret of the client", "k1"


@functools.cache
def key_of(name: str) -> rsa.RSAPrivateKey:
    """Return the key of that name; making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Grant:
    """What one code stands for."""

    nonce: str
    challenge: str
    redirect_uri: str
    used: bool = False


@dataclass
class Provider:
    """`person` is who logs in; the other fields make it lie."""

    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "s-1", "email": "ana@example.org", "email_verified": True, "preferred_username": "ana",
        }
    )  # fmt: skip
    changed: dict[str, Any] = field(default_factory=dict)
    """Claims of the id_token that are other than they should be; None leaves one out."""
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    sign: Any = None
    """Makes the id_token from its claims, in another way than it should be made."""
    answer: Any = None
    """What the token endpoint answers instead."""
    forgets_codes: bool = True
    key: rsa.RSAPrivateKey = field(default_factory=lambda: key_of("provider"))
    kid: str = KID
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    secrets_seen: list[str] = field(default_factory=list)

    def jwks(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": self.kid, "use": "sig", "alg": "RS256"}]}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks",
                     "userinfo_endpoint": "/userinfo"}  # fmt: skip
            told = {"issuer": self.url} | {name: self.url + path for name, path in names.items()}
            return web.json_response(told | self.metadata)
        if request.path == "/jwks":
            return web.json_response(self.jwks())
        if request.path == "/authorize":
            return self._authorize(request)
        if request.path == "/userinfo":
            return web.json_response({"sub": self.person["sub"]} | self.userinfo)
        return await self._token(request)

    def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(asked["nonce"], asked["code_challenge"], asked["redirect_uri"])
        back = (
            asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"], "iss": self.url})
        )
        return web.Response(status=302, headers={"Location": back})

    async def _token(self, request: web.Request) -> web.Response:
        if self.answer is not None:
            return web.json_response(self.answer[1], status=self.answer[0])
        form = await request.post()
        self.secrets_seen.append(request.headers.get("Authorization", ""))
        grant = self.grants.get(str(form.get("code")))
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or grant.challenge != proof or grant.redirect_uri != form.get("redirect_uri"):
            return web.json_response({"error": "invalid_grant"}, status=400)
        if grant.used and self.forgets_codes:
            return web.json_response({"error": "invalid_grant"}, status=400)
        grant.used = True
        return web.json_response(
            {"access_token": "at", "token_type": "Bearer", "id_token": self._id_token(grant)}
        )

    def _id_token(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": grant.nonce}
        claims = claims | self.person | self.changed
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.sign is not None:
            return str(self.sign(claims))
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})


@contextlib.asynccontextmanager
async def serve_provider() -> AsyncIterator[Provider]:
    """Run a provider on a free port."""
    provider = Provider()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", provider.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
