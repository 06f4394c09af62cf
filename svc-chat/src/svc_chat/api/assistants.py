"""`/v1/assistants`: OpenAI's Assistants."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from svc_chat.api.assistant_schemas import AssistantBody, AssistantChange
from svc_chat.api.pages import AskedBothWays, listed
from svc_chat.domain.assistants.objects import shown
from svc_chat.domain.assistants.service import AssistantService

Caller = Annotated[Identity, Depends(identity_of)]


def router(assistants: AssistantService) -> APIRouter:
    """Return the routes of assistants."""
    routes = APIRouter(prefix="/v1/assistants", tags=["assistants"])

    @routes.post("")
    async def create(body: AssistantBody, request: Request, caller: Caller) -> dict[str, Any]:
        """Keep an assistant."""
        creating = assistants.create(caller.user_id, body.fields(), caller.bearer)
        return shown(await unless_disconnected(request, creating))

    @routes.get("")
    async def list_assistants(caller: Caller, page: AskedBothWays) -> dict[str, Any]:
        """List the caller's assistants, newest first."""
        found = await assistants.list(caller.user_id, page)
        return listed(shown(found.rows), found.has_more)

    @routes.get("/{assistant_id}")
    async def get(assistant_id: str, caller: Caller) -> dict[str, Any]:
        """Give one."""
        return shown(await assistants.get(caller.user_id, assistant_id))

    @routes.post("/{assistant_id}")
    async def change(
        assistant_id: str, body: AssistantChange, request: Request, caller: Caller
    ) -> dict[str, Any]:
        """Change the fields that are sent."""
        changing = assistants.change(caller.user_id, assistant_id, body.fields(), caller.bearer)
        return shown(await unless_disconnected(request, changing))

    @routes.delete("/{assistant_id}")
    async def delete(assistant_id: str, caller: Caller) -> dict[str, Any]:
        """Remove one; runs that it was asked for go on."""
        await assistants.delete(caller.user_id, assistant_id)
        return {"id": assistant_id, "object": "assistant.deleted", "deleted": True}

    return routes
