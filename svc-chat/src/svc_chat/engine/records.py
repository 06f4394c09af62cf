"""What svc-chat keeps in its database: personas and training examples, each with its owner.

SQLite by default, PostgreSQL by URL (SQLAlchemy). All calls block; the service runs them in threads.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Float, MetaData, String, Table, Text, create_engine, event, select
from sqlalchemy.engine import Engine as Database

from servicekit.errors import NotFound
from svc_chat.engine.base import Persona

_metadata = MetaData()
_personas = Table(
    "personas",
    _metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(80), index=True, nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
_training = Table(
    "training_examples",
    _metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(80), index=True, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)


class SqlRecords:
    """Personas and training examples. Safe to use from several threads."""

    def __init__(self, sql_url: str):
        self._database: Database = create_engine(sql_url, pool_pre_ping=True)
        if self._database.dialect.name == "sqlite":
            event.listen(self._database, "connect", _durable_sqlite)
        _metadata.create_all(self._database)

    def add_persona(self, owner: str, persona: Persona) -> Persona:
        """Keep a persona; it gets an id."""
        kept = replace(persona, id=f"persona_{uuid.uuid4().hex}", created_at=time.time())
        with self._database.begin() as connection:
            connection.execute(_personas.insert().values(owner=owner, **kept.as_dict()))
        return kept

    def personas(self, owner: str) -> Sequence[Persona]:
        """List the owner's personas, oldest first."""
        columns = [c for c in _personas.c if c.name != "owner"]
        query = select(*columns).where(_personas.c.owner == owner)
        with self._database.connect() as connection:
            rows = connection.execute(query.order_by(_personas.c.created_at)).mappings().all()
        return [Persona(**row) for row in rows]

    def persona(self, owner: str, persona_id: str) -> Persona:
        """Return one persona by id, or by its name.

        Raises:
            NotFound: the owner has no such persona.
        """
        for persona in self.personas(owner):
            if persona_id in (persona.id, persona.name):
                return persona
        raise NotFound(
            f"There is no persona '{persona_id[:80]}'. GET /v1/personas lists yours.", param="persona"
        )

    def change_persona(self, owner: str, persona_id: str, changes: dict[str, Any]) -> Persona:
        """Change some fields of a persona; raises NotFound."""
        changed = replace(self.persona(owner, persona_id), **changes)
        with self._database.begin() as connection:
            connection.execute(
                _personas.update().where(_personas.c.id == changed.id).values(**changed.as_dict())
            )
        return changed

    def delete_persona(self, owner: str, persona_id: str) -> None:
        """Remove a persona; raises NotFound."""
        persona = self.persona(owner, persona_id)
        with self._database.begin() as connection:
            connection.execute(_personas.delete().where(_personas.c.id == persona.id))

    def add_training_text(self, owner: str, text: str) -> str:
        """Keep a text that the model is to be trained on; return its id."""
        example_id = f"train_{uuid.uuid4().hex}"
        row = {"id": example_id, "owner": owner, "text": text, "created_at": time.time()}
        with self._database.begin() as connection:
            connection.execute(_training.insert().values(**row))
        return example_id

    def close(self) -> None:
        """Close the connections."""
        self._database.dispose()


def _durable_sqlite(connection, _) -> None:  # type: ignore[no-untyped-def]
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
