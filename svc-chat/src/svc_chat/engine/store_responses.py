"""Responses and their events in SQL.

The process that writes a response is its `worker` and holds a lease, renewed with every write. Whoever
starts later takes over what is unfinished and not leased any more.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, Row, and_, func, select
from sqlalchemy.engine import Engine as Database
from sqlalchemy.exc import IntegrityError

from servicekit.errors import BadRequest, NotFound
from svc_chat.engine.database import forget_deleted, reading, writing
from svc_chat.engine.history import UNFINISHED, Event, Progress, StoredResponse
from svc_chat.engine.store_conversations import dump, insert_items, retitle
from svc_chat.engine.tables import CONVERSATIONS, EVENTS, ITEMS, RESPONSES
from svc_chat.errors import ConversationLocked

_UNFINISHED = RESPONSES.c.status.in_(UNFINISHED)
CHAIN_MAX = 1000
"""Responses in a row that are read: more belong into a conversation."""


class SqlResponses:
    """Keeps responses. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(self, response: StoredResponse, events: Sequence[Event], worker: str, lease_s: float) -> None:
        """Keep a response that `worker` begins to write; raises ConversationLocked, NotFound."""
        row = {
            "id": response.id,
            "owner": response.owner,
            "status": response.status,
            "background": response.background,
            "conversation_id": response.conversation_id,
            "previous_id": response.previous_id,
            "body": dump(response.body),
            "request": dump(response.request),
            "input": dump(response.input),
            "attempts": response.attempts,
            "written": response.written,
            "worker": worker,
            "lease_until": time.time() + lease_s,
            "created_at": response.created_at,
        }
        with writing(self._database) as connection:
            if response.conversation_id is not None:
                _lock(connection, response)
            try:
                connection.execute(RESPONSES.insert().values(row))
            except IntegrityError as error:  # PostgreSQL: another process was quicker
                raise ConversationLocked(response.conversation_id or "", "another response") from error
            _insert_events(connection, response.id, events)
            if response.conversation_id is not None:
                insert_items(connection, response.conversation_id, response.input, response.id)

    def get(self, owner: str, response_id: str) -> StoredResponse:
        """Return one; raises NotFound."""
        with reading(self._database) as connection:
            return _found(connection, owner, response_id)

    def chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all that came before it, oldest first; raises NotFound."""
        found: list[StoredResponse] = []
        wanted: str | None = response_id
        with reading(self._database) as connection:
            while wanted is not None:
                if len(found) == CHAIN_MAX:
                    raise BadRequest(
                        f"More than {CHAIN_MAX} responses come before this one. Go on in a conversation.",
                        param="previous_response_id",
                    )
                found.append(_found(connection, owner, wanted, param="previous_response_id"))
                wanted = found[-1].previous_id
        return found[::-1]

    def events(self, response_id: str, after: int) -> Sequence[Event]:
        """Return the events numbered above `after`."""
        query = (
            select(EVENTS.c.events)
            .where(EVENTS.c.response_id == response_id, EVENTS.c.last > after)
            .order_by(EVENTS.c.first)
        )
        with reading(self._database) as connection:
            rows = connection.execute(query).scalars().all()
        return [event for row in rows for event in orjson.loads(row) if event["sequence_number"] > after]

    def keep(self, worker: str, lease_s: float, progress: Sequence[Progress]) -> Collection[str]:
        """Write progress of several responses in one transaction; return the ids that are lost."""
        lost = set()
        ends = any(step.body is not None for step in progress)
        with writing(self._database, through_power_loss=ends) as connection:
            for step in progress:
                mine = and_(RESPONSES.c.id == step.response_id, RESPONSES.c.worker == worker, _UNFINISHED)
                changed = connection.execute(RESPONSES.update().where(mine).values(_columns(step, lease_s)))
                if changed.rowcount == 0:
                    lost.add(step.response_id)
                    continue
                _insert_events(connection, step.response_id, step.events)
                if step.output:
                    _add_output(connection, step)
        return lost

    def cancel(self, owner: str, response_id: str) -> StoredResponse:
        """End one that another process writes; raises NotFound."""
        with writing(self._database) as connection:
            found = _found(connection, owner, response_id)
            if found.status in UNFINISHED:
                body = {**found.body, "status": "cancelled"}
                this = RESPONSES.c.id == response_id
                connection.execute(RESPONSES.update().where(this).values(status="cancelled", body=dump(body)))
            return _found(connection, owner, response_id)

    def delete(self, owner: str, response_id: str) -> None:
        """Remove one with its events; raises NotFound."""
        with writing(self._database) as connection:
            _found(connection, owner, response_id)
            connection.execute(RESPONSES.delete().where(RESPONSES.c.id == response_id))
        forget_deleted(self._database)

    def withdraw(self, response_id: str) -> None:
        """Remove one that never began, and the items that its conversation got for it."""
        with writing(self._database) as connection:
            query = select(RESPONSES.c.conversation_id).where(RESPONSES.c.id == response_id)
            conversation_id = connection.execute(query).scalar()
            if conversation_id is not None:
                connection.execute(ITEMS.delete().where(ITEMS.c.response_id == response_id))
                retitle(connection, conversation_id)
            connection.execute(RESPONSES.delete().where(RESPONSES.c.id == response_id))

    def waiting(self, owner: str) -> int:
        """Count the owner's background responses that have not ended."""
        query = (
            select(func.count())
            .select_from(RESPONSES)
            .where(RESPONSES.c.owner == owner, RESPONSES.c.background, _UNFINISHED)
        )
        with reading(self._database) as connection:
            return int(connection.execute(query).scalar_one())

    def claim(self, worker: str, lease_s: float) -> Sequence[StoredResponse]:
        """Take over unfinished responses whose lease is over; of an SQLite file, all of other workers."""
        now = time.time()
        free = and_(_UNFINISHED, RESPONSES.c.worker != worker)
        if self._database.dialect.name != "sqlite":  # a file has one process: whoever wrote is dead
            free = and_(free, RESPONSES.c.lease_until < now)
        query = select(RESPONSES).where(free).order_by(RESPONSES.c.created_at).with_for_update()
        with writing(self._database) as connection:
            found = [_response(row) for row in connection.execute(query)]
            found = [replace(response, attempts=response.attempts + 1) for response in found]
            for response in found:
                values = {"worker": worker, "lease_until": now + lease_s, "attempts": response.attempts}
                this = RESPONSES.c.id == response.id
                connection.execute(RESPONSES.update().where(this).values(values))
        return found

    def sweep(self, before: float) -> int:
        """Remove responses and conversations unused since `before`; return how many."""
        idle = and_(RESPONSES.c.created_at < before, RESPONSES.c.status.not_in(UNFINISHED))
        unused = CONVERSATIONS.c.updated_at < before
        with writing(self._database) as connection:
            gone = connection.execute(CONVERSATIONS.delete().where(unused)).rowcount
            gone += connection.execute(RESPONSES.delete().where(idle)).rowcount
        if gone:
            forget_deleted(self._database)
        return gone


def _lock(connection: Connection, response: StoredResponse) -> None:
    """Let nobody else add to the response's conversation until the transaction ends."""
    conversation_id = response.conversation_id or ""
    mine = (CONVERSATIONS.c.id == conversation_id, CONVERSATIONS.c.owner == response.owner)
    if connection.execute(select(CONVERSATIONS.c.id).where(*mine).with_for_update()).first() is None:
        raise NotFound(f"There is no conversation '{conversation_id[:80]}'.", param="conversation")
    busy = select(RESPONSES.c.id).where(RESPONSES.c.conversation_id == conversation_id, _UNFINISHED)
    running = connection.execute(busy).scalar()
    items = select(ITEMS.c.id).where(ITEMS.c.conversation_id == conversation_id)
    last = connection.execute(items.order_by(ITEMS.c.position.desc()).limit(1)).scalar()
    if running is not None or last != response.read_until:
        raise ConversationLocked(conversation_id, running or "another response")


def _insert_events(connection: Connection, response_id: str, events: Iterable[Event]) -> None:
    rows = list(events)
    if rows:
        numbers = [event["sequence_number"] for event in rows]
        connection.execute(
            EVENTS.insert().values(
                response_id=response_id, first=numbers[0], last=numbers[-1], events=dump(rows)
            )
        )


def _columns(step: Progress, lease_s: float) -> dict[str, Any]:
    columns: dict[str, Any] = {"lease_until": time.time() + lease_s}
    if step.status is not None:
        columns["status"] = step.status
    if step.written is not None:
        columns["written"] = step.written
    for name in ("body", "request"):
        if getattr(step, name) is not None:
            columns[name] = dump(getattr(step, name))
    return columns


def _add_output(connection: Connection, step: Progress) -> None:
    query = select(RESPONSES.c.conversation_id).where(RESPONSES.c.id == step.response_id)
    conversation_id = connection.execute(query).scalar()
    if conversation_id is not None:
        insert_items(connection, conversation_id, step.output, step.response_id)


def _found(
    connection: Connection, owner: str, response_id: str, param: str = "response_id"
) -> StoredResponse:
    query = select(RESPONSES).where(RESPONSES.c.id == response_id, RESPONSES.c.owner == owner)
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(
            f"There is no response '{response_id[:80]}'. It was deleted, was not stored ('store': false), or "
            "its id is misspelt.",
            param=param,
        )
    return _response(row)


def _response(row: Row[Any]) -> StoredResponse:
    return StoredResponse(
        id=row.id,
        owner=row.owner,
        status=row.status,
        body=orjson.loads(row.body),
        request=orjson.loads(row.request),
        input=tuple(orjson.loads(row.input)),
        background=row.background,
        conversation_id=row.conversation_id,
        previous_id=row.previous_id,
        attempts=row.attempts,
        written=row.written,
        created_at=row.created_at,
    )
