"""The jobs of all services as one list. A single job is forwarded by the edge: its id names the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from gateway.parts import Parts
from servicekit.auth import Identity, identity_of
from servicekit.errors import NotFound


def router(parts: Parts) -> APIRouter:
    """Make the routes of `/v1/jobs`."""
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"])

    @routes.get("")
    async def list_jobs(caller: Identity = Depends(identity_of)) -> dict[str, Any]:
        """List the caller's jobs, newest first; `missing` names services that could not be asked."""
        jobs, missing = await parts.catalogue.jobs(caller)
        return {"object": "list", "data": jobs, "missing": missing}

    @routes.get("/{rest:path}", include_in_schema=False)
    @routes.delete("/{rest:path}", include_in_schema=False)
    async def unknown(rest: str) -> None:
        """Refuse ids that no service gave out."""
        raise NotFound(f"There is no job '{rest[:80]}'. GET /v1/jobs lists yours.")

    return routes
