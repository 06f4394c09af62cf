"""HTTP routes for kept media (FastAPI): the owner reads, by ranges if wanted, and deletes."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from servicekit.auth import Identity, identity_of
from servicekit.media.store import MediaItem, MediaStore
from servicekit.signed import PARAMETER

#: Nothing in a kept file is ever run or interpreted as something else.
_SAFE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
Caller = Annotated[Identity, Depends(identity_of)]


def headers_for(query: Container[str]) -> dict[str, str]:
    """Give the headers of a file; who reads it by a permission in the `query` keeps nothing that outlives that one."""
    keep = "private, no-store" if PARAMETER in query else "private, max-age=86400"
    return _SAFE_HEADERS | {"Cache-Control": keep}


def download_name(item: MediaItem) -> str:
    """Give the file name that a browser proposes."""
    return item.name or item.path.name


def router(store: MediaStore) -> APIRouter:
    """Make `GET` and `DELETE /media/{id}` for `store`."""
    routes = APIRouter(tags=["media"])

    @routes.head("/media/{item_id}", include_in_schema=False)
    @routes.get("/media/{item_id}", response_class=FileResponse)
    async def read_media(item_id: str, request: Request, caller: Caller) -> FileResponse:
        """Read a picture or audio; Range requests are answered with 206."""
        item = await asyncio.to_thread(store.open, item_id, caller.user_id)
        return FileResponse(
            item.path,
            media_type=item.media_type,
            headers=headers_for(request.query_params),
            filename=download_name(item),
            content_disposition_type="inline",
        )

    @routes.delete("/media/{item_id}", status_code=204)
    async def delete_media(item_id: str, caller: Caller) -> Response:
        """Remove a picture or audio for good."""
        await asyncio.to_thread(store.delete, item_id, caller.user_id)
        return Response(status_code=204)

    return routes
