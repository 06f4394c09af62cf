"""Tokens that nobody may accept: made from a genuine one, its key, and a stranger's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of Ed25519's group: S plus this is another number with the same meaning (RFC 8032, 5.1.7)."""


def forged_tokens(genuine: str, key: Ed25519PrivateKey, kid: str) -> dict[str, str]:
    """Return name → token; every one differs from `genuine` in something that has to be noticed."""
    head, body, tail = genuine.split(".")
    claims: dict[str, Any] = jwt.decode(genuine, options={"verify_signature": False})
    return {
        **_without_signature(head, body, tail, kid),
        **_by_shared_secret(body, key, kid),
        **_by_strangers(claims, kid),
        **_changed(claims, head, body, tail),
        **_signed_but_wrong(claims, key, kid),
        **_no_tokens(genuine),
    }


def encoded(value: Any) -> str:
    """Return JSON in base64url without padding."""
    return _b64(json.dumps(value).encode())


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _without_signature(head: str, body: str, tail: str, kid: str) -> dict[str, str]:
    names = ("none", "None", "NONE", "nOnE", "")
    made = {f"alg {name!r}": f"{encoded({'alg': name, 'kid': kid})}.{body}." for name in names}
    return made | {
        "alg none with the signature": f"{encoded({'alg': 'none', 'kid': kid})}.{body}.{tail}",
        "no alg": f"{encoded({'kid': kid})}.{body}.{tail}",
        "alg null": f"{encoded({'alg': None, 'kid': kid})}.{body}.{tail}",
        "alg a list": f"{encoded({'alg': ['EdDSA'], 'kid': kid})}.{body}.{tail}",
        "empty signature": f"{head}.{body}.",
        "short signature": f"{head}.{body}.{_b64(_bytes(tail)[:32])}",
        "zero signature": f"{head}.{body}.{_b64(bytes(64))}",
        "long signature": f"{head}.{body}.{_b64(_bytes(tail) + bytes(1))}",
        "signature of other text": f"{head}.{body}.{_b64(_bytes(tail)[32:] + _bytes(tail)[:32])}",
        "S plus the order": f"{head}.{body}.{_b64(_plus_order(_bytes(tail)))}",
    }


def _plus_order(signature: bytes) -> bytes:
    return signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")


def _by_shared_secret(body: str, key: Ed25519PrivateKey, kid: str) -> dict[str, str]:
    """Sign with what everybody knows, taking the public key for a secret."""
    public = key.public_key()
    encoding, form = serialization.Encoding, serialization.PublicFormat
    raw = public.public_bytes(encoding.Raw, form.Raw)
    secrets = {
        "raw key": raw,
        "base64 key": _b64(raw).encode(),
        "PEM key": public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo),
        "DER key": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "OpenSSH key": public.public_bytes(encoding.OpenSSH, form.OpenSSH),
        "JWK": json.dumps({"kty": "OKP", "crv": "Ed25519", "x": _b64(raw)}).encode(),
        "nothing": b"",
        "the kid": kid.encode(),
    }
    made = {}
    for name, secret in secrets.items():
        signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{body}"
        made[f"HS256 with {name}"] = (
            f"{signed}.{_b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
        )
    return made


def _by_strangers(claims: dict[str, Any], kid: str) -> dict[str, str]:
    """Sign well, with a key that is not the gateway's, and say in the header where to find it."""
    other = Ed25519PrivateKey.generate()
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(other.public_key()))
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def signed(**header: Any) -> str:
        return jwt.encode(claims, other, algorithm="EdDSA", headers={"kid": kid} | header)

    return {
        "a stranger's key": signed(),
        "a stranger's kid": signed(kid="other"),
        "jwk in the header": signed(jwk=jwk),
        "jwk and no kid": jwt.encode(claims, other, algorithm="EdDSA", headers={"jwk": jwk}),
        "jku in the header": signed(jku="http://127.0.0.1:1/keys.json"),
        "x5u in the header": signed(x5u="http://127.0.0.1:1/cert.pem"),
        "x5c in the header": signed(x5c=["MIIB"]),
        "kid is a path": signed(kid="../../../../dev/null"),
        "kid is an address": signed(kid="http://127.0.0.1:1/key"),
        "kid is SQL": signed(kid="x' UNION SELECT 'k"),
        "kid holds a NUL": signed(kid=kid + "\x00"),
        "kid is long": signed(kid="k" * 1500),
        "ES256": jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": kid}),
        "RS256": jwt.encode(claims, pem, "RS256", {"kid": kid}),
    }


def _changed(claims: dict[str, Any], head: str, body: str, tail: str) -> dict[str, str]:
    """Keep the signature, change what it stands under."""
    later = claims | {"exp": int(time.time()) + 10**6}
    made = {
        "another subject": claims | {"sub": "somebody-else"},
        "another role": claims | {"role": "owner", "x": 1},
        "more scopes": claims | {"scopes": ["*"], "x": 1},
        "a later end": later,
        "no claims": {},
    }
    return {f"changed: {name}": f"{head}.{encoded(value)}.{tail}" for name, value in made.items()} | {
        "changed: a list": f"{head}.{encoded([claims])}.{tail}",
        "changed: no JSON": f"{head}.{_b64(b'{')}.{tail}",
        "changed: not UTF-8": f"{head}.{_b64(bytes([255, 254]))}.{tail}",
        "changed: header": f"{encoded({'alg': 'EdDSA', 'kid': 'x', 'typ': 'JWT'})}.{body}.{tail}",
        "header is a list": f"{encoded(['EdDSA'])}.{body}.{tail}",
        "kid is a list": f"{encoded({'alg': 'EdDSA', 'kid': ['test']})}.{body}.{tail}",
        "kid is null": f"{encoded({'alg': 'EdDSA', 'kid': None})}.{body}.{tail}",
    }


def _signed_but_wrong(claims: dict[str, Any], key: Ed25519PrivateKey, kid: str) -> dict[str, str]:
    """Sign with the genuine key what says that it is not for here, not for now, or not an identity."""
    now = int(time.time())

    def signed(header: dict[str, Any] | None = None, **changed: Any) -> str:
        return jwt.encode(claims | changed, key, algorithm="EdDSA", headers={"kid": kid} | (header or {}))

    def without(name: str) -> str:
        return jwt.encode({k: v for k, v in claims.items() if k != name}, key, "EdDSA", {"kid": kid})

    return {
        "expired": signed(exp=now - 10),
        "expired long ago": signed(exp=1),
        "not yet": signed(nbf=now + 3600),
        "issued in the future": signed(iat=now + 3600),
        "another audience": signed(aud="other"),
        "an empty audience": signed(aud=[]),
        "another issuer": signed(iss="other"),
        "a longer issuer": signed(iss=str(claims["iss"]) + ".example"),
        "a refresh token": signed(typ="refresh"),
        "a one-time link": signed(typ="link"),
        "no end": without("exp"),
        "no subject": without("sub"),
        "no type": without("typ"),
        "no audience": without("aud"),
        "no issuer": without("iss"),
        "no kid": jwt.encode(claims, key, algorithm="EdDSA"),
        "an extension that must be known": signed({"crit": ["x-new"], "x-new": True}),
    }


def _no_tokens(genuine: str) -> dict[str, str]:
    head, body, tail = genuine.split(".")
    return {
        "dots": "..",
        "letters": "a.b.c",
        "not ASCII": "\u00e9.\u00e9.\u00e9",
        "JSON": json.dumps({"payload": body, "protected": head, "signature": tail}),
        "five parts": f"{genuine}.{body}.{tail}",
        "reversed": f"{tail}.{body}.{head}",
        "very long": f"{head}.{body}{'A' * 20_000}.{tail}",
        "a word": "null",
    }
