"""The tables of jobs and their events, in SQLite or PostgreSQL.

Owns the rule that a final state stays final and that events are numbered without gaps. Knows nothing
about threads or DBOS, which keeps its own tables in the same database.
"""

from __future__ import annotations

import json
import time
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from servicekit.jobs.model import FINAL, Job, JobEvent
from servicekit.schema import bring_up_to_date
from servicekit.sqlite import write_ahead

_metadata = sa.MetaData()
_jobs = sa.Table(
    "jobs",
    _metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("queue", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float(53), nullable=False),
    sa.Column("updated_at", sa.Float(53), nullable=False),
    sa.Column("started_at", sa.Float(53)),
    sa.Column("first_step_at", sa.Float(53)),
    sa.Column("first_step", sa.Integer, nullable=False, default=0),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("total", sa.Integer, nullable=False, default=0),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("preview_url", sa.Text),
    sa.Column("result", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("fingerprint", sa.String(64), nullable=False, default=""),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("seq", sa.Integer, nullable=False, default=0),
    sa.Index("jobs_by_owner", "queue", "owner", "created_at"),
    sa.Index("jobs_by_status", "queue", "status"),
)
_events = sa.Table(
    "job_events",
    _metadata,
    sa.Column("job_id", sa.String(200), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
BUSY_S = 30.0
"""Seconds that SQLite waits for another writer."""
_JSON = ("payload", "result", "error")
_FIELDS = [field.name for field in fields(Job)]


class JobStore:
    """Read and write the jobs of one queue. Thread-safe; every call blocks for some milliseconds."""

    def __init__(self, database_url: str, queue: str) -> None:
        self._queue = queue
        self._engine = sa.create_engine(_driver(database_url), pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
        bring_up_to_date(self._engine, "jobs", _metadata)

    def close(self) -> None:
        self._engine.dispose()

    def add(self, job: Job) -> bool:
        """Insert a new job with its first event; False if the id is there already."""
        values = {name: _stored(name, getattr(job, name)) for name in _FIELDS} | {
            "queue": self._queue,
            "seq": 1,
        }
        try:
            with self._engine.begin() as db:
                db.execute(sa.insert(_jobs).values(values))
                body = json.dumps(job.event_body())
                db.execute(sa.insert(_events).values(job_id=job.id, seq=1, body=body))
        except IntegrityError:
            return False
        return True

    def get(self, job_id: str) -> Job | None:
        query = sa.select(_jobs).where(_jobs.c.id == job_id, _jobs.c.queue == self._queue)
        with self._engine.connect() as db:
            row = db.execute(query).mappings().first()
        return _job(row) if row is not None else None

    def of_owner(self, owner: str, limit: int) -> list[Job]:
        """Give an owner's jobs, newest first."""
        query = (
            sa.select(_jobs)
            .where(_jobs.c.queue == self._queue, _jobs.c.owner == owner)
            .order_by(_jobs.c.created_at.desc(), _jobs.c.id)
            .limit(limit)
        )
        with self._engine.connect() as db:
            return [_job(row) for row in db.execute(query).mappings()]

    def unfinished(self) -> list[Job]:
        """Give the jobs that are not final, oldest first."""
        query = (
            sa.select(_jobs)
            .where(_jobs.c.queue == self._queue, _jobs.c.status.not_in(FINAL))
            .order_by(_jobs.c.created_at)
        )
        with self._engine.connect() as db:
            return [_job(row) for row in db.execute(query).mappings()]

    def count(self) -> dict[str, int]:
        """Give `{"running", "waiting"}`."""
        query = (
            sa.select(_jobs.c.status, sa.func.count())
            .where(_jobs.c.queue == self._queue, _jobs.c.status.not_in(FINAL))
            .group_by(_jobs.c.status)
        )
        with self._engine.connect() as db:
            counts = {str(status): int(number) for status, number in db.execute(query).tuples()}
        waiting = counts.pop("queued", 0)
        return {"running": sum(counts.values()), "waiting": waiting}

    def record(self, job_id: str, only_if: str | None = None, **changes: Any) -> Job | None:
        """Change a job and append the event that tells it, in one transaction.

        Returns None, and changes nothing, if the job is final already (or not in state `only_if`).
        """
        values = {name: _stored(name, value) for name, value in changes.items()}
        allowed = _jobs.c.status == only_if if only_if else _jobs.c.status.not_in(FINAL)
        update = (
            sa.update(_jobs)
            .where(_jobs.c.id == job_id, allowed)
            .values(**values, seq=_jobs.c.seq + 1, updated_at=time.time())
            .returning(*_jobs.c)
        )
        with self._engine.begin() as db:
            row = db.execute(update).mappings().first()
            if row is None:
                return None
            job = _job(row)
            body = json.dumps(job.event_body())
            db.execute(sa.insert(_events).values(job_id=job_id, seq=job.seq, body=body))
        return job

    def request_cancel(self, job_id: str) -> None:
        with self._engine.begin() as db:
            db.execute(sa.update(_jobs).where(_jobs.c.id == job_id).values(cancel_requested=True))

    def events(self, job_id: str, after: int, limit: int = 500) -> list[JobEvent]:
        query = (
            sa.select(_events.c.seq, _events.c.body)
            .where(_events.c.job_id == job_id, _events.c.seq > after)
            .order_by(_events.c.seq)
            .limit(limit)
        )
        with self._engine.connect() as db:
            return [JobEvent(int(seq), json.loads(body)) for seq, body in db.execute(query).tuples()]

    def sweep(self, older_than: float) -> list[str]:
        """Remove final jobs last changed before the Unix time `older_than`; give their ids."""
        old = sa.select(_jobs.c.id).where(
            _jobs.c.queue == self._queue, _jobs.c.status.in_(FINAL), _jobs.c.updated_at < older_than
        )
        with self._engine.begin() as db:
            ids = [str(job_id) for (job_id,) in db.execute(old).tuples()]
            for start in range(0, len(ids), 500):
                part = ids[start : start + 500]
                db.execute(sa.delete(_events).where(_events.c.job_id.in_(part)))
                db.execute(sa.delete(_jobs).where(_jobs.c.id.in_(part)))
        return ids


def _driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    write_ahead(connection, BUSY_S)
    connection.execute("PRAGMA synchronous=NORMAL")


def _stored(name: str, value: Any) -> Any:
    return json.dumps(value) if name in _JSON and value is not None else value


def _job(row: Any) -> Job:
    values = {name: row[name] for name in _FIELDS}
    for name in _JSON:
        values[name] = json.loads(values[name]) if values[name] is not None else None
    return Job(**values)
