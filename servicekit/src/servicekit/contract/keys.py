"""Keys of a test's own, and the gateway that publishes them."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from servicekit import signed
from servicekit.auth import AUDIENCE, ISSUER, Authenticator
from servicekit.media import Links
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
        self.suspended: set[str] = set()
        """Users whose signed addresses do not count any more."""
        self.over: set[str] = set()
        """Tokens whose time is over for whoever asks this gateway to sign."""

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

    def media_token(self, path: str, user: str = "ana", **claims: Any) -> str:
        """Return what opens the medium at `path`, as the gateway signs it for `user`."""
        payload = {
            "iss": ISSUER, "aud": signed.AUDIENCE, "cid": f"key_{user}", "path": path, "exp": int(time.time()) + 60,
        }  # fmt: skip
        return jwt.encode({**payload, **claims}, self.private, algorithm="EdDSA", headers={"kid": KID})

    def links(self) -> Links:
        """Return Links whose gateway is this object."""

        def gateway(request: httpx.Request) -> httpx.Response:
            bearer = request.headers["authorization"].partition(" ")[2]
            if bearer in self.over:
                return httpx.Response(401, json={})
            known = self._api_keys.get(bearer) or jwt.decode(bearer, options={"verify_signature": False})
            if request.url.path == "/auth/delegate":
                seconds = json.loads(request.content)["seconds"]
                token = self.token(known["sub"], typ="delegated", exp=int(time.time()) + seconds)
                return httpx.Response(200, json={"token": token, "expires_in": seconds})
            paths = json.loads(request.content)["paths"]
            urls = [signed.with_token(path, self.media_token(path, known["sub"])) for path in paths]
            return httpx.Response(200, json={"urls": urls, "expires_in": 60})

        return Links("http://gateway", httpx.MockTransport(gateway))

    def headers(self, user: str = "ana", **claims: Any) -> dict[str, str]:
        """Return the Authorization header of `user`."""
        return {"Authorization": f"Bearer {self.token(user, **claims)}"}

    def _owner_of(self, media_token: str) -> dict[str, Any] | None:
        user = jwt.decode(media_token, options={"verify_signature": False})["cid"].removeprefix("key_")
        return None if user in self.suspended else {"sub": user}

    def authenticator(self, settings: ServiceSettings) -> Authenticator:
        """Return an Authenticator whose gateway is this object."""

        def gateway(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("jwks.json"):
                return httpx.Response(200, json=self._jwks)
            asked = json.loads(request.content)
            claims = self._owner_of(asked["token"]) if "path" in asked else self._api_keys.get(asked["token"])
            return httpx.Response(200, json={"claims": claims}) if claims else httpx.Response(401, json={})

        return Authenticator(settings, httpx.Client(transport=httpx.MockTransport(gateway)))
