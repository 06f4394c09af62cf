"""Runs with their steps and events in SQL.

The process that works on a run is its `worker` and holds a lease, renewed with every write. Whoever starts
later takes over what is to be worked on and not leased any more. A run that waits for its caller has no worker.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Table, and_, func, or_, select
from sqlalchemy.engine import Engine as Database
from sqlalchemy.exc import IntegrityError

from servicekit.errors import NotFound
from svc_chat.engine.database import reading, writing
from svc_chat.engine.history import Event, Listing, Page
from svc_chat.engine.paging import paged
from svc_chat.engine.store_conversations import dump
from svc_chat.engine.store_threads import active_run, insert_messages, owned
from svc_chat.engine.tables import MESSAGES, RUN_EVENTS, RUNS, STEPS, THREADS
from svc_chat.engine.threads import ACTIVE, WORKING, Body, RunProgress, StoredRun, WholeRun
from svc_chat.errors import RunActive

_WORKING = RUNS.c.status.in_(WORKING)


class SqlRuns:
    """Keeps runs. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(
        self, run: StoredRun, messages: Sequence[Body], events: Sequence[Event], worker: str, lease_s: float
    ) -> None:
        """Keep a run that `worker` begins to write; raises RunActive, NotFound."""
        row = {
            "id": run.id,
            "owner": run.owner,
            "thread_id": run.thread_id,
            "status": run.status,
            "body": dump(run.body),
            "request": dump(run.request),
            "attempts": run.attempts,
            "worker": worker,
            "lease_until": time.time() + lease_s,
            "created_at": run.created_at,
            "expires_at": run.expires_at,
        }
        with writing(self._database) as connection:
            owned(connection, THREADS, run.owner, run.thread_id)
            insert_messages(connection, run.thread_id, messages)
            running = active_run(connection, run.thread_id)
            if running is not None:
                raise RunActive(run.thread_id, running)
            try:
                connection.execute(RUNS.insert().values(row))
            except IntegrityError as error:  # PostgreSQL: another process was quicker
                raise RunActive(run.thread_id, "another run") from error
            _insert_events(connection, run.id, events)

    def get(self, owner: str, thread_id: str, run_id: str) -> StoredRun:
        """Return one; raises NotFound."""
        with reading(self._database) as connection:
            return _found(connection, owner, thread_id, run_id)

    def list(self, owner: str, thread_id: str, page: Page) -> Listing[Body]:
        """List a thread's by when they were made; raises NotFound."""
        query = select(RUNS.c.body).where(RUNS.c.thread_id == thread_id)
        with reading(self._database) as connection:
            owned(connection, THREADS, owner, thread_id)
            rows, more = paged(connection, query, (RUNS.c.created_at, RUNS.c.id), page, _no_run)
        return Listing(tuple(orjson.loads(row.body) for row in rows), more)

    def change(self, owner: str, thread_id: str, run_id: str, metadata: Mapping[str, str]) -> Body:
        """Replace the metadata and return the run; raises NotFound."""
        with writing(self._database) as connection:
            body = {**_found(connection, owner, thread_id, run_id).body, "metadata": dict(metadata)}
            connection.execute(RUNS.update().where(RUNS.c.id == run_id).values(body=dump(body)))
            return body

    def whole(self, run_id: str) -> WholeRun:
        """Return a run with all that belongs to it; raises NotFound."""
        with reading(self._database) as connection:
            row = connection.execute(select(RUNS).where(RUNS.c.id == run_id)).first()
            if row is None:
                raise _no_run(run_id)
            return _whole(connection, _run(row))

    def events(self, run_id: str, after: int) -> Sequence[Event]:
        """Return the events numbered above `after`."""
        mine = (RUN_EVENTS.c.run_id == run_id, RUN_EVENTS.c.last > after)
        query = select(RUN_EVENTS.c.events).where(*mine).order_by(RUN_EVENTS.c.first)
        with reading(self._database) as connection:
            rows = connection.execute(query).scalars().all()
        return [event for row in rows for event in orjson.loads(row) if event["sequence_number"] > after]

    def steps(self, run_id: str, page: Page) -> Listing[Body]:
        """List a run's steps by their place; raises NotFound for an unknown cursor."""
        query = select(STEPS.c.body).where(STEPS.c.run_id == run_id)
        with reading(self._database) as connection:
            rows, more = paged(connection, query, (STEPS.c.position, STEPS.c.id), page, _no_step)
        return Listing(tuple(orjson.loads(row.body) for row in rows), more)

    def step(self, run_id: str, step_id: str) -> Body:
        """Return one step; raises NotFound."""
        query = select(STEPS.c.body).where(STEPS.c.id == step_id, STEPS.c.run_id == run_id)
        with reading(self._database) as connection:
            body = connection.execute(query).scalar()
        if body is None:
            raise _no_step(step_id)
        found: Body = orjson.loads(body)
        return found

    def keep(self, worker: str, lease_s: float, progress: Sequence[RunProgress]) -> Collection[str]:
        """Write progress of several runs in one transaction; return the ids that are lost."""
        lost = set()
        matters = any(step.body is not None or step.steps for step in progress)
        with writing(self._database, through_power_loss=matters) as connection:
            for step in progress:
                mine = and_(RUNS.c.id == step.run_id, RUNS.c.worker == worker, _WORKING)
                if not _write(connection, step, mine, {"lease_until": time.time() + lease_s}):
                    lost.add(step.run_id)
        return lost

    def move(
        self, progress: RunProgress, expected: Collection[str], worker: str = "", lease_s: float = 0.0
    ) -> bool:
        """Write a change of a run that has one of the statuses `expected`; False when it had another one."""
        held = {"worker": worker, "lease_until": time.time() + lease_s}
        with writing(self._database) as connection:
            there = and_(RUNS.c.id == progress.run_id, RUNS.c.status.in_(expected))
            return _write(connection, progress, there, held)

    def claim(self, worker: str, lease_s: float) -> Sequence[WholeRun]:
        """Take over runs to be worked on whose lease is over; of an SQLite file, all of other workers."""
        now = time.time()
        free = and_(_WORKING, RUNS.c.worker != worker)
        if self._database.dialect.name != "sqlite":  # a file has one process: whoever worked is dead
            free = and_(free, RUNS.c.lease_until < now)
        query = select(RUNS).where(free).order_by(RUNS.c.created_at).with_for_update()
        with writing(self._database) as connection:
            found = [_run(row) for row in connection.execute(query).all()]
            found = [replace(run, attempts=run.attempts + 1) for run in found]
            for run in found:
                values = {"worker": worker, "lease_until": now + lease_s, "attempts": run.attempts}
                connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(values))
            return [_whole(connection, run) for run in found]

    def overdue(self, now: float) -> Sequence[WholeRun]:
        """Return runs that have expired while they waited for their caller, or while nobody worked on them."""
        unattended = or_(RUNS.c.status == "requires_action", and_(_WORKING, RUNS.c.lease_until <= now))
        late = and_(RUNS.c.expires_at <= now, unattended)
        with reading(self._database) as connection:
            rows = connection.execute(select(RUNS).where(late)).all()
            return [_whole(connection, _run(row)) for row in rows]

    def count_active(self, owner: str) -> int:
        """Count the owner's runs that have not ended."""
        mine = and_(RUNS.c.owner == owner, RUNS.c.status.in_(ACTIVE))
        with reading(self._database) as connection:
            return int(connection.execute(select(func.count()).select_from(RUNS).where(mine)).scalar_one())


def _write(connection: Connection, progress: RunProgress, where: Any, columns: dict[str, Any]) -> bool:
    if progress.body is not None:
        kept = connection.execute(select(RUNS.c.body).where(RUNS.c.id == progress.run_id)).scalar()
        metadata = orjson.loads(kept)["metadata"] if kept else {}  # callers change it meanwhile
        body = {**progress.body, "metadata": metadata}
        columns |= {"body": dump(body), "status": progress.body["status"]}
    if any(step["status"] == "completed" for step in progress.steps):
        columns["attempts"] = 1  # it gets on: only what stops at the same step each time is given up
    if progress.request is not None:
        columns["request"] = dump(progress.request)
    if connection.execute(RUNS.update().where(where).values(columns)).rowcount == 0:
        return False
    _insert_events(connection, progress.run_id, progress.events)
    _upsert_steps(connection, progress)
    new = [m for m in progress.messages if not _update(connection, MESSAGES, m)]
    if new:
        insert_messages(connection, new[0]["thread_id"], new)
    return True


def _upsert_steps(connection: Connection, progress: RunProgress) -> None:
    for step in progress.steps:
        if _update(connection, STEPS, step):
            continue
        mine = STEPS.c.run_id == progress.run_id
        last = connection.execute(select(func.max(STEPS.c.position)).where(mine)).scalar()
        row = {
            "id": step["id"],
            "run_id": progress.run_id,
            "position": 0 if last is None else last + 1,
            "body": dump(step),
        }
        connection.execute(STEPS.insert().values(row))


def _update(connection: Connection, table: Table, body: Body) -> bool:
    changed = connection.execute(table.update().where(table.c.id == body["id"]).values(body=dump(body)))
    return changed.rowcount > 0


def _insert_events(connection: Connection, run_id: str, events: Sequence[Event]) -> None:
    if events:
        numbers = [event["sequence_number"] for event in events]
        row = {"run_id": run_id, "first": numbers[0], "last": numbers[-1], "events": dump(list(events))}
        connection.execute(RUN_EVENTS.insert().values(row))


def _whole(connection: Connection, run: StoredRun) -> WholeRun:
    steps = select(STEPS.c.body).where(STEPS.c.run_id == run.id).order_by(STEPS.c.position)
    messages = select(MESSAGES.c.body).where(MESSAGES.c.run_id == run.id).order_by(MESSAGES.c.position)
    last = select(func.max(RUN_EVENTS.c.last)).where(RUN_EVENTS.c.run_id == run.id)
    number = connection.execute(last).scalar()
    return WholeRun(
        run,
        tuple(map(orjson.loads, connection.execute(steps).scalars())),
        tuple(map(orjson.loads, connection.execute(messages).scalars())),
        0 if number is None else number + 1,
    )


def _found(connection: Connection, owner: str, thread_id: str, run_id: str) -> StoredRun:
    owned(connection, THREADS, owner, thread_id)
    row = connection.execute(select(RUNS).where(RUNS.c.id == run_id, RUNS.c.thread_id == thread_id)).first()
    if row is None:
        raise _no_run(run_id)
    return _run(row)


def _run(row: Row[Any]) -> StoredRun:
    return StoredRun(
        id=row.id,
        owner=row.owner,
        thread_id=row.thread_id,
        body=orjson.loads(row.body),
        request=orjson.loads(row.request),
        attempts=row.attempts,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"No run found with id '{run_id[:80]}' in this thread.", param="run_id")


def _no_step(step_id: str) -> NotFound:
    return NotFound(f"No run step found with id '{step_id[:80]}' in this run.", param="step_id")
