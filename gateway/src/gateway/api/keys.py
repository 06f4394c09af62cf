"""The caller's own API keys."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.parts import Parts
from servicekit.auth import Identity, identity_of
from servicekit.errors import BadRequest, Forbidden
from servicekit.scopes import MODELS, SCOPES

KNOWN_SCOPES = ("*", *SCOPES.values(), "keys", "users", MODELS)
_MAX_KEYS = 100


class NewKey(BaseModel):
    """What to call a key and what it may do."""

    name: str = Field(default="key", min_length=1, max_length=80)
    scopes: list[Annotated[str, Field(max_length=40)]] = Field(default=["*"], min_length=1, max_length=20)
    expires_in_s: float | None = Field(default=None, gt=0, le=10 * 365 * 86400)


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/auth/keys`."""
    routes = APIRouter(prefix="/auth/keys", tags=["auth"])

    @routes.get("")
    async def list_keys(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List the caller's keys, without the keys themselves."""
        return {"keys": await parts.resolver.in_thread(parts.credentials.keys, caller.user_id)}

    @routes.post("", status_code=201)
    async def make_key(asked: NewKey, caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """Make a key. It is shown in this answer and never again."""
        caller.require("keys")
        unknown = set(asked.scopes) - set(KNOWN_SCOPES)
        if unknown:
            raise BadRequest(
                f"There is no scope '{sorted(unknown)[0]}'. There are: {', '.join(KNOWN_SCOPES)}.",
                param="scopes",
            )
        if "*" not in caller.scopes and not set(asked.scopes) <= caller.scopes:
            raise Forbidden("A key cannot have scopes that its maker lacks.")
        have = await parts.resolver.in_thread(parts.credentials.keys, caller.user_id)
        if len(have) >= _MAX_KEYS:
            raise BadRequest(f"There are {len(have)} keys already; {_MAX_KEYS} is the most. Revoke one.")
        expires_at = time.time() + asked.expires_in_s if asked.expires_in_s else None
        told, secret = await parts.resolver.in_thread(
            parts.credentials.make_key, caller.user_id, asked.name, sorted(set(asked.scopes)), expires_at
        )
        return told | {"key": secret}

    @routes.delete("/{key_id}", status_code=204)
    async def revoke_key(key_id: str, caller: Identity = Depends(identity_of)) -> Response:
        """Revoke a key: it stops working here at once and everywhere within a second."""
        caller.require("keys")
        await parts.resolver.in_thread(parts.credentials.revoke_key, caller.user_id, key_id)
        parts.resolver.forget()
        return Response(status_code=204)

    return routes
