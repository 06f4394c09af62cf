"""`/v1/vector_stores`: OpenAI's vector stores, over the files that svc-chat keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from servicekit.auth import Identity, identity_of
from servicekit.errors import NotFound
from svc_rag.api.vector_schemas import (
    BatchBody,
    FileBody,
    FileChange,
    StoreBody,
    StoreChange,
    StoreSearch,
    batch_json,
    file_json,
    file_status,
    hit_json,
    store_json,
)  # fmt: skip
from svc_rag.domain.chunking import ChunkSizes
from svc_rag.domain.vector_stores import VectorStoreService
from svc_rag.engine.vector_base import Cursor, StoreFile, VectorStore
from svc_rag.engine.vector_record import paged

Caller = Annotated[Identity, Depends(identity_of)]
Status = Annotated[Literal["in_progress", "completed", "failed", "cancelled"] | None, Query(alias="filter")]


def _cursor(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=200)] = None,
    before: Annotated[str | None, Query(max_length=200)] = None,
    order: Literal["asc", "desc"] = "desc",
) -> Cursor:
    """Read which part of a list is asked for."""
    return Cursor(limit, after, before, order == "desc")


Asked = Annotated[Cursor, Depends(_cursor)]


def router(stores: VectorStoreService, usual: ChunkSizes) -> APIRouter:
    """Return the routes of vector stores."""
    routes = APIRouter(prefix="/v1/vector_stores", tags=["vector stores"])
    _add_stores(routes, stores)
    _add_files(routes, stores, usual)
    _add_batches(routes, stores, usual)
    return routes


def _add_stores(routes: APIRouter, stores: VectorStoreService) -> None:
    async def told(store: VectorStore, owner: str) -> dict[str, Any]:
        return store_json(store, await asyncio.to_thread(stores.files, owner, store.id))

    @routes.post("")
    async def create(caller: Caller, body: StoreBody | None = None) -> dict[str, Any]:
        """Make a store, perhaps with files."""
        body = body or StoreBody()
        fields = {"name": "", **body.fields()}
        made = await asyncio.to_thread(stores.create, caller.user_id, fields, body.files(), caller.bearer)
        return await told(made, caller.user_id)

    @routes.get("")
    async def list_stores(caller: Caller, page: Asked) -> dict[str, Any]:
        """List the caller's stores, newest first."""
        found, more = await asyncio.to_thread(stores.list, caller.user_id, page)
        return _listed([await told(store, caller.user_id) for store in found], more)

    @routes.get("/{store_id}")
    async def get(store_id: str, caller: Caller) -> dict[str, Any]:
        """Give one."""
        return await told(await asyncio.to_thread(stores.get, caller.user_id, store_id), caller.user_id)

    @routes.post("/{store_id}")
    async def change(store_id: str, body: StoreChange, caller: Caller) -> dict[str, Any]:
        """Change the fields that are sent."""
        changed = await asyncio.to_thread(stores.change, caller.user_id, store_id, body.fields())
        return await told(changed, caller.user_id)

    @routes.delete("/{store_id}")
    async def delete(store_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a store with the text of its files."""
        await asyncio.to_thread(stores.delete, caller.user_id, store_id)
        return {"id": store_id, "object": "vector_store.deleted", "deleted": True}

    @routes.post("/{store_id}/search")
    async def search(store_id: str, body: StoreSearch, caller: Caller) -> dict[str, Any]:
        """Find passages."""
        threshold = body.ranking_options.score_threshold if body.ranking_options else 0.0
        hits = await asyncio.to_thread(
            stores.search, caller.user_id, store_id, body.queries(), body.max_num_results, threshold, body.filters
        )  # fmt: skip
        return {
            "object": "vector_store.search_results.page",
            "search_query": body.queries(),
            "data": [hit_json(hit) for hit in hits],
            "has_more": False,
            "next_page": None,
        }


def _add_files(routes: APIRouter, stores: VectorStoreService, usual: ChunkSizes) -> None:
    @routes.post("/{store_id}/files")
    async def add_file(store_id: str, body: FileBody, caller: Caller) -> dict[str, Any]:
        """Add a file of the caller's."""
        (file,) = await asyncio.to_thread(
            stores.add_files, caller.user_id, store_id, [body.file()], caller.bearer
        )
        return file_json(file, usual)

    @routes.get("/{store_id}/files")
    async def list_files(store_id: str, caller: Caller, page: Asked, status: Status = None) -> dict[str, Any]:
        """List the files of a store, newest first."""
        found = await asyncio.to_thread(stores.files, caller.user_id, store_id)
        return _files(found, page, status, usual)

    @routes.get("/{store_id}/files/{file_id}")
    async def get_file(store_id: str, file_id: str, caller: Caller) -> dict[str, Any]:
        """Give one file."""
        return file_json(await asyncio.to_thread(stores.file, caller.user_id, store_id, file_id), usual)

    @routes.post("/{store_id}/files/{file_id}")
    async def change_file(store_id: str, file_id: str, body: FileChange, caller: Caller) -> dict[str, Any]:
        """Replace a file's attributes."""
        attributes = body.attributes or {}
        found = await asyncio.to_thread(stores.change_file, caller.user_id, store_id, file_id, attributes)
        return file_json(found, usual)

    @routes.get("/{store_id}/files/{file_id}/content")
    async def content(store_id: str, file_id: str, caller: Caller) -> dict[str, Any]:
        """Give the text that was read of a file."""
        text = await asyncio.to_thread(stores.text, caller.user_id, store_id, file_id)
        page = {"object": "vector_store.file_content.page", "has_more": False, "next_page": None}
        return {**page, "data": [{"type": "text", "text": text}]}

    @routes.delete("/{store_id}/files/{file_id}")
    async def remove_file(store_id: str, file_id: str, caller: Caller) -> dict[str, Any]:
        """Take a file out of a store; the file itself stays."""
        await asyncio.to_thread(stores.remove_file, caller.user_id, store_id, file_id)
        return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}


def _add_batches(routes: APIRouter, stores: VectorStoreService, usual: ChunkSizes) -> None:
    @routes.post("/{store_id}/file_batches")
    async def add_batch(store_id: str, body: BatchBody, caller: Caller) -> dict[str, Any]:
        """Add several files."""
        made = await asyncio.to_thread(stores.add_batch, caller.user_id, store_id, body.all(), caller.bearer)
        return batch_json(made, await asyncio.to_thread(stores.files, caller.user_id, store_id, made.id))

    @routes.get("/{store_id}/file_batches/{batch_id}")
    async def get_batch(store_id: str, batch_id: str, caller: Caller) -> dict[str, Any]:
        """Look at a batch."""
        found = await asyncio.to_thread(stores.batch, caller.user_id, store_id, batch_id)
        return batch_json(found, await asyncio.to_thread(stores.files, caller.user_id, store_id, batch_id))

    @routes.post("/{store_id}/file_batches/{batch_id}/cancel")
    async def cancel_batch(store_id: str, batch_id: str, caller: Caller) -> dict[str, Any]:
        """Stop reading what is not read yet."""
        found = await asyncio.to_thread(stores.cancel_batch, caller.user_id, store_id, batch_id)
        return batch_json(found, await asyncio.to_thread(stores.files, caller.user_id, store_id, batch_id))

    @routes.get("/{store_id}/file_batches/{batch_id}/files")
    async def batch_files(
        store_id: str, batch_id: str, caller: Caller, page: Asked, status: Status = None
    ) -> dict[str, Any]:
        """List the files of a batch, newest first."""
        await asyncio.to_thread(stores.batch, caller.user_id, store_id, batch_id)
        found = await asyncio.to_thread(stores.files, caller.user_id, store_id, batch_id)
        return _files(found, page, status, usual)


def _files(found: Sequence[StoreFile], page: Cursor, status: str | None, usual: ChunkSizes) -> dict[str, Any]:
    wanted = [file for file in found if status in (None, file_status(file))]
    part = paged(wanted, lambda file: file.file_id, page)
    if part is None:
        raise NotFound(
            f"There is no file '{str(page.after or page.before)[:80]}' in this list.", param="after"
        )
    return _listed([file_json(file, usual) for file in part[0]], part[1])


def _listed(rows: Sequence[dict[str, Any]], more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(rows),
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": more,
    }
