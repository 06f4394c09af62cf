"""`/v1/personas`: who the model may speak as; import and export of `{"personas": […]}`."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from servicekit.auth import Identity, identity_of
from svc_chat.api.schemas import PersonaBody, PersonaChange, PersonaImport
from svc_chat.engine.base import Persona, Records

Caller = Annotated[Identity, Depends(identity_of)]


def router(records: Records) -> APIRouter:
    """Return the routes of personas."""
    routes = APIRouter(prefix="/v1/personas", tags=["personas"])

    @routes.get("")
    async def list_personas(caller: Caller) -> dict[str, Any]:
        """List the caller's personas."""
        kept = await asyncio.to_thread(records.personas, caller.user_id)
        return {"object": "list", "data": [_wire(persona) for persona in kept]}

    @routes.post("", status_code=201)
    async def add_persona(body: PersonaBody, caller: Caller) -> dict[str, Any]:
        """Keep a persona."""
        persona = Persona(body.name, body.description, body.instructions)
        return _wire(await asyncio.to_thread(records.add_persona, caller.user_id, persona))

    @routes.post("/import", status_code=201)
    async def import_personas(body: PersonaImport, caller: Caller) -> dict[str, Any]:
        """Keep every persona of `{"personas": [{"name", "description"}]}`."""
        kept = []
        for item in body.personas:
            persona = Persona(item.name, item.description, item.instructions)
            kept.append(await asyncio.to_thread(records.add_persona, caller.user_id, persona))
        return {"object": "list", "data": [_wire(persona) for persona in kept]}

    @routes.get("/export")
    async def export_personas(caller: Caller) -> dict[str, Any]:
        """Give all personas as `{"personas": […]}`, ready to import elsewhere."""
        kept = await asyncio.to_thread(records.personas, caller.user_id)
        fields = ("name", "description", "instructions")
        return {"personas": [{name: getattr(persona, name) for name in fields} for persona in kept]}

    @routes.get("/{persona_id}")
    async def get_persona(persona_id: str, caller: Caller) -> dict[str, Any]:
        """Give one persona."""
        return _wire(await asyncio.to_thread(records.persona, caller.user_id, persona_id))

    @routes.patch("/{persona_id}")
    async def change_persona(persona_id: str, body: PersonaChange, caller: Caller) -> dict[str, Any]:
        """Change fields of a persona."""
        changes = body.model_dump(exclude_none=True)
        return _wire(await asyncio.to_thread(records.change_persona, caller.user_id, persona_id, changes))

    @routes.delete("/{persona_id}")
    async def delete_persona(persona_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a persona."""
        await asyncio.to_thread(records.delete_persona, caller.user_id, persona_id)
        return {"id": persona_id, "object": "persona.deleted", "deleted": True}

    return routes


def _wire(persona: Persona) -> dict[str, Any]:
    return {**persona.as_dict(), "object": "persona"}
