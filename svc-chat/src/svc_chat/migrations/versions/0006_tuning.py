"""Trainings, their events, and the models that they made."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "tuning_jobs",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("base", sa.String(200), nullable=False),
        sa.Column("model_id", sa.String(300), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
    )
    op.create_index("tuning_jobs_of_owner", "tuning_jobs", ["owner", "created_at"])
    op.create_index("tuning_jobs_by_status", "tuning_jobs", ["status", "created_at"])
    job = sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE")
    op.create_table(
        "tuning_events",
        sa.Column("job_id", sa.String(60), job, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "trained_models",
        sa.Column("id", sa.String(300), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("base", sa.String(200), nullable=False),
        sa.Column(
            "job_id", sa.String(60), sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("file", sa.String(80), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("checkpoint", sa.Boolean, nullable=False),
        sa.Column("metrics", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("ix_trained_models_owner", "trained_models", ["owner"])
    op.create_index("ix_trained_models_job_id", "trained_models", ["job_id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("trained_models", "tuning_events", "tuning_jobs"):
        op.drop_table(table)
