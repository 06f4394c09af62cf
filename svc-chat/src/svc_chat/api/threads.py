"""`/v1/threads` and their messages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from servicekit.auth import Identity, identity_of
from servicekit.disconnect import unless_disconnected
from svc_chat.api.pages import AskedBothWays, listed
from svc_chat.api.thread_schemas import MessageBody, MessageChange, ThreadBody, ThreadFields
from svc_chat.domain.assistants.objects import shown
from svc_chat.domain.assistants.runs import RunService
from svc_chat.domain.assistants.service import ThreadService

Caller = Annotated[Identity, Depends(identity_of)]


def router(threads: ThreadService, runs: RunService) -> APIRouter:
    """Return the routes of threads; those of runs stand before them."""
    routes = APIRouter(prefix="/v1/threads", tags=["threads"])

    @routes.post("")
    async def create(request: Request, caller: Caller, body: ThreadBody | None = None) -> dict[str, Any]:
        """Begin a thread, perhaps with messages."""
        body = body or ThreadBody()
        creating = threads.create(caller.user_id, body.fields(), body.first(), caller.bearer)
        return shown(await unless_disconnected(request, creating))

    @routes.get("")
    async def list_threads(caller: Caller, page: AskedBothWays) -> dict[str, Any]:
        """List your threads, newest first; OpenAI's API has no such call."""
        found = await threads.listing(caller.user_id, page)
        return listed(shown(found.rows), found.has_more)

    @routes.get("/{thread_id}")
    async def get(thread_id: str, caller: Caller) -> dict[str, Any]:
        """Give a thread without its messages."""
        return shown(await threads.get(caller.user_id, thread_id))

    @routes.post("/{thread_id}")
    async def change(thread_id: str, body: ThreadFields, request: Request, caller: Caller) -> dict[str, Any]:
        """Change the metadata or the files of its tools."""
        changing = threads.change(caller.user_id, thread_id, body.fields(), caller.bearer)
        return shown(await unless_disconnected(request, changing))

    @routes.delete("/{thread_id}")
    async def delete(thread_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a thread with its messages and runs; the one that is active ends."""
        await threads.delete(caller.user_id, thread_id, caller.bearer, runs.end_in)
        return {"id": thread_id, "object": "thread.deleted", "deleted": True}

    _add_messages(routes, threads)
    return routes


def _add_messages(routes: APIRouter, threads: ThreadService) -> None:
    @routes.post("/{thread_id}/messages")
    async def add_message(
        thread_id: str, body: MessageBody, request: Request, caller: Caller
    ) -> dict[str, Any]:
        """Add a message at the end."""
        adding = threads.add_message(caller.user_id, thread_id, body.fields(), caller.bearer)
        return shown(await unless_disconnected(request, adding))

    @routes.get("/{thread_id}/messages")
    async def list_messages(
        thread_id: str,
        caller: Caller,
        page: AskedBothWays,
        run_id: Annotated[str | None, Query(max_length=200)] = None,
    ) -> dict[str, Any]:
        """List messages, newest first."""
        found = await threads.messages(caller.user_id, thread_id, page, run_id)
        return listed(shown(found.rows), found.has_more)

    @routes.get("/{thread_id}/messages/{message_id}")
    async def get_message(thread_id: str, message_id: str, caller: Caller) -> dict[str, Any]:
        """Give one message."""
        return shown(await threads.message(caller.user_id, thread_id, message_id))

    @routes.post("/{thread_id}/messages/{message_id}")
    async def change_message(
        thread_id: str, message_id: str, body: MessageChange, caller: Caller
    ) -> dict[str, Any]:
        """Replace a message's metadata."""
        metadata = body.metadata or {}
        return shown(await threads.change_message(caller.user_id, thread_id, message_id, metadata))

    @routes.delete("/{thread_id}/messages/{message_id}")
    async def delete_message(thread_id: str, message_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a message."""
        await threads.delete_message(caller.user_id, thread_id, message_id)
        return {"id": message_id, "object": "thread.message.deleted", "deleted": True}
