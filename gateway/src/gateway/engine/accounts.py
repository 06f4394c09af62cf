"""Accounts in the database. Blocking: call it from a thread. Knows no HTTP and no tokens."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from gateway.engine.database import SESSIONS, USERS
from servicekit.errors import Conflict, NotFound


@dataclass(frozen=True)
class User:
    """One account; `password_hash` never leaves the engine room."""

    id: str
    username: str
    role: str
    active: bool
    created_at: float
    password_hash: str

    def public(self) -> dict[str, Any]:
        """Return what the API tells of an account."""
        return {
            "id": self.id,
            "username": self.username,
            "role": self.role,
            "active": self.active,
            "created_at": self.created_at,
        }


def _user(row: Row[Any]) -> User:
    return User(row.id, row.username, row.role, row.active, row.created_at, row.password_hash)


class Accounts:
    """The accounts of one database."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def create(self, username: str, password_hash: str, role: str) -> User:
        """Add an account.

        Raises:
            Conflict: the name (upper and lower case alike) is taken.
        """
        user = User(f"usr_{uuid.uuid4().hex}", username, role, True, time.time(), password_hash)
        values = user.public() | {"name_key": username.casefold(), "password_hash": password_hash}
        try:
            with self._engine.begin() as db:
                db.execute(USERS.insert().values(values))
        except IntegrityError as error:
            raise Conflict(f"There is an account named '{username}'. Take another name.") from error
        return user

    def by_name(self, username: str) -> User | None:
        """Return the account of that name."""
        with self._engine.connect() as db:
            row = db.execute(select(USERS).where(USERS.c.name_key == username.casefold())).first()
        return _user(row) if row else None

    def get(self, user_id: str) -> User:
        """Return the account with that id, or raise NotFound."""
        with self._engine.connect() as db:
            row = db.execute(select(USERS).where(USERS.c.id == user_id)).first()
        if row is None:
            raise NotFound("There is no such account.")
        return _user(row)

    def list(self) -> list[User]:
        """Return all accounts, oldest first."""
        with self._engine.connect() as db:
            return [_user(row) for row in db.execute(select(USERS).order_by(USERS.c.created_at))]

    def first_owner(self) -> User | None:
        """Return the oldest active owner."""
        query = select(USERS).where(USERS.c.role == "owner", USERS.c.active).order_by(USERS.c.created_at)
        with self._engine.connect() as db:
            row = db.execute(query).first()
        return _user(row) if row else None

    def change(
        self,
        user_id: str,
        *,
        password_hash: str | None = None,
        role: str | None = None,
        active: bool | None = None,
    ) -> User:
        """Change an account; a new password or suspension ends its sessions.

        Raises:
            Conflict: it is the last active owner and would no longer be one.
        """
        user = self.get(user_id)
        if user.role == "owner" and (role == "member" or active is False):
            self._keep_one_owner(user)
        given = {"password_hash": password_hash, "role": role, "active": active}
        values = {name: value for name, value in given.items() if value is not None}
        with self._engine.begin() as db:
            if values:
                db.execute(update(USERS).where(USERS.c.id == user_id).values(values))
            if password_hash is not None or active is False:
                ended = update(SESSIONS).where(SESSIONS.c.user_id == user_id, SESSIONS.c.revoked_at.is_(None))
                db.execute(ended.values(revoked_at=time.time()))
        return self.get(user_id)

    def remove(self, user_id: str) -> None:
        """Remove an account with its keys and sessions; the last active owner stays (Conflict)."""
        user = self.get(user_id)
        if user.role == "owner":
            self._keep_one_owner(user)
        with self._engine.begin() as db:
            db.execute(delete(USERS).where(USERS.c.id == user_id))

    def discard(self, user_id: str) -> None:
        """Remove an account that was just made and is nobody's."""
        with self._engine.begin() as db:
            db.execute(delete(USERS).where(USERS.c.id == user_id))

    def _keep_one_owner(self, user: User) -> None:
        query = select(func.count()).where(USERS.c.role == "owner", USERS.c.active, USERS.c.id != user.id)
        with self._engine.connect() as db:
            if not db.execute(query).scalar_one():
                raise Conflict(f"'{user.username}' is the last active owner. Make another owner first.")
