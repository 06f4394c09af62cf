"""OpenAI's Conversations: items that stay together, and are read by every response asked for in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from svc_chat.domain.items import new_id, with_ids
from svc_chat.domain.responses import ResponseService
from svc_chat.engine.history import Conversation, Conversations, Item, Listing, Page


class ConversationService:
    """Keeps conversations. Everything is looked for among the owner's own; all calls raise NotFound."""

    def __init__(self, store: Conversations, responses: ResponseService):
        self._store, self._responses = store, responses

    async def create(
        self, owner: str, metadata: Mapping[str, str], items: Sequence[Mapping[str, Any]]
    ) -> Conversation:
        """Keep a new conversation."""
        conversation = Conversation(new_id("conv"), metadata, created_at=time.time())
        await asyncio.to_thread(self._store.add, owner, conversation, with_ids(items))
        return await self.get(owner, conversation.id)

    async def get(self, owner: str, conversation_id: str) -> Conversation:
        """Return one."""
        return await asyncio.to_thread(self._store.get, owner, conversation_id)

    async def list(self, owner: str, page: Page) -> Listing[Conversation]:
        """List them by when something was last said."""
        return await asyncio.to_thread(self._store.list, owner, page)

    async def change(self, owner: str, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata."""
        return await asyncio.to_thread(self._store.change, owner, conversation_id, metadata)

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Remove a conversation with its items and responses; what is being written ends first."""
        await self._responses.end_in(owner, conversation_id)
        await asyncio.to_thread(self._store.delete, owner, conversation_id)

    async def add_items(
        self, owner: str, conversation_id: str, items: Sequence[Mapping[str, Any]]
    ) -> Sequence[Item]:
        """Add items at the end and return them; raises ConversationLocked."""
        added = with_ids(items)
        await asyncio.to_thread(self._store.add_items, owner, conversation_id, added)
        return added

    async def items(self, owner: str, conversation_id: str, page: Page) -> Listing[Item]:
        """List items by their place."""
        return await asyncio.to_thread(self._store.items, owner, conversation_id, page)

    async def item(self, owner: str, conversation_id: str, item_id: str) -> Item:
        """Return one item."""
        return await asyncio.to_thread(self._store.item, owner, conversation_id, item_id)

    async def delete_item(self, owner: str, conversation_id: str, item_id: str) -> Conversation:
        """Remove one item."""
        return await asyncio.to_thread(self._store.delete_item, owner, conversation_id, item_id)


def title(conversation: Conversation) -> str:
    """Return what a list shows: `title` of the metadata, or what the user said first."""
    return (conversation.metadata.get("title") or conversation.first_text)[:80]
