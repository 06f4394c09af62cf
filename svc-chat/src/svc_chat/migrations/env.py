"""Runs the steps on the connection that `engine/database.py` hands over. Alembic imports this file."""

from alembic import context

from svc_chat.engine.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="svc_chat_version",
    transactional_ddl=True,
)
context.run_migrations()
