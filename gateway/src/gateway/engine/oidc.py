"""One OpenID Connect provider: where it sends people, what their code is worth, who they are.

Owns discovery, the exchange of the code (Authlib's client) and the check of the id_token. Knows no
accounts, no routes and no cookies. What the provider answers is trusted only as far as it is signed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from gateway.errors import LoginDenied, LoginRefused, ProviderAway

SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Only signatures by a key that the provider keeps to itself: no `none`, no shared secrets."""
_TIMEOUT_S = 5.0
_DISCOVERY_S, _KEYS_S = 3600.0, 3600.0
_KEYS_RETRY_S = 10.0
"""Seconds between two looks for a key of unknown name: strangers' tokens must not make us ask for ever."""
_LEEWAY_S = 60
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Client:
    """What the settings say of the provider and of us at it."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: str


@dataclass
class _Kept:
    value: Any = None
    until: float = 0.0
    fetched_at: float = float("-inf")


class Provider:
    """The provider that the settings name."""

    def __init__(self, client: Client):
        self._client = client
        self._metadata, self._keys = _Kept(), _Kept()

    async def authorize_url(self, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Return the address to which a browser goes to log in.

        Raises:
            ProviderAway: the provider cannot be asked where that is.
        """
        endpoint = await self._endpoint("authorization_endpoint")
        async with self._oauth(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(url)

    async def claims(self, code: str, verifier: str, nonce: str, redirect_uri: str) -> dict[str, Any]:
        """Exchange `code` and return the verified claims about the person.

        Raises:
            LoginDenied: the provider does not take the code.
            LoginRefused: the id_token is missing, forged, old, or for somebody else.
            ProviderAway: the provider cannot be reached.
        """
        token = await self._exchange(code, verifier, redirect_uri)
        encoded = token.get("id_token")
        if not isinstance(encoded, str):
            raise LoginRefused("The provider sent no id_token. Ask for the scope 'openid'.")
        claims = await self._verified(encoded, nonce, token.get("access_token"))
        if "email" not in claims and "userinfo_endpoint" in await self._discover():
            claims |= await self._userinfo(str(token.get("access_token", "")), claims["sub"])
        return claims

    async def _exchange(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        endpoint = await self._endpoint("token_endpoint")
        try:
            async with self._oauth(redirect_uri) as client:
                return dict(
                    await client.fetch_token(
                        endpoint,
                        grant_type="authorization_code",
                        code=code,
                        code_verifier=verifier,
                        redirect_uri=redirect_uri,
                    )
                )
        except AuthlibBaseError as error:
            raise LoginDenied("The provider does not accept this login. Begin again.") from error
        except (httpx2.HTTPError, ValueError, TypeError) as error:
            raise ProviderAway("The provider does not answer. Try again.") from error

    async def _verified(self, encoded: str, nonce: str, access_token: Any) -> dict[str, Any]:
        try:
            token = await self._decoded(encoded)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self._client.issuer},
                    "aud": {"essential": True, "value": self._client.client_id},
                    "sub": {"essential": True},
                },
                {"nonce": nonce, "client_id": self._client.client_id, "access_token": access_token},
            )
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, AuthlibBaseError, ValueError, TypeError, KeyError) as error:
            raise LoginRefused("The provider's answer is not valid for this login. Begin again.") from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise LoginRefused("The provider's answer names nobody.")
        return dict(claims)

    async def _decoded(self, encoded: str) -> jwt.Token:
        registry = JWSRegistry(algorithms=SIGNATURES, strict_check_header=False)
        try:
            return jwt.decode(encoded, await self._key_set(), registry=registry)
        except InvalidKeyIdError:
            if time.monotonic() - self._keys.fetched_at < _KEYS_RETRY_S:
                raise
            self._keys.until = 0.0
            return jwt.decode(encoded, await self._key_set(), registry=registry)

    async def _userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        endpoint = await self._endpoint("userinfo_endpoint")
        told = await self._get(endpoint, {"Authorization": f"Bearer {access_token}"})
        if told.get("sub") != subject:
            raise LoginRefused("The provider told of somebody else. Begin again.")
        return told

    async def _key_set(self) -> KeySet:
        if time.monotonic() >= self._keys.until:
            found = await self._get(await self._endpoint("jwks_uri"))
            now = time.monotonic()
            try:
                self._keys = _Kept(KeySet.import_key_set(found), now + _KEYS_S, now)  # type: ignore[arg-type]
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise ProviderAway("The provider's keys cannot be read.") from error
        assert isinstance(self._keys.value, KeySet)
        return self._keys.value

    async def _discover(self) -> dict[str, Any]:
        if time.monotonic() >= self._metadata.until:
            url = self._client.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = await self._get(url)
            if found.get("issuer") != self._client.issuer:
                raise ProviderAway("The provider calls itself otherwise. Set OIDC_ISSUER to its own name.")
            now = time.monotonic()
            self._metadata = _Kept(found, now + _DISCOVERY_S, now)
        assert isinstance(self._metadata.value, dict)
        return self._metadata.value

    async def _endpoint(self, name: str) -> str:
        found = (await self._discover()).get(name)
        secure = self._client.issuer.startswith("https://")
        if not isinstance(found, str) or not found.startswith(
            "https://" if secure else ("http://", "https://")
        ):
            raise ProviderAway(f"The provider names no usable '{name}'.")
        return found

    async def _get(self, url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client:
                async with client.stream("GET", url, headers=headers) as answer:
                    answer.raise_for_status()
                    content = b""
                    async for chunk in answer.aiter_bytes():
                        content += chunk
                        if len(content) > _MAX_BYTES:
                            raise ProviderAway("The provider's answer is too long.")
                found = httpx2.Response(200, content=content).json()
        except (httpx2.HTTPError, ValueError) as error:
            raise ProviderAway("The provider does not answer. Try again.") from error
        if not isinstance(found, dict):
            raise ProviderAway("The provider's answer cannot be read.")
        return found

    def _oauth(self, redirect_uri: str) -> AsyncOAuth2Client:
        secret = self._client.client_secret
        return AsyncOAuth2Client(
            client_id=self._client.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=self._client.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
        )
