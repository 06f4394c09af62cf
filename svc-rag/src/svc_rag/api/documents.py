"""`/v1/documents`: taking in, listing, reading and deleting. The reading itself is a job."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from servicekit.asgi import from_validation
from servicekit.auth import Identity, identity_of
from servicekit.errors import InvalidBody, UnsupportedMedia
from servicekit.fetch import fetch
from servicekit.settings import ServiceSettings
from svc_rag.api.intake import Intake
from svc_rag.api.schemas import DocumentUrl, document_json

Caller = Annotated[Identity, Depends(identity_of)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


def router(
    intake: Intake,
    settings: ServiceSettings,
    max_bytes: int,
    fetch_timeout_s: float,
    forget: Callable[[str, str], int],
) -> APIRouter:
    """Return the routes of documents; `forget` takes a file of somebody's out of his vector stores."""
    routes = APIRouter(prefix="/v1/documents", tags=["documents"])
    library = intake.library

    @routes.post("", status_code=202, openapi_extra=_UPLOAD)
    async def add_document(request: Request, caller: Caller, idempotency_key: Key = None) -> JSONResponse:
        """Take in a file (multipart `file`) or a URL; answers with the job that reads it."""
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        source: BinaryIO
        if content_type == "multipart/form-data":
            async with request.form(max_files=1, max_fields=8, max_part_size=64 * 1024) as form:
                upload, title = form.get("file"), form.get("title")
                if not isinstance(upload, UploadFile):
                    raise InvalidBody("Send the document in the multipart field 'file'.", param="file")
                name, declared, source = upload.filename or "document", upload.content_type, upload.file
                given = title[:300] if isinstance(title, str) and title.strip() else None
                taken = await intake.add(caller.user_id, source, name, declared, given, idempotency_key)
        elif content_type == "application/json":
            body = _url_body(await request.body())
            got = await fetch(
                body.url,
                max_bytes=max_bytes,
                timeout_s=fetch_timeout_s,
                allow_hosts=settings.fetch_allow_hosts,
            )
            name = (
                "document" if body.url[:5].lower() == "data:" else got.final_url.split("?")[0].split("#")[0]
            )
            source = io.BytesIO(got.content)
            taken = await intake.add(
                caller.user_id, source, name, got.media_type, body.title, idempotency_key
            )
        else:
            raise UnsupportedMedia("Send multipart/form-data with a field 'file', or JSON with 'url'.")
        job, document_id = taken
        return JSONResponse(job | {"document_id": document_id}, 202, {"Location": f"/v1/jobs/{job['id']}"})

    @routes.get("")
    async def list_documents(caller: Caller) -> dict[str, Any]:
        """List your documents, newest first."""
        found = await asyncio.to_thread(library.list, caller.user_id)
        return {"object": "list", "data": [document_json(document) for document in found]}

    @routes.delete("")
    async def delete_of_file(
        file_id: Annotated[str, Query(min_length=1, max_length=200)], caller: Caller
    ) -> dict[str, Any]:
        """Take a file of `/v1/files` out of all of the caller's vector stores."""
        gone = await asyncio.to_thread(forget, caller.user_id, file_id)
        return {"object": "list.deleted", "file_id": file_id, "deleted": gone}

    @routes.get("/{document_id}")
    async def get_document(document_id: str, caller: Caller) -> dict[str, Any]:
        """Look at one document."""
        return document_json(await asyncio.to_thread(library.get, document_id, caller.user_id))

    @routes.get("/{document_id}/text")
    async def get_text(document_id: str, caller: Caller) -> dict[str, Any]:
        """Read the text that citations point into."""
        text, pages = await asyncio.to_thread(library.text, document_id, caller.user_id)
        return {"text": text, "pages": [{"page": p.page, "start": p.start, "end": p.end} for p in pages]}

    @routes.delete("/{document_id}")
    async def delete_document(document_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a document with its file, text, chunks and vectors."""
        await intake.remove(document_id, caller.user_id)
        return {"id": document_id, "object": "document", "deleted": True}

    return routes


def _url_body(raw: bytes) -> DocumentUrl:
    try:
        return DocumentUrl.model_validate_json(raw)
    except ValidationError as exc:
        problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in exc.errors()]
        if any(problem["type"] == "json_invalid" for problem in problems):
            raise InvalidBody("The body is not valid JSON.") from exc
        raise from_validation(problems, "application/json") from exc


_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "title": {"type": "string"},
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["url"],
                    "properties": {"url": {"type": "string"}, "title": {"type": "string"}},
                }
            },
        },
    }
}
