"""A small stack's folders as the services leave them, for tests of backup, restore and update."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import threading
import uuid
from contextlib import closing
from pathlib import Path

from deploy.backup import contents

PICTURE = bytes(range(256)) * 40


def database(file: Path, *statements: str) -> None:
    """Make an SQLite file in WAL mode and run `statements`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        for statement in statements:
            db.execute(statement)


def make(data: Path) -> Path:
    """Fill `data` with an account, a key, a conversation, a picture and two documents."""
    database(data / "gateway" / "gateway.db", "CREATE TABLE users (id)", "INSERT INTO users VALUES ('ana')")
    (data / "gateway" / "signing-key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----")
    (data / "gateway" / "link.json").write_text("{}")
    database(data / "svc-chat" / "service.db", "CREATE TABLE c (text)", "INSERT INTO c VALUES ('Olá')")
    picture(data / "svc-image-gen" / "media", "img_" + "0" * 32)
    database(data / "svc-image-gen" / "service.db", "CREATE TABLE jobs (id)")
    database(data / "svc-rag" / "rag.db", "CREATE TABLE documents (id TEXT PRIMARY KEY)")
    for _ in range(2):
        add_document(data / "svc-rag")
    (data / "svc-translate" / "ct2").mkdir(parents=True)
    (data / "svc-translate" / "ct2" / "model.bin").write_bytes(b"x" * 1000)
    return data


def picture(folder: Path, name: str) -> None:
    """Keep a picture as servicekit's media store does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(PICTURE)
    (folder / f"{name}.meta.json").write_text(json.dumps({"file": f"{name}.png"}))


def add_document(folder: Path) -> str:
    """Keep a document as svc-rag does: the file, then the record."""
    name = f"doc_{uuid.uuid4().hex}"
    (folder / "documents" / name).mkdir(parents=True)
    (folder / "documents" / name / "source").write_text(name)
    with closing(sqlite3.connect(folder / "rag.db", timeout=30, isolation_level=None)) as db:
        db.execute("INSERT INTO documents VALUES (?)", (name,))
    return name


def remove_document(folder: Path, name: str) -> None:
    """Delete a document as svc-rag does: the record, then the file."""
    with closing(sqlite3.connect(folder / "rag.db", timeout=30, isolation_level=None)) as db:
        db.execute("DELETE FROM documents WHERE id = ?", (name,))
    (folder / "documents" / name / "source").unlink()
    (folder / "documents" / name).rmdir()


class Load(threading.Thread):
    """Adds and deletes documents and replaces files until it is stopped."""

    def __init__(self, data: Path):
        super().__init__(daemon=True)
        self._data, self._stopping = data, threading.Event()
        self.rounds = 0
        self.failed: Exception | None = None

    def run(self) -> None:
        kept: list[str] = []
        try:
            while not self._stopping.is_set():
                kept.append(add_document(self._data / "svc-rag"))
                if len(kept) > 5:
                    remove_document(self._data / "svc-rag", kept.pop(0))
                brief = add_document(self._data / "svc-rag")
                remove_document(self._data / "svc-rag", brief)
                self.rounds += 1
        except Exception as error:
            self.failed = error

    def stop(self) -> None:
        """Stop, and raise what went wrong."""
        self._stopping.set()
        self.join(timeout=60)
        if self.failed is not None:
            raise self.failed


def rows(file: Path, query: str) -> list[tuple]:
    """Return what a query finds in an SQLite file."""
    with closing(sqlite3.connect(file)) as db:
        return db.execute(query).fetchall()


def digests(data: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that belongs into a backup and is no database."""
    found = {}
    for name in contents.present(data):
        for file in contents.files(data / name):
            if not contents.is_database(file):
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                found[f"{name}/{file.relative_to(data / name).as_posix()}"] = digest
    return found


def git(folder: Path, *arguments: str) -> str:
    """Run git with an author of its own and return what it says."""
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *settings, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
