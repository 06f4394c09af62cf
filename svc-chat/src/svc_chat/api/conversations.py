"""`/v1/conversations`: OpenAI's Conversations API, and a list of them, newest first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator

from servicekit.auth import Identity, identity_of
from servicekit.errors import BadRequest
from svc_chat.api.items import plain, read_input
from svc_chat.api.pages import INCLUDED, Asked, listed
from svc_chat.api.response_schemas import Metadata
from svc_chat.domain.conversations import ConversationService, title
from svc_chat.engine.history import Conversation

Caller = Annotated[Identity, Depends(identity_of)]
ITEMS_AT_ONCE = 20


class ConversationBody(BaseModel):
    """`POST /v1/conversations`."""

    model_config = ConfigDict(extra="ignore")
    metadata: Metadata | None = None
    items: list[Any] | None = None

    _plain = model_validator(mode="before")(plain)


class ConversationChange(BaseModel):
    """`POST /v1/conversations/{id}`: the metadata is replaced as a whole."""

    model_config = ConfigDict(extra="ignore")
    metadata: Metadata | None = Field(...)


class NewItems(BaseModel):
    """`POST /v1/conversations/{id}/items`."""

    model_config = ConfigDict(extra="ignore")
    items: Annotated[list[Any], Field(min_length=1)]

    _plain = model_validator(mode="before")(plain)


def router(conversations: ConversationService) -> APIRouter:
    """Return the routes of conversations."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @routes.get("")
    async def list_conversations(caller: Caller, page: Asked) -> dict[str, Any]:
        """List the caller's conversations by when something was last said."""
        found = await conversations.list(caller.user_id, page)
        return listed([_wire(conversation) for conversation in found.rows], found.has_more)

    @routes.post("")
    async def create(body: ConversationBody, caller: Caller) -> dict[str, Any]:
        """Begin a conversation, perhaps with items."""
        items = _items(body.items or [])
        return _wire(await conversations.create(caller.user_id, body.metadata or {}, items))

    @routes.get("/{conversation_id}")
    async def get(conversation_id: str, caller: Caller) -> dict[str, Any]:
        """Give a conversation without its items."""
        return _wire(await conversations.get(caller.user_id, conversation_id))

    @routes.post("/{conversation_id}")
    async def change(conversation_id: str, body: ConversationChange, caller: Caller) -> dict[str, Any]:
        """Replace the metadata."""
        return _wire(await conversations.change(caller.user_id, conversation_id, body.metadata or {}))

    @routes.delete("/{conversation_id}")
    async def delete(conversation_id: str, caller: Caller) -> dict[str, Any]:
        """Remove a conversation with its items and responses."""
        await conversations.delete(caller.user_id, conversation_id)
        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}

    @routes.get("/{conversation_id}/items", dependencies=[INCLUDED])
    async def list_items(conversation_id: str, caller: Caller, page: Asked) -> dict[str, Any]:
        """List items by their place."""
        found = await conversations.items(caller.user_id, conversation_id, page)
        return listed(found.rows, found.has_more)

    @routes.post("/{conversation_id}/items", dependencies=[INCLUDED])
    async def add_items(conversation_id: str, body: NewItems, caller: Caller) -> dict[str, Any]:
        """Add items at the end."""
        return listed(await conversations.add_items(caller.user_id, conversation_id, _items(body.items)))

    @routes.get("/{conversation_id}/items/{item_id}")
    async def get_item(conversation_id: str, item_id: str, caller: Caller) -> dict[str, Any]:
        """Give one item."""
        return dict(await conversations.item(caller.user_id, conversation_id, item_id))

    @routes.delete("/{conversation_id}/items/{item_id}")
    async def delete_item(conversation_id: str, item_id: str, caller: Caller) -> dict[str, Any]:
        """Remove one item; gives the conversation."""
        return _wire(await conversations.delete_item(caller.user_id, conversation_id, item_id))

    return routes


def _items(given: list[Any]) -> tuple[dict[str, Any], ...]:
    if len(given) > ITEMS_AT_ONCE:
        raise BadRequest(
            f"'items' has {len(given)} items; {ITEMS_AT_ONCE} at most are added at a time. Send the rest next.",
            param="items",
        )
    return read_input(given, "items")


def _wire(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": dict(conversation.metadata),
        "title": title(conversation),
        "updated_at": int(conversation.updated_at),
        "response_in_progress": conversation.running,
    }
