"""Conversations with their items, and responses with their events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_UNFINISHED = sa.text("status IN ('queued', 'in_progress')")


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("first_text", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_index("conversations_of_owner", "conversations", ["owner", "updated_at"])
    op.create_table(
        "responses",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("background", sa.Boolean, nullable=False),
        sa.Column("conversation_id", sa.String(60), sa.ForeignKey("conversations.id", ondelete="CASCADE")),
        sa.Column("previous_id", sa.String(60)),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(40), nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("ix_responses_conversation_id", "responses", ["conversation_id"])
    op.create_index("responses_of_owner", "responses", ["owner", "created_at"])
    op.create_index("responses_by_status", "responses", ["status", "lease_until"])
    op.create_index(
        "one_running_response",
        "responses",
        ["conversation_id"],
        unique=True,
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_table(
        "response_events",
        sa.Column(
            "response_id", sa.String(60), sa.ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
    )
    op.create_table(
        "conversation_items",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column(
            "conversation_id",
            sa.String(60),
            sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("response_id", sa.String(60)),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index(
        "items_of_conversation", "conversation_items", ["conversation_id", "position"], unique=True
    )


def downgrade() -> None:
    """Drop them, and all that was said."""
    for table in ("conversation_items", "response_events", "responses", "conversations"):
        op.drop_table(table)
