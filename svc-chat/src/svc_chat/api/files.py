"""`/v1/files`: OpenAI's Files. What is kept belongs to its caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import FileResponse

from servicekit.auth import Identity, identity_of
from servicekit.errors import BadRequest, NotFound
from svc_chat.api.pages import listed
from svc_chat.api.uploads import received
from svc_chat.domain.files import MAX_LIFE_S, MIN_LIFE_S, PURPOSES, UPLOADABLE, FileService
from svc_chat.engine.history import Page
from svc_chat.engine.kept_files import KeptFile

Caller = Annotated[Identity, Depends(identity_of)]
_SAFE = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "private, no-store"}
"""Headers of content that somebody else made: a browser that shows it runs nothing of it."""
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": list(UPLOADABLE)},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer"},
                    },
                }
            }
        },
    }
}


def _page(
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    after: Annotated[str | None, Query(max_length=200)] = None,
    order: Literal["asc", "desc"] = "desc",
) -> Page:
    """Read which part of the list is asked for."""
    return Page(limit, after, order == "desc")


def router(files: FileService) -> APIRouter:
    """Return the routes of files."""
    routes = APIRouter(prefix="/v1/files", tags=["files"])

    @routes.post("", openapi_extra=_FORM)
    async def create(request: Request, caller: Caller) -> dict[str, Any]:
        """Keep a file (multipart `file` and `purpose`)."""
        async with files.receiving(caller.user_id) as receiving:
            filename, fields = await received(request, receiving.write)
            purpose, life_s = _purpose(fields.get("purpose")), _life(fields)
            return file_json(await receiving.keep(filename, purpose, life_s))

    @routes.get("")
    async def list_files(
        caller: Caller,
        page: Annotated[Page, Depends(_page)],
        purpose: Annotated[str | None, Query(max_length=40)] = None,
    ) -> dict[str, Any]:
        """List the caller's files, newest first."""
        if purpose is not None and purpose not in PURPOSES:
            raise BadRequest(f"'purpose' is '{purpose}'; it can be {', '.join(PURPOSES)}.", param="purpose")
        found = await files.list(caller.user_id, page, purpose)
        return listed([file_json(file) for file in found.rows], found.has_more)

    @routes.get("/{file_id}")
    async def get(file_id: str, caller: Caller) -> dict[str, Any]:
        """Look at one file."""
        return file_json(await files.get(caller.user_id, file_id))

    @routes.get("/{file_id}/content", response_class=FileResponse)
    async def content(
        file_id: str, caller: Caller, x_oficina_index: Annotated[str | None, Header()] = None
    ) -> FileResponse:
        """Give the content; svc-rag says by a header that it makes the text findable."""
        for_index = x_oficina_index is not None
        file, path = await files.content(caller.user_id, file_id, for_index=for_index)
        if not path.is_file():  # deleted between the two looks
            raise NotFound(f"No such File object: {file_id[:80]}.", param="file_id")
        headers = {**_SAFE, "etag": f'"{file.sha256}"'}
        return FileResponse(path, 200, headers, "application/octet-stream", filename=file.filename)

    @routes.delete("/{file_id}")
    async def delete(file_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a file with its content and what was made findable of it."""
        await files.delete(caller.user_id, file_id, caller.bearer)
        return {"id": file_id, "object": "file", "deleted": True}

    return routes


def file_json(file: KeptFile) -> dict[str, Any]:
    """Return a file as the API shows it; `sha256` is our own."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        "expires_at": None if file.expires_at is None else int(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
        "sha256": file.sha256,
    }


def _purpose(given: str | None) -> str:
    if given not in UPLOADABLE:
        told = "is missing" if given is None else f"is '{given[:40]}'"
        raise BadRequest(f"'purpose' {told}; it can be {', '.join(UPLOADABLE)}.", param="purpose")
    return given


def _life(fields: Mapping[str, str]) -> int | None:
    """Return the seconds that a file is kept, None for ever."""
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise BadRequest("'expires_after[anchor]' must be 'created_at'.", param="expires_after.anchor")
    if seconds is None or not seconds.isdecimal() or not MIN_LIFE_S <= int(seconds[:12]) <= MAX_LIFE_S:
        raise BadRequest(
            f"'expires_after[seconds]' is '{str(seconds)[:20]}'; it can be {MIN_LIFE_S} to {MAX_LIFE_S}.",
            param="expires_after.seconds",
        )
    return int(seconds)
