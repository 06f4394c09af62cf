"""`/v1/sessions/{id}/files`: put files into a session, list them, take them out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from svc_code.api.schemas import file_as_dict, media_type
from svc_code.api.sessions import Caller, SessionId
from svc_code.domain.sessions import Sessions
from svc_code.engine.names import checked

PART = 128 * 1024
"""Bytes that are sent into the sandbox at once."""


def router(sessions: Sessions) -> APIRouter:
    """Make the routes. Names of files may hold slashes."""
    routes = APIRouter(tags=["files"])

    @routes.get("/v1/sessions/{id}/files")
    async def list_files(id: SessionId, caller: Caller) -> dict[str, Any]:
        """List the files of a session."""
        found = await sessions.files(caller.user_id, id)
        return {"object": "list", "data": [file_as_dict(file) for file in found]}

    @routes.put("/v1/sessions/{id}/files/{name:path}", status_code=201)
    async def upload(id: SessionId, name: str, request: Request, caller: Caller) -> dict[str, Any]:
        """Store the request's body under `name`, whole or not at all; the session is made when there is none."""
        return file_as_dict(await sessions.upload(caller.user_id, id, name, _parts(request)))

    @routes.get("/v1/sessions/{id}/files/{name:path}")
    async def download(id: SessionId, name: str, caller: Caller) -> StreamingResponse:
        """Give the file's bytes."""
        file, parts = await sessions.download(caller.user_id, id, checked(name))
        last = file.name.rsplit("/", 1)[-1]
        headers = {
            "Content-Length": str(file.size),
            # written by code that nobody has read: saved, not shown, and shown without rights
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(last, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
        }
        return StreamingResponse(parts, media_type=media_type(file.name), headers=headers)

    @routes.delete("/v1/sessions/{id}/files/{name:path}", status_code=204)
    async def delete(id: SessionId, name: str, caller: Caller) -> Response:
        """Delete a file."""
        await sessions.delete(caller.user_id, id, name)
        return Response(status_code=204)

    return routes


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """Cut the body, as it comes, into parts that fit one frame."""
    async for chunk in request.stream():
        for start in range(0, len(chunk), PART):
            yield chunk[start : start + PART]
