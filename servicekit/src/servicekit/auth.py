"""Who is calling: identity tokens are verified here, so a service's own port is no back door.

A bearer is one of four things:
- an identity token (EdDSA JWT, `typ: identity`) that the gateway signs for each forwarded call;
- an access token (EdDSA JWT, `typ: access`) from `POST /auth/login`;
- a delegated token (EdDSA JWT, `typ: delegated`) from `POST /auth/delegate`, for work that goes on;
- an API key (`ofi_…`).
An address of a medium may hold a permission for itself instead (`servicekit.signed`).
The first never leaves the machines of the system: no answer holds one. It is verified with the
gateway's public keys alone. The others last and can be revoked, so the gateway is asked about them, at
most twice a second each; while it cannot be asked they are refused with 503. A service without network
(`jwks_file`) takes a delegated token that a service got on its signature.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import jwt
import orjson
from starlette.requests import HTTPConnection

from servicekit.errors import Forbidden, NotReady, ServiceError, TooBusy, Unauthorized
from servicekit.logs import log_event
from servicekit.scopes import needed_on_own_port
from servicekit.settings import ServiceSettings
from servicekit.signed import ISSUER as _ISSUER
from servicekit.signed import SignedPath, claims_of

ISSUER = AUDIENCE = _ISSUER
INTROSPECTION_TTL_S = 0.5
"""With what the gateway itself remembers (0.4 s) less than the second in which a revocation counts."""
MAX_BEARER_CHARS = 4096
JWKS_TTL_S = 300.0
JWKS_RETRY_S = 2.0
_MAX_CACHED = 4096
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """The caller of one request. `token` may be forwarded to a neighbour as `Bearer`: it is what came."""

    user_id: str
    username: str
    role: str
    scopes: frozenset[str]
    token: str = ""
    admitted: bool = False
    """Whether the gateway let this very call through, scope and all; on a service's own port nobody did."""

    def require(self, scope: str) -> None:
        """Raise Forbidden unless the caller's key or session has `scope` (or `*`)."""
        if "*" not in self.scopes and scope not in self.scopes:
            raise Forbidden(f"This key lacks the scope '{scope}'. Make a key that has it.")

    @property
    def bearer(self) -> dict[str, str]:
        """Headers that carry this identity to a neighbour."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


LOCAL_OWNER = Identity("owner", "owner", "owner", frozenset({"*"}))
"""Every caller when `AUTH=off`."""


def identity_from_claims(claims: dict[str, Any], token: str, *, admitted: bool = False) -> Identity:
    """Build an Identity from the claims of a verified token."""
    return Identity(
        user_id=str(claims["sub"]),
        username=str(claims.get("name", claims["sub"])),
        role=str(claims.get("role", "member")),
        scopes=frozenset(claims.get("scopes", ())),
        token=token,
        admitted=admitted,
    )


class KeySet:
    """The gateway's public keys, fetched from `url`, or read from `file`, when needed and kept. Thread-safe."""

    def __init__(self, url: str, client: httpx.Client, file: str = ""):
        self._url, self._client, self._file = url, client, file
        self._keys: dict[str, Any] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def get(self, kid: str) -> Any:
        """Return the public key named `kid`.

        Raises:
            Unauthorized: the gateway has no such key.
            NotReady: the gateway cannot be reached and the key was never seen.
        """
        now = time.monotonic()
        if kid in self._keys and now - self._fetched_at < JWKS_TTL_S:
            return self._keys[kid]
        with self._lock:
            if kid not in self._keys or now - self._fetched_at >= JWKS_TTL_S:
                self._refresh(now)
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched_at == float("-inf"):
            raise NotReady("The gateway, which knows who may call, cannot be reached. Try again.")
        raise Unauthorized("This token was signed by a key that the gateway does not have. Log in again.")

    def _refresh(self, now: float) -> None:
        if now - self._tried_at < JWKS_RETRY_S:
            return
        self._tried_at = now
        try:
            keys = jwt.PyJWKSet.from_dict(self._published()).keys
        except (httpx.HTTPError, OSError, ValueError, jwt.PyJWTError) as error:
            log_event(log, "identity keys not fetched", level=logging.WARNING, reason=type(error).__name__)
            return
        self._keys = {key.key_id: key.key for key in keys if key.key_id}
        self._fetched_at = now

    def _published(self) -> dict[str, Any]:
        if self._file:
            found: dict[str, Any] = orjson.loads(Path(self._file).read_bytes())
            return found
        answer = self._client.get(self._url)
        answer.raise_for_status()
        keys: dict[str, Any] = answer.json()
        return keys


class Authenticator:
    """Turns a bearer into an Identity; `authenticate` blocks, `authenticate_async` does not."""

    def __init__(self, settings: ServiceSettings, client: httpx.Client | None = None):
        self._enabled = settings.auth == "on"
        self._gateway = settings.gateway_url.rstrip("/")
        self._alone = bool(settings.jwks_file)
        self._client = client or httpx.Client(timeout=httpx.Timeout(2.0, connect=1.0))
        self._keys = KeySet(f"{self._gateway}/.well-known/jwks.json", self._client, settings.jwks_file)
        self._known: OrderedDict[bytes, tuple[float, Identity | ServiceError]] = OrderedDict()
        self._lock = threading.Lock()

    def authenticate(self, bearer: str | None, signed: SignedPath | None = None) -> Identity:
        """Return who `bearer` stands for, or whose medium a `signed` path is.

        Raises:
            Unauthorized: missing, malformed, forged, expired or revoked.
            NotReady: only the gateway could tell, and it cannot be reached.
            TooBusy: too many wrong keys were tried.
        """
        if not self._enabled:
            return LOCAL_OWNER
        if signed is not None:
            try:
                return self._permitted(signed)
            except ServiceError:
                if not bearer:
                    raise
        if not bearer:
            raise Unauthorized("Send 'Authorization: Bearer <token or API key>'.")
        if len(bearer) > MAX_BEARER_CHARS:
            raise Unauthorized(f"This key has {len(bearer)} characters; {MAX_BEARER_CHARS} is the most.")
        if bearer.count(".") == 2:
            identity, kind = self._verified(bearer)
            if kind == "identity" or (kind == "delegated" and identity.admitted and self._alone):
                return identity
        return self._introspected({"token": bearer}, _name(bearer))

    async def authenticate_async(self, bearer: str | None, signed: SignedPath | None = None) -> Identity:
        """Like `authenticate`, in a thread when the network may be needed."""
        if not self._enabled:
            return LOCAL_OWNER
        cached = self._cached(_name(bearer)) if bearer and signed is None else None
        if cached is not None:
            return _raise_or_return(cached)
        return await anyio.to_thread.run_sync(self.authenticate, bearer, signed)

    def _permitted(self, signed: SignedPath) -> Identity:
        """Return whose medium a path opens. Its token is remembered apart: as a bearer it must open nothing."""
        try:
            header = jwt.get_unverified_header(signed.token)
            if header.get("alg") != "EdDSA" or not isinstance(header.get("kid"), str):
                raise jwt.InvalidTokenError("of another kind")
            claims_of(signed, self._keys.get(header["kid"]))
        except (jwt.PyJWTError, ValueError) as error:
            raise not_permitted(error) from error
        asked = {"token": signed.token, "path": signed.path}
        return self._introspected(asked, b"path " + _name(f"{signed.path} {signed.token}"))

    def _verified(self, token: str) -> tuple[Identity, str]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "EdDSA" or not isinstance(header.get("kid"), str):
                raise Unauthorized("This token is not one that the gateway signs. Log in again.")
            claims = jwt.decode(
                token,
                self._keys.get(header["kid"]),
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub", "typ"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("This token has expired. Log in again.") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("This token is not valid. Log in again.") from error
        kind = claims["typ"]
        if kind not in ("identity", "access", "delegated"):
            raise Unauthorized("This token is for something else. Log in again.")
        admitted = kind == "identity" or (kind == "delegated" and claims.get("admitted") is True)
        return identity_from_claims(claims, token, admitted=admitted), kind

    def _introspected(self, asked: dict[str, str], name: bytes) -> Identity:
        cached = self._cached(name)
        if cached is not None:
            return _raise_or_return(cached)
        found: Identity | ServiceError
        asked_at = time.monotonic()
        try:
            answer = self._client.post(f"{self._gateway}/auth/introspect", json=asked)
        except httpx.HTTPError as error:
            raise NotReady("The gateway, which checks keys, cannot be reached. Try again.") from error
        if answer.status_code in (401, 403):
            found = Unauthorized("This key or token is not valid, or was revoked.")
        elif answer.status_code == 429:
            after = answer.headers.get("retry-after", "")
            raise TooBusy(
                "Too many wrong keys were tried. Wait before trying another.",
                retry_after_s=float(after) if after.isascii() and after.isdigit() else 1.0,
            )
        elif answer.status_code != 200:
            raise NotReady("The gateway could not check this key. Try again.")
        else:
            claims = answer.json()["claims"]
            found = identity_from_claims(claims, asked["token"], admitted=claims.get("admitted") is True)
        with self._lock:
            self._known[name] = (asked_at, found)
            while len(self._known) > _MAX_CACHED:
                self._known.popitem(last=False)
        return _raise_or_return(found)

    def _cached(self, name: bytes) -> Identity | ServiceError | None:
        with self._lock:
            entry = self._known.get(name)
        if entry is None or time.monotonic() - entry[0] > INTROSPECTION_TTL_S:
            return None
        return entry[1]


def not_permitted(error: Exception) -> Unauthorized:
    """Return what is told of an address whose permission does not count, because of `error`."""
    why = "has expired" if isinstance(error, jwt.ExpiredSignatureError) else "is not valid"
    return Unauthorized(
        f"The token in this address {why}. Ask for a new one (POST /auth/media), or send "
        "'Authorization: Bearer <token or API key>'."
    )


def check_scope(identity: Identity, service: str, method: str, path: str) -> None:
    """Refuse a key that lacks the scope of a call on a service's own port (Forbidden)."""
    scope = "" if identity.admitted else needed_on_own_port(service, method, path)
    if scope:
        identity.require(scope)


def _name(bearer: str) -> bytes:
    """Return what a bearer is remembered under: short, and nothing that opens anything."""
    return hashlib.sha256(bearer.encode("utf-8", "surrogatepass")).digest()


def _raise_or_return(found: Identity | ServiceError) -> Identity:
    if isinstance(found, ServiceError):
        raise found
    return found


def bearer_of(header: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer …` header, or None."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def identity_of(request: HTTPConnection) -> Identity:
    """FastAPI dependency: the caller, put there by `asgi.install`."""
    identity = request.scope.get("oficina.identity")
    if not isinstance(identity, Identity):
        raise Unauthorized("Send 'Authorization: Bearer <token or API key>'.")
    return identity


def flask_identity() -> Identity:
    """The caller of the current Flask request, put there by `wsgi.install`."""
    from flask import g

    identity = getattr(g, "identity", None)
    if not isinstance(identity, Identity):
        raise Unauthorized("Send 'Authorization: Bearer <token or API key>'.")
    return identity
