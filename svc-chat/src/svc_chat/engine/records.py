"""Personas in the database, each with its owner.

All calls block; the service runs them in threads.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Engine as Database

from servicekit.errors import NotFound
from svc_chat.engine.base import Persona
from svc_chat.engine.tables import PERSONAS


class SqlRecords:
    """Personas. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add_persona(self, owner: str, persona: Persona) -> Persona:
        """Keep a persona; it gets an id."""
        kept = replace(persona, id=f"persona_{uuid.uuid4().hex}", created_at=time.time())
        with self._database.begin() as connection:
            connection.execute(PERSONAS.insert().values(owner=owner, **kept.as_dict()))
        return kept

    def personas(self, owner: str) -> Sequence[Persona]:
        """List the owner's personas, oldest first."""
        columns = [c for c in PERSONAS.c if c.name != "owner"]
        query = select(*columns).where(PERSONAS.c.owner == owner)
        with self._database.connect() as connection:
            rows = connection.execute(query.order_by(PERSONAS.c.created_at)).mappings().all()
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
                PERSONAS.update().where(PERSONAS.c.id == changed.id).values(**changed.as_dict())
            )
        return changed

    def delete_persona(self, owner: str, persona_id: str) -> None:
        """Remove a persona; raises NotFound."""
        persona = self.persona(owner, persona_id)
        with self._database.begin() as connection:
            connection.execute(PERSONAS.delete().where(PERSONAS.c.id == persona.id))

    def close(self) -> None:
        """Close the connections."""
        self._database.dispose()
