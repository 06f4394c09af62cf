"""Assistants, threads and their messages in SQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Table, func, select
from sqlalchemy.engine import Engine as Database

from servicekit.errors import NotFound
from svc_chat.engine.database import forget_deleted, reading, writing
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.paging import paged
from svc_chat.engine.store_conversations import dump
from svc_chat.engine.tables import ASSISTANTS, MESSAGES, RUNS, THREADS
from svc_chat.engine.threads import ACTIVE, Body
from svc_chat.errors import ThreadLocked

Change = Callable[[Body], Body]


class SqlAssistants:
    """Keeps assistants. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(self, owner: str, body: Body) -> None:
        """Keep a new one."""
        row = {"id": body["id"], "owner": owner, "body": dump(body), "created_at": time.time()}
        with writing(self._database) as connection:
            connection.execute(ASSISTANTS.insert().values(row))

    def get(self, owner: str, assistant_id: str) -> Body:
        """Return one; raises NotFound."""
        with reading(self._database) as connection:
            return owned(connection, ASSISTANTS, owner, assistant_id)

    def list(self, owner: str, page: Page) -> Listing[Body]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        query = select(ASSISTANTS.c.body).where(ASSISTANTS.c.owner == owner)
        key = (ASSISTANTS.c.created_at, ASSISTANTS.c.id)
        with reading(self._database) as connection:
            rows, more = paged(connection, query, key, page, _no_assistant)
        return Listing(tuple(orjson.loads(row.body) for row in rows), more)

    def change(self, owner: str, assistant_id: str, change: Change) -> Body:
        """Replace one by what `change` makes of it; raises NotFound and what `change` raises."""
        with writing(self._database) as connection:
            changed = change(owned(connection, ASSISTANTS, owner, assistant_id))
            _replace(connection, ASSISTANTS, assistant_id, changed)
        forget_deleted(self._database)
        return changed

    def delete(self, owner: str, assistant_id: str) -> None:
        """Remove one; raises NotFound."""
        with writing(self._database) as connection:
            owned(connection, ASSISTANTS, owner, assistant_id)
            connection.execute(ASSISTANTS.delete().where(ASSISTANTS.c.id == assistant_id))
        forget_deleted(self._database)


class SqlThreads:
    """Keeps threads and their messages. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(self, owner: str, thread: Body, messages: Sequence[Body]) -> None:
        """Keep a new one with its first messages."""
        now = time.time()
        row = {"id": thread["id"], "owner": owner, "body": dump(thread), "created_at": now, "used_at": now}
        with writing(self._database) as connection:
            connection.execute(THREADS.insert().values(row))
            insert_messages(connection, thread["id"], messages)

    def get(self, owner: str, thread_id: str) -> Body:
        """Return one; raises NotFound."""
        with reading(self._database) as connection:
            return owned(connection, THREADS, owner, thread_id)

    def listing(self, owner: str, page: Page) -> Listing[Body]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        query = select(THREADS.c.body).where(THREADS.c.owner == owner)
        with reading(self._database) as connection:
            rows, more = paged(connection, query, (THREADS.c.created_at, THREADS.c.id), page, no_thread)
        return Listing(tuple(orjson.loads(row.body) for row in rows), more)

    def change(self, owner: str, thread_id: str, change: Change) -> Body:
        """Replace one by what `change` makes of it; raises NotFound and what `change` raises."""
        with writing(self._database) as connection:
            changed = change(owned(connection, THREADS, owner, thread_id))
            _replace(connection, THREADS, thread_id, changed)
        forget_deleted(self._database)
        return changed

    def delete(self, owner: str, thread_id: str) -> None:
        """Remove one with its messages and runs; raises NotFound."""
        with writing(self._database) as connection:
            owned(connection, THREADS, owner, thread_id)
            connection.execute(THREADS.delete().where(THREADS.c.id == thread_id))
        forget_deleted(self._database)

    def active(self, owner: str, thread_id: str) -> str | None:
        """Return the id of the run that locks it; raises NotFound."""
        with reading(self._database) as connection:
            owned(connection, THREADS, owner, thread_id)
            return active_run(connection, thread_id)

    def add_message(self, owner: str, thread_id: str, message: Body) -> None:
        """Add one at the end; raises NotFound, ThreadLocked."""
        with writing(self._database) as connection:
            _unlocked(connection, owner, thread_id, "Can't add messages to")
            insert_messages(connection, thread_id, [message])

    def messages(self, owner: str, thread_id: str, page: Page, run_id: str | None = None) -> Listing[Body]:
        """List messages by their place, all or those of one run; raises NotFound."""
        query = select(MESSAGES.c.body).where(MESSAGES.c.thread_id == thread_id)
        if run_id is not None:
            query = query.where(MESSAGES.c.run_id == run_id)
        with reading(self._database) as connection:
            owned(connection, THREADS, owner, thread_id)
            key = (MESSAGES.c.position, MESSAGES.c.id)
            rows, more = paged(connection, query, key, page, _no_message)
        return Listing(tuple(orjson.loads(row.body) for row in rows), more)

    def all_messages(self, owner: str, thread_id: str) -> Sequence[Body]:
        """Return all messages, oldest first; raises NotFound."""
        query = select(MESSAGES.c.body).where(MESSAGES.c.thread_id == thread_id)
        with reading(self._database) as connection:
            owned(connection, THREADS, owner, thread_id)
            bodies = connection.execute(query.order_by(MESSAGES.c.position)).scalars()
            return [orjson.loads(body) for body in bodies]

    def message(self, owner: str, thread_id: str, message_id: str) -> Body:
        """Return one; raises NotFound."""
        with reading(self._database) as connection:
            return _message(connection, owner, thread_id, message_id)

    def change_message(self, owner: str, thread_id: str, message_id: str, change: Change) -> Body:
        """Replace one, and return it; raises NotFound."""
        with writing(self._database) as connection:
            changed = change(_message(connection, owner, thread_id, message_id))
            _replace(connection, MESSAGES, message_id, changed)
        forget_deleted(self._database)
        return changed

    def delete_message(self, owner: str, thread_id: str, message_id: str) -> None:
        """Remove one; raises NotFound, ThreadLocked."""
        with writing(self._database) as connection:
            _unlocked(connection, owner, thread_id, "Can't delete messages of")
            _message(connection, owner, thread_id, message_id)
            connection.execute(MESSAGES.delete().where(MESSAGES.c.id == message_id))
        forget_deleted(self._database)

    def sweep(self, before: float) -> int:
        """Remove threads unused since `before` that no run locks; return how many."""
        locked = select(RUNS.c.thread_id).where(RUNS.c.status.in_(ACTIVE))
        unused = (THREADS.c.used_at < before, THREADS.c.id.not_in(locked))
        with writing(self._database) as connection:
            gone = connection.execute(THREADS.delete().where(*unused)).rowcount
        if gone:
            forget_deleted(self._database)
        return gone


def insert_messages(connection: Connection, thread_id: str, messages: Sequence[Body]) -> None:
    """Add messages at the end of a thread, inside a transaction that writes."""
    this = THREADS.c.id == thread_id
    connection.execute(select(THREADS.c.id).where(this).with_for_update())  # one adds at a time
    connection.execute(THREADS.update().where(this).values(used_at=time.time()))
    if not messages:
        return
    mine = MESSAGES.c.thread_id == thread_id
    last = connection.execute(select(func.max(MESSAGES.c.position)).where(mine)).scalar()
    rows = [
        {
            "id": message["id"],
            "thread_id": thread_id,
            "position": (0 if last is None else last + 1) + index,
            "run_id": message["run_id"],
            "body": dump(message),
        }
        for index, message in enumerate(messages)
    ]
    connection.execute(MESSAGES.insert(), rows)


def active_run(connection: Connection, thread_id: str) -> str | None:
    """Return the id of the run that locks a thread."""
    query = select(RUNS.c.id).where(RUNS.c.thread_id == thread_id, RUNS.c.status.in_(ACTIVE))
    found: str | None = connection.execute(query).scalar()
    return found


def owned(connection: Connection, table: Table, owner: str, id_: str) -> Body:
    """Return the body of an assistant or a thread; raises NotFound."""
    query = select(table.c.body).where(table.c.id == id_, table.c.owner == owner)
    body = connection.execute(query).scalar()
    if body is None:
        raise _no_assistant(id_) if table is ASSISTANTS else no_thread(id_)
    found: Body = orjson.loads(body)
    return found


def no_thread(thread_id: str) -> NotFound:
    """Return the error for a thread that is none of the caller's."""
    return NotFound(f"No thread found with id '{thread_id[:80]}'.", param="thread_id")


def _unlocked(connection: Connection, owner: str, thread_id: str, what: str) -> None:
    owned(connection, THREADS, owner, thread_id)
    connection.execute(select(THREADS.c.id).where(THREADS.c.id == thread_id).with_for_update())
    running = active_run(connection, thread_id)
    if running is not None:
        raise ThreadLocked(f"{what} {thread_id} while a run {running} is active.")


def _message(connection: Connection, owner: str, thread_id: str, message_id: str) -> Body:
    owned(connection, THREADS, owner, thread_id)
    mine = (MESSAGES.c.id == message_id, MESSAGES.c.thread_id == thread_id)
    body = connection.execute(select(MESSAGES.c.body).where(*mine)).scalar()
    if body is None:
        raise _no_message(message_id)
    found: Body = orjson.loads(body)
    return found


def _replace(connection: Connection, table: Table, id_: str, body: Body) -> None:
    values: dict[str, Any] = {"body": dump(body)}
    connection.execute(table.update().where(table.c.id == id_).values(values))


def _no_assistant(assistant_id: str) -> NotFound:
    return NotFound(
        f"No assistant found with id '{assistant_id[:80]}'. GET /v1/assistants lists yours.",
        param="assistant_id",
    )


def _no_message(message_id: str) -> NotFound:
    return NotFound(f"No message found with id '{message_id[:80]}' in this thread.", param="message_id")
