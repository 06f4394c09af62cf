"""Addresses of kept media that open without credentials: a path, and in its query a permission for it. Pure.

The gateway signs the permission with the key of its tokens, for an audience of its own: no bearer is read for that
one, so it opens the one path and nothing else. It names the key or login behind it, and ends with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import jwt

AUDIENCE = "oficina/media"
ISSUER = "oficina"
PARAMETER = "token"
MAX_TOKEN_CHARS = 2048
MEDIA = "/media/"
_ITEM = re.compile(r"/media/[a-z]{1,16}_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class SignedPath:
    """A path and what came as permission for it."""

    path: str
    token: str


def is_item(path: str) -> bool:
    """Tell whether `path` can be that of a kept picture or sound."""
    return _ITEM.fullmatch(path) is not None


def signed_path(method: str, path: str, query: bytes) -> SignedPath | None:
    """Return what a request brings as permission to read a medium, None if it brings none."""
    if method not in ("GET", "HEAD") or not path.startswith(MEDIA) or PARAMETER.encode() not in query:
        return None
    tokens = parse_qs(query.decode("latin-1")).get(PARAMETER, [])
    return SignedPath(path, tokens[0]) if len(tokens) == 1 else None


def with_token(path: str, token: str) -> str:
    """Return the address that opens `path`; tokens are of characters that a query holds as they are."""
    return f"{path}?{PARAMETER}={token}"


def claims_of(signed: SignedPath, key: Any) -> dict[str, Any]:
    """Return what the permission says.

    Raises:
        jwt.PyJWTError, ValueError: it is forged, altered, over, of another audience, or for another path.
    """
    if len(signed.token) > MAX_TOKEN_CHARS:
        raise jwt.InvalidTokenError("too long")
    claims: dict[str, Any] = jwt.decode(
        signed.token,
        key,
        algorithms=["EdDSA"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"require": ["exp", "aud", "cid", "path"], "strict_aud": True},
    )
    if claims["path"] != signed.path or not is_item(signed.path):
        raise jwt.InvalidTokenError("for another path")
    return claims
