"""Assistants, threads with their messages, and runs with their steps and events."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ACTIVE = sa.text("status IN ('queued', 'in_progress', 'cancelling', 'requires_action')")


def upgrade() -> None:
    """Make the six tables."""
    op.create_table(
        "assistants",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("assistants_of_owner", "assistants", ["owner", "created_at"])
    op.create_table(
        "threads",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
    )
    op.create_index("threads_by_use", "threads", ["used_at"])
    op.create_table(
        "thread_messages",
        sa.Column("id", sa.String(60), primary_key=True),
        _child("thread_id", "threads.id"),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(60)),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("messages_of_thread", "thread_messages", ["thread_id", "position"], unique=True)
    _make_runs()


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        _child("thread_id", "threads.id"),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(40), nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("runs_of_thread", "runs", ["thread_id", "created_at"])
    op.create_index("runs_by_status", "runs", ["status", "lease_until"])
    op.create_index(
        "one_active_run", "runs", ["thread_id"], unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE
    )
    op.create_table(
        "run_steps",
        sa.Column("id", sa.String(60), primary_key=True),
        _child("run_id", "runs.id"),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("steps_of_run", "run_steps", ["run_id", "position"], unique=True)
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.String(60), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
    )


def _child(name: str, parent: str) -> sa.Column:
    return sa.Column(name, sa.String(60), sa.ForeignKey(parent, ondelete="CASCADE"), nullable=False)


def downgrade() -> None:
    """Drop them, and all that was said."""
    for table in ("run_events", "run_steps", "runs", "thread_messages", "threads", "assistants"):
        op.drop_table(table)
