"""The tables of svc-chat. `migrations/` makes them; a change here needs a migration there."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

METADATA = MetaData()

PERSONAS = Table(
    "personas",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("owner", String(80), index=True, nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
TRAINING = Table(
    "training_examples",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("owner", String(80), index=True, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
CONVERSATIONS = Table(
    "conversations",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("first_text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("conversations_of_owner", "owner", "updated_at"),
)
RESPONSES = Table(
    "responses",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("status", String(16), nullable=False),
    Column("background", Boolean, nullable=False),
    Column("conversation_id", String(60), ForeignKey("conversations.id", ondelete="CASCADE"), index=True),
    Column("previous_id", String(60)),
    Column("body", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("input", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("written", Integer, nullable=False, server_default="0"),
    Column("worker", String(40), nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("responses_of_owner", "owner", "created_at"),
    Index("responses_by_status", "status", "lease_until"),
)
UNFINISHED = "status IN ('queued', 'in_progress')"
Index(
    "one_running_response",
    RESPONSES.c.conversation_id,
    unique=True,
    sqlite_where=text(UNFINISHED),
    postgresql_where=text(UNFINISHED),
)
"""A conversation has one response at a time in progress: the database itself sees to it."""
EVENTS = Table(
    "response_events",
    METADATA,
    Column("response_id", String(60), ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Column("events", Text, nullable=False),
)
"""A row is the events of one transaction, numbered `first` to `last`."""
ITEMS = Table(
    "conversation_items",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("conversation_id", String(60), ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("response_id", String(60)),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("items_of_conversation", "conversation_id", "position", unique=True),
)
FILES = Table(
    "files",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(24), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, index=True),
    Column("indexed_at", Float),
    Index("files_of_owner", "owner", "created_at"),
)
"""Files that callers keep here; their content lies in the data folder."""
ASSISTANTS = Table(
    "assistants",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("assistants_of_owner", "owner", "created_at"),
)
THREADS = Table(
    "threads",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Index("threads_by_use", "used_at"),
)
MESSAGES = Table(
    "thread_messages",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("thread_id", String(60), ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("run_id", String(60)),
    Column("body", Text, nullable=False),
    Index("messages_of_thread", "thread_id", "position", unique=True),
)
RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("thread_id", String(60), ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", String(40), nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("runs_of_thread", "thread_id", "created_at"),
    Index("runs_by_status", "status", "lease_until"),
)
ACTIVE_RUN = "status IN ('queued', 'in_progress', 'cancelling', 'requires_action')"
Index(
    "one_active_run",
    RUNS.c.thread_id,
    unique=True,
    sqlite_where=text(ACTIVE_RUN),
    postgresql_where=text(ACTIVE_RUN),
)
"""A thread has one active run at a time: the database itself sees to it."""
STEPS = Table(
    "run_steps",
    METADATA,
    Column("id", String(60), primary_key=True),
    Column("run_id", String(60), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("steps_of_run", "run_id", "position", unique=True),
)
RUN_EVENTS = Table(
    "run_events",
    METADATA,
    Column("run_id", String(60), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Column("events", Text, nullable=False),
)
"""A row is the events of one transaction, numbered `first` to `last`."""
