"""Trainings in SQL."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select
from sqlalchemy.engine import Engine as Database

from servicekit.errors import ModelNotFound, NotFound
from svc_chat.engine.database import forget_deleted, reading, writing
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.tables import TRAINING
from svc_chat.engine.tuning.base import (
    FINAL,
    JOINABLE,
    PLAN,
    WAITING,
    TrainedModel,
    TrainingText,
    TuningEvent,
    TuningJob,
)
from svc_chat.engine.tuning.tables import TRAINED_MODELS, TUNING_EVENTS, TUNING_JOBS
from svc_chat.tuning_errors import TrainingFull

MOST_EVENTS = 2**31 - 1
"""A larger number fits no column."""


class SqlTuning:
    """Keeps trainings. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(self, job: TuningJob, most_waiting: int) -> None:
        """Keep a new job with its first event; raises TrainingFull when as many wait."""
        row = {**vars(job), "details": _dump(job.details), "events": 0}
        count = select(func.count()).select_from(TUNING_JOBS).where(TUNING_JOBS.c.status.in_(WAITING))
        with writing(self._database) as connection:
            waiting = connection.execute(count).scalar_one()
            if waiting >= most_waiting:
                raise TrainingFull(waiting, most_waiting)
            connection.execute(TUNING_JOBS.insert().values(row))
            _add_event(connection, job.id, "Waiting for its turn", "info", None)

    def get(self, owner: str, job_id: str) -> TuningJob:
        """Return one; raises NotFound."""
        query = select(TUNING_JOBS).where(TUNING_JOBS.c.id == job_id, TUNING_JOBS.c.owner == owner)
        with reading(self._database) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(
                f"There is no training '{job_id[:80]}'. GET /v1/fine_tuning/jobs lists yours.",
                param="fine_tuning_job_id",
            )
        return _job(row)

    def list(self, owner: str, page: Page) -> Listing[TuningJob]:
        """List the owner's, newest first; raises NotFound for an unknown cursor."""
        table = TUNING_JOBS.c
        query = select(TUNING_JOBS).where(table.owner == owner)
        if page.after is not None:
            last = self.get(owner, page.after)
            same = and_(table.created_at == last.created_at, table.id < last.id)
            query = query.where(or_(table.created_at < last.created_at, same))
        query = query.order_by(table.created_at.desc(), table.id.desc()).limit(page.limit + 1)
        with reading(self._database) as connection:
            rows = connection.execute(query).all()
        return Listing(tuple(map(_job, rows[: page.limit])), len(rows) > page.limit)

    def next(self) -> TuningJob | None:
        """Return the job that is to be worked on: one that runs already, or the one that waited longest."""
        table = TUNING_JOBS.c
        first = case((table.status == "running", 0), else_=1)
        query = select(TUNING_JOBS).where(table.status.in_(("running", *WAITING)))
        return self._one(query.order_by(first, table.created_at, table.id))

    def joinable(self, owner: str, kind: str) -> TuningJob | None:
        """Return the owner's job of a kind that takes examples in: one in the queue, or else one that is paused."""
        table = TUNING_JOBS.c
        first = case((table.status.in_(WAITING), 0), else_=1)
        query = select(TUNING_JOBS).where(table.owner == owner, table.kind == kind)
        query = query.where(table.status.in_(JOINABLE))
        return self._one(query.order_by(first, table.created_at, table.id))

    def record(
        self,
        job_id: str,
        message: str = "",
        *,
        level: str = "info",
        data: Mapping[str, Any] | None = None,
        only_if: Sequence[str] = (),
        as_of: TuningJob | None = None,
        models: Sequence[TrainedModel] = (),
        **changes: Any,
    ) -> TuningJob | None:
        """Change a job, keep the models that it made and an event, all or nothing; one that is cancelled has made none."""
        where = TUNING_JOBS.c.id == job_id
        with writing(self._database, through_power_loss=bool(models) or "status" in changes) as connection:
            row = connection.execute(select(TUNING_JOBS).where(where)).first()
            if row is None or (only_if and row.status not in only_if):
                return None
            if as_of is not None and _plan(_job(row)) != _plan(as_of):
                return None
            if "details" in changes:
                merged = {**orjson.loads(row.details), **changes["details"]}
                changes = {**changes, "details": _dump(merged)}
            if changes:
                connection.execute(TUNING_JOBS.update().where(where).values(**changes))
            if changes.get("status") == "cancelled":
                connection.execute(TRAINED_MODELS.delete().where(TRAINED_MODELS.c.job_id == job_id))
            for model in models:
                connection.execute(TRAINED_MODELS.delete().where(TRAINED_MODELS.c.id == model.id))
                connection.execute(
                    TRAINED_MODELS.insert().values({**vars(model), "metrics": _dump(model.metrics)})
                )
            if message:
                _add_event(connection, job_id, message, level, data)
            return _job(connection.execute(select(TUNING_JOBS).where(where)).one())

    def events(self, job_id: str, page: Page) -> Listing[TuningEvent]:
        """List the events of a job; `after` is an event's number."""
        table = TUNING_EVENTS.c
        query = select(TUNING_EVENTS).where(table.job_id == job_id)
        if page.after is not None:
            number = min(int(page.after), MOST_EVENTS)
            query = query.where(table.seq < number if page.newest_first else table.seq > number)
        order = table.seq.desc() if page.newest_first else table.seq.asc()
        with reading(self._database) as connection:
            rows = connection.execute(query.order_by(order).limit(page.limit + 1)).all()
        return Listing(tuple(map(_event, rows[: page.limit])), len(rows) > page.limit)

    def models(self) -> Sequence[TrainedModel]:
        """Return all models that there are."""
        with reading(self._database) as connection:
            rows = connection.execute(select(TRAINED_MODELS).order_by(TRAINED_MODELS.c.created_at)).all()
        return [_model(row) for row in rows]

    def checkpoints(self, job_id: str) -> Sequence[TrainedModel]:
        """Return the checkpoints of a job, the last first."""
        table = TRAINED_MODELS.c
        query = select(TRAINED_MODELS).where(table.job_id == job_id, table.checkpoint)
        with reading(self._database) as connection:
            return [_model(row) for row in connection.execute(query.order_by(table.step.desc())).all()]

    def delete_model(self, owner: str, model_id: str) -> TrainedModel:
        """Forget one; raises ModelNotFound."""
        where = and_(TRAINED_MODELS.c.id == model_id, TRAINED_MODELS.c.owner == owner)
        with writing(self._database) as connection:
            row = connection.execute(select(TRAINED_MODELS).where(where)).first()
            if row is None:
                raise ModelNotFound(
                    f"There is no trained model '{model_id[:80]}' of yours. GET /v1/models lists what is here.",
                    param="model",
                )
            connection.execute(TRAINED_MODELS.delete().where(where))
        return _model(row)

    def folders(self, *, ended: bool = False) -> set[str]:
        """Return the ids of all jobs with what joined those that have not ended, or the ids of those that have."""
        query = select(TUNING_JOBS)
        if ended:
            query = query.where(TUNING_JOBS.c.status.in_(FINAL))
        with reading(self._database) as connection:
            jobs = [_job(row) for row in connection.execute(query)]
        joined = {str(job.details[PLAN]) for job in jobs if not job.final and job.details.get(PLAN)}
        return {job.id for job in jobs} | joined

    def add_text(self, owner: str, text: str) -> TrainingText:
        """Keep a text."""
        kept = TrainingText(f"train_{uuid.uuid4().hex}", text, time.time())
        with writing(self._database) as connection:
            connection.execute(TRAINING.insert().values(owner=owner, **vars(kept)))
        return kept

    def texts(self, owner: str) -> Sequence[TrainingText]:
        """Return the owner's texts, oldest first."""
        query = select(TRAINING.c.id, TRAINING.c.text, TRAINING.c.created_at)
        query = query.where(TRAINING.c.owner == owner).order_by(TRAINING.c.created_at, TRAINING.c.id)
        with reading(self._database) as connection:
            return [TrainingText(*row) for row in connection.execute(query).all()]

    def delete_text(self, owner: str, text_id: str) -> None:
        """Forget one; raises NotFound."""
        where = and_(TRAINING.c.owner == owner, TRAINING.c.id == text_id)
        with writing(self._database) as connection:
            if connection.execute(TRAINING.delete().where(where)).rowcount == 0:
                raise NotFound(f"There is no training text '{text_id[:80]}'. GET /train lists yours.")
        forget_deleted(self._database)

    def _one(self, query: Select[Any]) -> TuningJob | None:
        with reading(self._database) as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else _job(row)


def _add_event(
    connection: Connection, job_id: str, message: str, level: str, data: Mapping[str, Any] | None
) -> None:
    where = TUNING_JOBS.c.id == job_id
    connection.execute(TUNING_JOBS.update().where(where).values(events=TUNING_JOBS.c.events + 1))
    seq = connection.execute(select(TUNING_JOBS.c.events).where(where)).scalar_one()
    row = {"job_id": job_id, "seq": seq, "level": level, "message": message, "created_at": time.time()}
    connection.execute(TUNING_EVENTS.insert().values(**row, data=None if data is None else _dump(data)))


def _job(row: Row[Any]) -> TuningJob:
    found = {name: value for name, value in row._mapping.items() if name != "events"}
    return TuningJob(**{**found, "details": orjson.loads(row.details)})


def _plan(job: TuningJob) -> tuple[int, Any]:
    """Return what changes when a job came further, or when something joined it."""
    return job.step, job.details.get(PLAN)


def _event(row: Row[Any]) -> TuningEvent:
    data = None if row.data is None else orjson.loads(row.data)
    return TuningEvent(row.seq, row.created_at, row.message, row.level, data)


def _model(row: Row[Any]) -> TrainedModel:
    return TrainedModel(**{**row._mapping, "metrics": orjson.loads(row.metrics)})


def _dump(value: Any) -> str:
    return orjson.dumps(dict(value)).decode()
