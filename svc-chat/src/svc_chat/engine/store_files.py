"""The record of files in SQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select
from sqlalchemy.engine import Engine as Database

from servicekit.errors import NotFound
from svc_chat.engine.database import forget_deleted, reading, writing
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.kept_files import KeptFile
from svc_chat.engine.paging import paged
from svc_chat.engine.tables import FILES
from svc_chat.errors import FileQuotaReached

_ASKED_AT_ONCE = 500
"""Ids of one query; databases have a limit."""


class SqlFiles:
    """FileRecord. Safe to use from several threads."""

    def __init__(self, database: Database):
        self._database = database

    def add(self, file: KeptFile, quota_bytes: int) -> None:
        """Keep a new one; raises FileQuotaReached when the owner's would take more than the quota."""
        with writing(self._database) as connection:
            used = _used(connection, file.owner)
            if used + file.bytes > quota_bytes:
                raise FileQuotaReached(used, quota_bytes)
            connection.execute(FILES.insert().values(asdict(file)))

    def get(self, owner: str, file_id: str) -> KeptFile:
        """Return one; raises NotFound."""
        query = select(FILES).where(FILES.c.id == file_id, FILES.c.owner == owner, _there())
        with reading(self._database) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise no_file(file_id)
        return _file(row)

    def list(self, owner: str, page: Page, purpose: str | None) -> Listing[KeptFile]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        query = select(FILES).where(FILES.c.owner == owner, _there())
        if purpose is not None:
            query = query.where(FILES.c.purpose == purpose)
        with reading(self._database) as connection:
            rows, more = paged(connection, query, (FILES.c.created_at, FILES.c.id), page, no_file)
        return Listing(tuple(map(_file, rows)), more)

    def used_bytes(self, owner: str) -> int:
        """Return how much all of the owner's take."""
        with reading(self._database) as connection:
            return _used(connection, owner)

    def mark_indexed(self, file_id: str) -> None:
        """Remember that the content was given to the index."""
        unread = (FILES.c.id == file_id, FILES.c.indexed_at.is_(None))
        with writing(self._database) as connection:
            connection.execute(FILES.update().where(*unread).values(indexed_at=time.time()))

    def delete(self, file_id: str) -> None:
        """Forget one; nothing of its name stays."""
        with writing(self._database) as connection:
            connection.execute(FILES.delete().where(FILES.c.id == file_id))
        forget_deleted(self._database)

    def expired(self) -> Sequence[KeptFile]:
        """Return what is to be removed."""
        with reading(self._database) as connection:
            rows = connection.execute(select(FILES).where(FILES.c.expires_at <= time.time())).all()
        return [_file(row) for row in rows]

    def known(self, file_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that there are."""
        found: set[str] = set()
        with reading(self._database) as connection:
            for first in range(0, len(file_ids), _ASKED_AT_ONCE):
                part = file_ids[first : first + _ASKED_AT_ONCE]
                found |= set(connection.execute(select(FILES.c.id).where(FILES.c.id.in_(part))).scalars())
        return found


def no_file(file_id: str) -> NotFound:
    """Return the error for an id that is none of the caller's."""
    return NotFound(f"No such File object: {file_id[:80]}. GET /v1/files lists yours.", param="file_id")


def _there() -> Any:
    return or_(FILES.c.expires_at.is_(None), FILES.c.expires_at > time.time())


def _used(connection: Connection, owner: str) -> int:
    query = select(func.coalesce(func.sum(FILES.c.bytes), 0)).where(FILES.c.owner == owner)
    return int(connection.execute(query).scalar_one())


def _file(row: Row[Any]) -> KeptFile:
    return KeptFile(**row._mapping)
