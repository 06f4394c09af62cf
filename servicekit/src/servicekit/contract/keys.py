"""Keys of a test's own, and the gateway that publishes them."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servicekit.auth import AUDIENCE, ISSUER, Authenticator
from servicekit.settings import ServiceSettings

KID = "test"


class TestKeys:
    """Signs identity tokens and stands in for the gateway that publishes the keys and knows API keys."""

    __test__ = False

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(self.private.public_key()))
        self._jwks = {"keys": [{**public, "kid": KID, "use": "sig", "alg": "EdDSA"}]}
        self._api_keys: dict[str, dict[str, Any]] = {}

    def token(self, user: str = "ana", role: str = "owner", **claims: Any) -> str:
        """Return an identity token for `user`, valid for a minute unless `claims` say otherwise."""
        payload = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": user, "name": user, "role": role,
            "scopes": ["*"], "typ": "identity", "exp": int(time.time()) + 60,
        }  # fmt: skip
        return jwt.encode({**payload, **claims}, self.private, algorithm="EdDSA", headers={"kid": KID})

    def api_key(self, *scopes: str, user: str = "ana") -> str:
        """Return an API key that this gateway knows, with `scopes`."""
        key = f"ofi_{user}_{'_'.join(scopes)}"
        self._api_keys[key] = {"sub": user, "name": user, "role": "member", "scopes": list(scopes)}
        return key

    def headers(self, user: str = "ana", **claims: Any) -> dict[str, str]:
        """Return the Authorization header of `user`."""
        return {"Authorization": f"Bearer {self.token(user, **claims)}"}

    def authenticator(self, settings: ServiceSettings) -> Authenticator:
        """Return an Authenticator whose gateway is this object."""

        def gateway(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("jwks.json"):
                return httpx.Response(200, json=self._jwks)
            claims = self._api_keys.get(json.loads(request.content).get("token"))
            return httpx.Response(200, json={"claims": claims}) if claims else httpx.Response(401, json={})

        return Authenticator(settings, httpx.Client(transport=httpx.MockTransport(gateway)))
