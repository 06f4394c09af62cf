"""What became of calls with an `Idempotency-Key`, in the gateway's database.

A row is claimed by whoever runs the call, under a lease; a lease that ran out belongs to a process that died, and the
next equal call takes it over. Every call blocks for some milliseconds: run them in a thread.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    Update,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from gateway.engine.database import METADATA
from gateway.errors import TooManyKeys
from servicekit.errors import KeyReused

LEASE_S = 15.0
_TABLE = Table(
    "idempotent_calls",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("holder", String(32)),
    Column("lease_until", Float),
    Column("status", Integer),
    Column("headers", Text),
    # Indexes hold all that is counted and added up, so that no body is read for it.
    Column("size_bytes", Integer, nullable=False, default=0, index=True),
    Column("expires_at", Float, nullable=False, index=True),
    Column("body", LargeBinary),
    Index("idempotent_calls_by_user", "user_id", "expires_at"),
)


@dataclass(frozen=True)
class Outcome:
    """The answer to a call that was made once; `body` is None when it was too large to be kept."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


class Ledger:
    """The calls of this and all other processes on the same database.

    Args:
        keep_s: how long an outcome is kept.
        most_bytes: what all outcomes may take together; further ones are remembered without their bodies.
        most_keys: how many keys of one caller are remembered.
        clock: Unix seconds.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        keep_s: float,
        most_bytes: int,
        most_keys: int = 20_000,
        clock: Callable[[], float] = time.time,
    ):
        self._engine, self._keep_s, self._clock = engine, keep_s, clock
        self._most_bytes, self._most_keys = most_bytes, most_keys
        self._holder = uuid.uuid4().hex

    def claim(self, record_id: str, user_id: str, fingerprint: str) -> Outcome | bool:
        """Return the outcome if there is one; True: the call is yours to make; False: another process makes it.

        Raises:
            KeyReused: the key was sent with another request. TooManyKeys: the caller has as many as may be.
        """
        now = self._clock()
        row = self._row(record_id)
        if row is None or row.expires_at <= now:
            return self._insert(record_id, user_id, fingerprint, now, replaced=row)
        if row.fingerprint != fingerprint:
            raise KeyReused()
        if row.status is not None:
            headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in orjson.loads(row.headers)]
            return Outcome(row.status, headers, row.body)
        if row.holder == self._holder or row.lease_until > now:
            return False
        mine = update(_TABLE).where(_TABLE.c.id == record_id, _TABLE.c.holder == row.holder)
        with self._engine.begin() as db:
            taken = db.execute(mine.values(holder=self._holder, lease_until=now + LEASE_S)).rowcount
        return bool(taken)

    def _row(self, record_id: str) -> Row | None:
        with self._engine.connect() as db:
            return db.execute(select(_TABLE).where(_TABLE.c.id == record_id)).first()

    def _insert(
        self, record_id: str, user_id: str, fingerprint: str, now: float, *, replaced: Row | None
    ) -> bool:
        values = {
            "id": record_id,
            "user_id": user_id,
            "fingerprint": fingerprint,
            "holder": self._holder,
            "lease_until": now + LEASE_S,
            "size_bytes": 0,
            "expires_at": now + self._keep_s,
        }
        try:
            with self._engine.begin() as db:
                mine = select(func.count()).where(_TABLE.c.user_id == user_id, _TABLE.c.expires_at > now)
                if db.execute(mine).scalar_one() >= self._most_keys:
                    raise TooManyKeys(self._most_keys)
                if replaced is not None:
                    old = (_TABLE.c.id == record_id, _TABLE.c.expires_at == replaced.expires_at)
                    db.execute(_TABLE.delete().where(*old))
                db.execute(insert(_TABLE).values(values))
        except IntegrityError:
            return False  # another process was quicker
        return True

    def finish(self, record_id: str, outcome: Outcome) -> None:
        """Keep the outcome of a call that this process made."""
        body = outcome.body
        with self._engine.begin() as db:
            if body is not None and self._size(db) + len(body) > self._most_bytes:
                body = None
            names = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in outcome.headers]
            db.execute(
                self._mine(record_id).values(
                    holder=None,
                    status=outcome.status,
                    headers=orjson.dumps(names).decode(),
                    body=body,
                    size_bytes=len(body or b""),
                    expires_at=self._clock() + self._keep_s,
                )
            )

    def _size(self, db: Connection) -> int:
        return int(db.execute(select(func.coalesce(func.sum(_TABLE.c.size_bytes), 0))).scalar_one())

    def _mine(self, record_id: str) -> Update:
        return update(_TABLE).where(_TABLE.c.id == record_id, _TABLE.c.holder == self._holder)

    def release(self, record_id: str) -> None:
        """Free the key of a call that this process made and that had no outcome."""
        with self._engine.begin() as db:
            db.execute(_TABLE.delete().where(_TABLE.c.id == record_id, _TABLE.c.holder == self._holder))

    def renew(self) -> None:
        """Keep the leases of this process's calls; call at least every `LEASE_S` / 3."""
        with self._engine.begin() as db:
            mine = update(_TABLE).where(_TABLE.c.holder == self._holder)
            db.execute(mine.values(lease_until=self._clock() + LEASE_S))

    def purge(self) -> int:
        """Remove outcomes that are no longer kept; return how many."""
        with self._engine.begin() as db:
            return db.execute(_TABLE.delete().where(_TABLE.c.expires_at <= self._clock())).rowcount

    def forget(self, user_id: str) -> None:
        """Remove everything of one account."""
        with self._engine.begin() as db:
            db.execute(_TABLE.delete().where(_TABLE.c.user_id == user_id))
