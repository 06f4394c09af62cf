"""API keys, sessions and one-time links in the database. Blocking: call it from a thread.

Secrets are random (256 bit), so a fast hash is enough to keep them; each is shown once.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError

from gateway.engine.database import KEYS, LINKS, SESSIONS, USERS, hash_secret
from servicekit.errors import NotFound

KEY_PREFIX = "ofi_"


@dataclass(frozen=True)
class Credential:
    """A valid key or session: `id` names it, the rest is whose it is and what it may do."""

    id: str
    user_id: str
    username: str
    role: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """A login. `secret` is the cookie's value and is known only when the session is made."""

    id: str
    secret: str
    expires_at: float


class Credentials:
    """The keys, sessions and links of one database."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def make_key(
        self, user_id: str, name: str, scopes: list[str], expires_at: float | None = None, secret: str = ""
    ) -> tuple[dict[str, Any], str]:
        """Keep a new API key (or the given `secret`); return what may be told of it and the key itself."""
        secret = secret or KEY_PREFIX + secrets.token_urlsafe(32)
        row = {
            "id": f"key_{uuid.uuid4().hex}",
            "user_id": user_id,
            "name": name,
            "secret_hash": hash_secret(secret),
            "prefix": secret[:8],
            "scopes": json.dumps(scopes),
            "created_at": time.time(),
            "expires_at": expires_at,
            "revoked_at": None,
        }
        try:
            with self._engine.begin() as db:
                db.execute(KEYS.insert().values(row))
        except IntegrityError:
            with self._engine.connect() as db:
                found = db.execute(select(KEYS).where(KEYS.c.secret_hash == row["secret_hash"])).one()
            return _public_key(found._mapping), secret
        return _public_key(row), secret

    def keys(self, user_id: str) -> list[dict[str, Any]]:
        """Return what may be told of a user's keys that are not revoked."""
        query = select(KEYS).where(KEYS.c.user_id == user_id, KEYS.c.revoked_at.is_(None))
        with self._engine.connect() as db:
            return [_public_key(row._mapping) for row in db.execute(query.order_by(KEYS.c.created_at))]

    def revoke_key(self, user_id: str, key_id: str) -> None:
        """Revoke one of a user's keys; NotFound when it is not theirs."""
        mine = (KEYS.c.id == key_id, KEYS.c.user_id == user_id, KEYS.c.revoked_at.is_(None))
        with self._engine.begin() as db:
            if not db.execute(update(KEYS).where(*mine).values(revoked_at=time.time())).rowcount:
                raise NotFound("There is no such key.")

    def open_session(self, user_id: str, life_s: float) -> Session:
        """Start a session."""
        session = Session(f"ses_{uuid.uuid4().hex}", secrets.token_urlsafe(32), time.time() + life_s)
        with self._engine.begin() as db:
            db.execute(
                SESSIONS.insert().values(
                    id=session.id,
                    user_id=user_id,
                    secret_hash=hash_secret(session.secret),
                    created_at=time.time(),
                    expires_at=session.expires_at,
                )
            )
        return session

    def purge(self) -> None:
        """Remove sessions that ended more than a day ago."""
        with self._engine.begin() as db:
            db.execute(SESSIONS.delete().where(SESSIONS.c.expires_at < time.time() - 86400))

    def end_session(self, session_id: str) -> None:
        """End a session; nothing happens when it has ended."""
        with self._engine.begin() as db:
            db.execute(update(SESSIONS).where(SESSIONS.c.id == session_id).values(revoked_at=time.time()))

    def find_key(self, secret: str) -> Credential | None:
        """Return whose API key this is, if it is valid now."""
        return self._find(KEYS, KEYS.c.secret_hash == hash_secret(secret))

    def find_session(self, secret: str) -> Credential | None:
        """Return whose cookie this is, if it is valid now."""
        return self._find(SESSIONS, SESSIONS.c.secret_hash == hash_secret(secret))

    def find_by_id(self, credential_id: str) -> Credential | None:
        """Return the key or session that a token was made from, if it is valid now."""
        table = KEYS if credential_id.startswith("key_") else SESSIONS
        return self._find(table, table.c.id == credential_id)

    def _find(self, table: Any, condition: Any) -> Credential | None:
        query = (
            select(table, USERS.c.username, USERS.c.role)
            .join(USERS, USERS.c.id == table.c.user_id)
            .where(condition, table.c.revoked_at.is_(None), USERS.c.active)
        )
        with self._engine.connect() as db:
            row = db.execute(query).first()
        if row is None or (row.expires_at is not None and row.expires_at < time.time()):
            return None
        scopes = json.loads(row.scopes) if table is KEYS else ["*"]
        return Credential(row.id, row.user_id, row.username, row.role, tuple(scopes))

    def make_link(self, user_id: str, life_s: float) -> str:
        """Return a new one-time login token; links made earlier stop working."""
        secret = secrets.token_urlsafe(32)
        with self._engine.begin() as db:
            db.execute(LINKS.delete())
            db.execute(
                LINKS.insert().values(
                    secret_hash=hash_secret(secret), user_id=user_id, expires_at=time.time() + life_s
                )
            )
        return secret

    def use_link(self, secret: str) -> str | None:
        """Use up a one-time token; return the user id, or None when it is wrong, old or used."""
        fresh = (
            LINKS.c.secret_hash == hash_secret(secret),
            LINKS.c.used_at.is_(None),
            LINKS.c.expires_at > time.time(),
        )
        with self._engine.begin() as db:
            if not db.execute(update(LINKS).where(*fresh).values(used_at=time.time())).rowcount:
                return None
            return str(db.execute(select(LINKS.c.user_id).where(fresh[0])).scalar_one())


def _public_key(row: Any) -> dict[str, Any]:
    scopes = row["scopes"]
    return {
        "id": row["id"],
        "name": row["name"],
        "prefix": row["prefix"],
        "scopes": json.loads(scopes),
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
    }
