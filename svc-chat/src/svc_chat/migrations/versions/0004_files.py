"""Files that callers keep; their content lies in the data folder."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "files",
        sa.Column("id", sa.String(60), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(24), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("indexed_at", sa.Float),
    )
    op.create_index("ix_files_expires_at", "files", ["expires_at"])
    op.create_index("files_of_owner", "files", ["owner", "created_at"])


def downgrade() -> None:
    """Drop it; the content stays in the folder until the next start."""
    op.drop_table("files")
