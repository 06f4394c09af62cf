"""Conversations and their items in SQL."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, and_, func, or_, select
from sqlalchemy.engine import Engine as Database

from servicekit.errors import NotFound
from svc_chat.engine.database import forget_deleted, reading, writing
from svc_chat.engine.history import UNFINISHED, Conversation, Item, Listing, Page
from svc_chat.engine.tables import CONVERSATIONS, ITEMS, RESPONSES
from svc_chat.errors import ConversationLocked

_RUNNING = (
    select(RESPONSES.c.id)
    .where(RESPONSES.c.conversation_id == CONVERSATIONS.c.id, RESPONSES.c.status.in_(UNFINISHED))
    .limit(1)
    .scalar_subquery()
    .label("running")
)


class SqlConversations:
    """Keeps conversations. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(self, owner: str, conversation: Conversation, items: Sequence[Item]) -> None:
        """Keep a new conversation."""
        row = {
            "id": conversation.id,
            "owner": owner,
            "metadata": dump(conversation.metadata),
            "first_text": "",
            "created_at": conversation.created_at,
            "updated_at": conversation.created_at,
        }
        with writing(self._database) as connection:
            connection.execute(CONVERSATIONS.insert().values(row))
            insert_items(connection, conversation.id, items)

    def get(self, owner: str, conversation_id: str) -> Conversation:
        """Return one; raises NotFound."""
        with reading(self._database) as connection:
            return _found(connection, owner, conversation_id)

    def list(self, owner: str, page: Page) -> Listing[Conversation]:
        """List the owner's, by when something was last added; raises NotFound for an unknown `after`."""
        key, own = (CONVERSATIONS.c.updated_at, CONVERSATIONS.c.id), CONVERSATIONS.c.owner == owner
        query = select(CONVERSATIONS, _RUNNING).where(own)
        with reading(self._database) as connection:
            if page.after is not None:
                last = _found(connection, owner, page.after)
                query = query.where(_beyond(key, (last.updated_at, last.id), page.newest_first))
            order = [column.desc() if page.newest_first else column.asc() for column in key]
            rows = connection.execute(query.order_by(*order).limit(page.limit + 1)).all()
        return Listing(tuple(map(_conversation, rows[: page.limit])), len(rows) > page.limit)

    def change(self, owner: str, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata; raises NotFound."""
        with writing(self._database) as connection:
            _found(connection, owner, conversation_id)
            where = CONVERSATIONS.c.id == conversation_id
            connection.execute(CONVERSATIONS.update().where(where).values(metadata=dump(metadata)))
            return _found(connection, owner, conversation_id)

    def delete(self, owner: str, conversation_id: str) -> None:
        """Remove it with its items and responses; raises NotFound."""
        with writing(self._database) as connection:
            _found(connection, owner, conversation_id)
            connection.execute(CONVERSATIONS.delete().where(CONVERSATIONS.c.id == conversation_id))
        forget_deleted(self._database)

    def add_items(self, owner: str, conversation_id: str, items: Sequence[Item]) -> None:
        """Add items at the end; raises NotFound, ConversationLocked."""
        with writing(self._database) as connection:
            running = _found(connection, owner, conversation_id).running
            if running is not None:
                raise ConversationLocked(conversation_id, running)
            insert_items(connection, conversation_id, items)

    def items(self, owner: str, conversation_id: str, page: Page) -> Listing[Item]:
        """List items by their place; raises NotFound."""
        query = select(ITEMS.c.body, ITEMS.c.response_id).where(ITEMS.c.conversation_id == conversation_id)
        place = ITEMS.c.position
        with reading(self._database) as connection:
            _found(connection, owner, conversation_id)
            if page.after is not None:
                last = _item(connection, conversation_id, page.after).position
                query = query.where(place < last if page.newest_first else place > last)
            order = place.desc() if page.newest_first else place.asc()
            rows = connection.execute(query.order_by(order).limit(page.limit + 1)).all()
        return Listing(
            tuple(_told(row.body, row.response_id) for row in rows[: page.limit]), len(rows) > page.limit
        )

    def all_items(self, owner: str, conversation_id: str) -> Sequence[Item]:
        """Return all items, oldest first; raises NotFound."""
        query = select(ITEMS.c.body).where(ITEMS.c.conversation_id == conversation_id)
        with reading(self._database) as connection:
            _found(connection, owner, conversation_id)
            return [
                orjson.loads(body) for body in connection.execute(query.order_by(ITEMS.c.position)).scalars()
            ]

    def item(self, owner: str, conversation_id: str, item_id: str) -> Item:
        """Return one item; raises NotFound."""
        with reading(self._database) as connection:
            _found(connection, owner, conversation_id)
            row = _item(connection, conversation_id, item_id)
            return _told(row.body, row.response_id)

    def delete_item(self, owner: str, conversation_id: str, item_id: str) -> Conversation:
        """Remove one item and return the conversation; raises NotFound."""
        with writing(self._database) as connection:
            conversation = _found(connection, owner, conversation_id)
            _item(connection, conversation_id, item_id)
            connection.execute(ITEMS.delete().where(ITEMS.c.id == item_id))
            retitle(connection, conversation_id)
        forget_deleted(self._database)
        return conversation


def insert_items(
    connection: Connection, conversation_id: str, items: Sequence[Item], response_id: str | None = None
) -> None:
    """Add items at the end of a conversation, inside a transaction that writes."""
    if not items:
        return
    now = time.time()
    this = CONVERSATIONS.c.id == conversation_id
    connection.execute(select(CONVERSATIONS.c.id).where(this).with_for_update())  # one adds at a time
    mine = ITEMS.c.conversation_id == conversation_id
    last = connection.execute(select(func.max(ITEMS.c.position)).where(mine)).scalar()
    rows = [
        {
            "id": item["id"],
            "conversation_id": conversation_id,
            "position": (0 if last is None else last + 1) + index,
            "response_id": response_id,
            "body": dump(item),
            "created_at": now,
        }
        for index, item in enumerate(items)
    ]
    connection.execute(ITEMS.insert(), rows)
    first = next((text for item in items if (text := user_text(item))), "")
    connection.execute(CONVERSATIONS.update().where(this).values(updated_at=now))
    if first:
        untitled = and_(this, CONVERSATIONS.c.first_text == "")
        connection.execute(CONVERSATIONS.update().where(untitled).values(first_text=first[:200]))


def user_text(item: Item) -> str:
    """Return what the user wrote in an item, empty for all other items."""
    if item.get("type") != "message" or item.get("role") != "user":
        return ""
    texts = (part.get("text", "") for part in item["content"] if part.get("type") == "input_text")
    return " ".join(" ".join(texts).replace("\0", "").split())


def retitle(connection: Connection, conversation_id: str) -> None:
    """Find the first thing that the user wrote again, after items were removed."""
    query = select(ITEMS.c.body).where(ITEMS.c.conversation_id == conversation_id).order_by(ITEMS.c.position)
    bodies = connection.execute(query).scalars()
    first = next((text for body in bodies if (text := user_text(orjson.loads(body)))), "")
    this = CONVERSATIONS.c.id == conversation_id
    connection.execute(CONVERSATIONS.update().where(this).values(first_text=first[:200]))


def _found(connection: Connection, owner: str, conversation_id: str) -> Conversation:
    query = select(CONVERSATIONS, _RUNNING).where(
        CONVERSATIONS.c.id == conversation_id, CONVERSATIONS.c.owner == owner
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(
            f"There is no conversation '{conversation_id[:80]}'. GET /v1/conversations lists yours.",
            param="conversation",
        )
    return _conversation(row)


def _item(connection: Connection, conversation_id: str, item_id: str) -> Row[Any]:
    row = connection.execute(
        select(ITEMS).where(ITEMS.c.id == item_id, ITEMS.c.conversation_id == conversation_id)
    ).first()
    if row is None:
        raise NotFound(
            f"There is no item '{item_id[:80]}' in this conversation. "
            "GET /v1/conversations/{id}/items lists them.",
            param="item_id",
        )
    return row


def _told(body: str, response_id: str | None) -> Item:
    return {**orjson.loads(body), "response_id": response_id}


def _conversation(row: Row[Any]) -> Conversation:
    return Conversation(
        row.id,
        orjson.loads(row._mapping["metadata"]),
        row.first_text,
        row.created_at,
        row.updated_at,
        row.running,
    )


def _beyond(key: tuple[Any, Any], last: tuple[float, str], newest_first: bool) -> Any:
    (time_, id_), (at, id_value) = key, last
    if newest_first:
        return or_(time_ < at, and_(time_ == at, id_ < id_value))
    return or_(time_ > at, and_(time_ == at, id_ > id_value))


def dump(value: Any) -> str:
    """Return JSON that any database's text column takes: it is all ASCII."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
