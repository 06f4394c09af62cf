"""The gateway's tables: accounts, keys, sessions, one-time links, logins through a provider.

Only hashes of secrets that open something are kept.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Float,
    ForeignKey,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)

from servicekit.schema import bring_up_to_date
from servicekit.sqlite import write_ahead

METADATA = MetaData()
_PRAGMAS = ("foreign_keys=ON", "synchronous=NORMAL", "secure_delete=ON")
BUSY_S = 5.0
"""Seconds that SQLite waits for another writer."""

USERS = Table(
    "users",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("username", String(64), nullable=False),
    Column("name_key", String(64), nullable=False, unique=True),
    Column("password_hash", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("created_at", Float, nullable=False),
)
KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(80), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("prefix", String(16), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
)
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float),
)
LINKS = Table(
    "links",
    METADATA,
    Column("secret_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float),
)
SUBJECTS = Table(
    "oidc_subjects",
    METADATA,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
)
OIDC_LOGINS = Table(
    "oidc_logins",
    METADATA,
    Column("state_hash", String(64), primary_key=True),
    Column("browser_hash", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("redirect_uri", String(512), nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)


def connect(url: str) -> Engine:
    """Open (and create if needed) the database at an SQLAlchemy URL; its tables are the newest afterwards.

    Raises:
        NewerDatabase: a newer program made them.
    """
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            write_ahead(connection, BUSY_S)
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")

    bring_up_to_date(engine, "gateway", METADATA)
    return engine


def hash_secret(secret: str) -> str:
    """Return the hash under which a random 256-bit secret is kept (not for passwords)."""
    return hashlib.sha256(secret.encode()).hexdigest()
