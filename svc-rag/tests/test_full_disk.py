"""What a full disk or a broken neighbour interrupts leaves nothing behind, and is told by its right name."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from openai import APIStatusError

from servicekit.errors import NotReady
from svc_rag.engine.database import Database
from svc_rag.engine.files import FolderFiles
from svc_rag.engine.parsers import child, isolated
from svc_rag.engine.parsers.isolated import IsolatedParser
from svc_rag.engine.parsers.limits import ParseLimits

from .test_vector_stores import Files, Served

DOCUMENT = "doc_" + "0" * 32


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("full") / "data", Files())
    yield served
    served.close()


@pytest.mark.parametrize("breaks", ["the file", "the record", "the queue"])
def test_a_file_whose_adding_broke_is_not_in_progress_for_ever(
    served: Served, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    service = served.http.app.state.vector_stores  # type: ignore[attr-defined]
    place, name, error = {
        "the file": (served.files, "open", OSError(5, "Input/output error")),
        "the record": (service._library.record, "add", sqlite3.OperationalError("database or disk is full")),
        "the queue": (service, "_submit", RuntimeError("the JobQueue is not started")),
    }[breaks]

    def fails(*_: object) -> None:
        raise error

    client = served.client()
    store = client.vector_stores.create(name="notes")
    with monkeypatch.context() as broken:
        broken.setattr(place, name, fails)
        with pytest.raises(APIStatusError) as told:
            client.vector_stores.files.create(store.id, file_id="file-ships")
        assert told.value.status_code == 500
    assert client.vector_stores.files.list(store.id).data == []
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0
    again = client.vector_stores.files.create(store.id, file_id="file-ships")
    assert again.status in ("in_progress", "completed")


def test_a_folder_that_cannot_be_made_is_a_503_with_the_remedy(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "documents")
    (tmp_path / "documents" / DOCUMENT).write_bytes(b"in the way")
    with pytest.raises(NotReady, match="Free some disk space"):
        files.put(DOCUMENT, io.BytesIO(b"text"), 100)


def test_a_disk_that_is_full_while_a_document_is_read_does_not_make_it_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("Old ships lie at the bottom of the sea.")
    monkeypatch.setattr(isolated, "_RESULT", "/dev/full")
    with pytest.raises(NotReady, match="Free some disk space"):
        IsolatedParser().parse(source, "text/plain")


def test_the_child_says_that_it_found_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "end_with_parent", lambda: None)
    monkeypatch.setattr(child.resource, "setrlimit", lambda *_: None)
    source = tmp_path / "notes.txt"
    source.write_text("text")
    limits = json.dumps(asdict(ParseLimits()))
    assert child.main(["", str(source), "/dev/full", "text/plain", limits, "parse"]) == child.NO_ROOM


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "x.db")
    database.read().executescript(
        "CREATE TABLE one (id INTEGER PRIMARY KEY);"
        "CREATE TABLE many (id INTEGER REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED);"
    )
    yield database
    database.close()


def test_a_transaction_whose_end_fails_does_not_stay_open(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.write() as db:
        db.execute("INSERT INTO many VALUES (7)")  # checked when the transaction ends
    with database.write() as db:
        db.execute("INSERT INTO one VALUES (1)")
    assert database.read().execute("SELECT count(*) FROM many").fetchone()[0] == 0


def test_a_transaction_that_sqlite_itself_took_back_tells_its_own_cause(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), database.write() as db:
        db.execute("INSERT INTO one VALUES (1)")
        db.execute("INSERT OR ROLLBACK INTO one VALUES (1)")  # as it does when the disk is full
