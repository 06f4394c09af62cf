"""Accounts, managed by the owner."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.bootstrap import MIN_PASSWORD
from gateway.parts import Parts
from servicekit.auth import Identity, identity_of
from servicekit.errors import BadRequest, Forbidden

_NAME = r"^[A-Za-z0-9À-ÿ._@-]+$"


class NewUser(BaseModel):
    """An account to make."""

    username: str = Field(min_length=1, max_length=64, pattern=_NAME)
    password: str = Field(min_length=MIN_PASSWORD, max_length=256)
    role: Literal["owner", "member"] = "member"


class UserChange(BaseModel):
    """What to change of an account; `active: false` suspends it."""

    password: str | None = Field(default=None, min_length=MIN_PASSWORD, max_length=256)
    role: Literal["owner", "member"] | None = None
    active: bool | None = None


def owner_of(caller: Identity = Depends(identity_of)) -> Identity:
    """Return the caller, who must be an owner and have the scope `users`."""
    if caller.role != "owner":
        raise Forbidden("Only the owner manages accounts.")
    caller.require("users")
    return caller


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/auth/users`."""
    routes = APIRouter(prefix="/auth/users", tags=["auth"])
    thread = parts.resolver.in_thread

    @routes.get("")
    async def list_users(_: Identity = Depends(owner_of)) -> dict[str, Any]:
        """List all accounts."""
        return {"users": [user.public() for user in await thread(parts.accounts.list)]}

    @routes.post("", status_code=201)
    async def make_user(asked: NewUser, _: Identity = Depends(owner_of)) -> dict[str, Any]:
        """Make an account."""
        hashed = await parts.passwords.hash(asked.password)
        return (await thread(parts.accounts.create, asked.username, hashed, asked.role)).public()

    @routes.get("/{user_id}")
    async def get_user(user_id: str, _: Identity = Depends(owner_of)) -> dict[str, Any]:
        """Tell of one account."""
        return (await thread(parts.accounts.get, user_id)).public()

    @routes.patch("/{user_id}")
    async def change_user(user_id: str, asked: UserChange, _: Identity = Depends(owner_of)) -> dict[str, Any]:
        """Set a new password, change the role, suspend or reinstate."""
        if asked == UserChange():
            raise BadRequest("Nothing to change: send 'password', 'role' or 'active'.")
        hashed = await parts.passwords.hash(asked.password) if asked.password else None

        def change() -> dict[str, Any]:
            user = parts.accounts.change(user_id, password_hash=hashed, role=asked.role, active=asked.active)
            return user.public()

        changed = await thread(change)
        parts.resolver.forget()
        return changed

    @routes.delete("/{user_id}", status_code=204)
    async def remove_user(user_id: str, _: Identity = Depends(owner_of)) -> Response:
        """Remove an account with its keys."""
        await thread(parts.accounts.remove, user_id)
        await parts.keeper.forget(user_id)
        parts.resolver.forget()
        return Response(status_code=204)

    return routes
