"""The tables of training. `migrations/` makes them; a change here needs a migration there."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from svc_chat.engine.tables import METADATA

TUNING_JOBS = Table(
    "tuning_jobs",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("status", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("base", String(200), nullable=False),
    Column("model_id", String(300), nullable=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Column("details", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Index("tuning_jobs_of_owner", "owner", "created_at"),
    Index("tuning_jobs_by_status", "status", "created_at"),
)
TUNING_EVENTS = Table(
    "tuning_events",
    METADATA,
    Column("job_id", String(60), ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("level", String(8), nullable=False),
    Column("message", Text, nullable=False),
    Column("data", Text),
    Column("created_at", Float, nullable=False),
)
TRAINED_MODELS = Table(
    "trained_models",
    METADATA,
    Column("id", String(300), primary_key=True),
    Column("owner", String(80), index=True, nullable=False),
    Column("base", String(200), nullable=False),
    Column(
        "job_id", String(60), ForeignKey("tuning_jobs.id", ondelete="CASCADE"), index=True, nullable=False
    ),
    Column("file", String(80), nullable=False),
    Column("step", Integer, nullable=False),
    Column("checkpoint", Boolean, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
