"""The gateway's EdDSA key: signs access and identity tokens, verifies its own, publishes the public half."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.engine.credentials import Credential
from servicekit import atomic
from servicekit.auth import AUDIENCE, ISSUER, not_permitted
from servicekit.errors import Unauthorized
from servicekit.signed import AUDIENCE as MEDIA_AUDIENCE
from servicekit.signed import SignedPath, claims_of

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


class Signer:
    """Signs with the key kept in `path` (made with mode 0600 when there is none)."""

    def __init__(self, path: Path):
        self._key = _read_or_make(path)
        self._public = self._key.public_key()
        raw = self._public.public_bytes(*_RAW)
        self.kid = hashlib.sha256(raw).hexdigest()[:16]
        self._jwk = {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
            "kid": self.kid,
            "alg": "EdDSA",
            "use": "sig",
        }

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as `/.well-known/jwks.json` serves them."""
        return {"keys": [self._jwk]}

    def publish(self, file: Path) -> None:
        """Write the public keys where services without network read them; old or new, never half."""
        atomic.write(file, orjson.dumps(self.jwks()), mode=0o644)

    def sign(
        self, credential: Credential, kind: str, life_s: float, *, admitted: bool = False
    ) -> tuple[str, dict[str, Any]]:
        """Return a token of `kind` (access, identity, delegated) and its claims; `cid` names the credential."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": credential.user_id,
            "name": credential.username,
            "role": credential.role,
            "scopes": list(credential.scopes),
            "typ": kind,
            "cid": credential.id,
            "iat": now,
            "exp": now + int(life_s),
            **({"admitted": True} if admitted else {}),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self.kid}), claims

    def permit(self, credential_id: str, path: str, life_s: float) -> str:
        """Return a token that opens the medium at `path` to whoever holds it, as long as the credential is good.

        Anybody may come to see it, so it says of its owner nothing but the number of the credential.
        """
        claims = {
            "iss": ISSUER,
            "aud": MEDIA_AUDIENCE,
            "cid": credential_id,
            "path": path,
            "exp": int(time.time()) + int(life_s),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self.kid})

    def permitted(self, signed: SignedPath) -> str:
        """Return the number of the credential behind a token that opens a path; raises Unauthorized."""
        try:
            if jwt.get_unverified_header(signed.token).get("kid") != self.kid:
                raise jwt.InvalidTokenError("of another key")
            return str(claims_of(signed, self._public)["cid"])
        except (jwt.PyJWTError, ValueError) as error:
            raise not_permitted(error) from error

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this gateway signed and that is still good.

        Raises:
            Unauthorized: forged, altered, expired, or made for something else.
        """
        try:
            if jwt.get_unverified_header(token).get("kid") != self.kid:
                raise Unauthorized("This token was signed by another key. Log in again.")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub", "typ", "cid"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("This token has expired. Log in again.") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("This token is not valid. Log in again.") from error
        if claims["typ"] not in ("access", "identity", "delegated"):
            raise Unauthorized("This token is for something else. Log in again.")
        return claims


def _read_or_make(path: Path) -> Ed25519PrivateKey:
    if path.is_file():
        return _read(path)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        atomic.write(path, pem, replace=False)
    except FileExistsError:
        return _read(path)
    return key


def _read(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path.name} does not hold an Ed25519 key")
    return key
