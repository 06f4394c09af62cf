"""Moving a store to another embedder: the old vectors answer until the new ones are whole, and then are gone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from svc_rag.engine.base import Chunk, SearchQuery, Space, SpaceStore, StoredChunk
from svc_rag.engine.database import Database
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.engine.opensearch_store import OpenSearchStore
from svc_rag.engine.sqlite_store import SqliteStore
from svc_rag.errors import SpaceChanged

OLD, NEW = Space("hashing", 32), Space("me/other", 48)
EMBEDDERS = {OLD: HashingEmbedder(32), NEW: HashingEmbedder(48)}


@pytest.fixture(params=["sqlite", pytest.param("opensearch", marks=pytest.mark.store)])
def again(request, tmp_path, monkeypatch) -> Iterator[object]:
    """Return a function that opens the same store once more, as a restart does."""
    opened: list[SpaceStore] = []
    url = os.environ.get("OPENSEARCH_URL")
    if request.param == "opensearch" and not url:
        pytest.skip("no OpenSearch: set OPENSEARCH_URL to a server, for example http://127.0.0.1:9200")
    monkeypatch.setattr("svc_rag.engine.opensearch_index.ALIAS", alias := f"test-{uuid.uuid4().hex}")

    def open_store(default: Space = OLD) -> SpaceStore:
        store: SpaceStore = (
            SqliteStore(Database(tmp_path / "store.db"), default)
            if request.param == "sqlite"
            else OpenSearchStore(url, default)
        )
        store.connect()
        opened.append(store)
        return store

    yield open_store
    if request.param == "opensearch":
        opened[-1]._client.indices.delete(index=f"{alias}-v1*")
    for store in opened:
        store.close()


def put(store: SpaceStore, document_id: str, *texts: str, owner: str = "ana") -> None:
    chunks = [Chunk(n, text, 0, len(text), 1) for n, text in enumerate(texts)]
    store.index(document_id, owner, chunks, EMBEDDERS[store.space].embed(texts), store.space)


def find(store: SpaceStore, text: str, space: Space | None = None, owner: str = "ana") -> list[str]:
    space = space or store.space
    query = SearchQuery(owner, text, EMBEDDERS[space].embed([text])[0], 10, "vector", (), space)
    return [hit.chunk_id for hit in store.search(query)]


def fill(store: SpaceStore, batches: int = 1000) -> None:
    while batches and (lacking := store.lacking(2)):
        store.fill(lacking, EMBEDDERS[NEW].embed([stored.chunk.text for stored in lacking]))
        batches -= 1


def test_the_old_space_answers_until_the_switch_and_the_new_one_after_it(again):
    store = again()
    put(store, "d1", "ships sail", "bread bakes", "bicycles roll")
    put(store, "d2", "trains run", owner="rui")
    store.begin(NEW)
    assert store.filled() == (0, 4) and not store.switch() and store.space == OLD
    fill(store)
    assert store.filled() == (4, 4) and find(store, "ships")[0] == "d1:0" and store.space == OLD
    assert store.switch() and store.space == NEW
    assert find(store, "bread")[0] == "d1:1" and find(store, "trains", owner="rui") == ["d2:0"]
    assert store.count("ana") == 3
    reopened = again()
    assert reopened.space == NEW and find(reopened, "bicycles")[0] == "d1:2"


def test_vectors_of_the_other_space_are_refused_never_compared(again):
    store = again()
    put(store, "d1", "ships sail")
    store.begin(NEW)
    with pytest.raises(SpaceChanged):
        find(store, "ships", NEW)
    fill(store)
    assert store.switch()
    with pytest.raises(SpaceChanged):
        find(store, "ships", OLD)
    with pytest.raises(SpaceChanged):
        store.index("d2", "ana", [Chunk(0, "x", 0, 1, 1)], EMBEDDERS[OLD].embed(["x"]), OLD)


def test_what_is_added_meanwhile_is_filled_before_the_switch_and_what_is_deleted_is_gone(again):
    store = again()
    put(store, "d1", "ships sail", "bread bakes")
    put(store, "d2", "trains run")
    store.begin(NEW)
    fill(store)
    put(store, "d3", "bicycles roll")
    store.delete("d2")
    assert not store.switch(), "d3 is lacking"
    read = store.lacking(10)
    assert [stored.document_id for stored in read] == ["d3"]
    store.delete("d3")
    store.fill(read, EMBEDDERS[NEW].embed([stored.chunk.text for stored in read]))
    put(store, "d4", "rockets fly")
    fill(store)
    assert store.switch()
    assert sorted(find(store, "rockets")) == ["d1:0", "d1:1", "d4:0"]
    assert store.count("ana") == 3


def test_a_restart_goes_on_where_it_was(again):
    store = again()
    put(store, "d1", "ships sail", "bread bakes", "bicycles roll", "trains run", "rockets fly")
    store.begin(NEW)
    fill(store, batches=2)
    reopened = again()
    reopened.begin(NEW)
    assert reopened.filled() == (4, 5)
    fill(reopened)
    assert reopened.switch() and find(reopened, "trains")[0] == "d1:3"


def test_abandoning_leaves_the_old_space_and_nothing_of_the_new(again):
    store = again()
    put(store, "d1", "ships sail")
    store.begin(NEW)
    fill(store)
    store.abandon()
    assert store.space == OLD and not store.switch()
    assert find(store, "ships") == ["d1:0"]
    store.begin(NEW)
    assert store.filled() == (0, 1)


def test_beginning_with_another_embedder_drops_what_was_filled_for_the_first(again):
    store = again()
    put(store, "d1", "ships sail")
    store.begin(Space("me/third", 48))
    fill(store)
    store.begin(NEW)
    assert store.filled() == (0, 1)
    fill(store)
    assert store.switch() and store.space == NEW


def test_moving_there_and_back_finds_everything(again):
    store = again()
    put(store, "d1", "ships sail", "bread bakes")
    store.begin(NEW)
    fill(store)
    assert store.switch()
    store.begin(OLD)
    while lacking := store.lacking(1):
        store.fill(lacking, EMBEDDERS[OLD].embed([stored.chunk.text for stored in lacking]))
    assert store.switch() and store.space == OLD and find(store, "bread")[0] == "d1:1"


def test_a_key_that_got_another_text_meanwhile_keeps_no_vector_of_the_old_one(tmp_path):
    store = SqliteStore(Database(tmp_path / "s.db"), OLD)
    store.connect()
    put(store, "d1", "ships sail")
    store.begin(NEW)
    (read,) = store.lacking(1)
    store.delete("d1")
    put(store, "d2", "bread bakes")
    assert store.lacking(1)[0].key == read.key, "SQLite gives the key again"
    store.fill([read], EMBEDDERS[NEW].embed(["ships sail"]))
    assert store.filled() == (0, 1)


def test_old_vectors_that_a_crash_left_are_dropped(tmp_path):
    database = Database(tmp_path / "s.db")
    store = SqliteStore(database, OLD)
    store.connect()
    with database.write() as db:
        db.execute("CREATE TABLE store_vectors_old (key INTEGER PRIMARY KEY, vector BLOB NOT NULL)")
    store.abandon()
    tables = database.read().execute("SELECT name FROM sqlite_master").fetchall()
    assert "store_vectors_old" not in {row[0] for row in tables}


def test_filling_nothing_is_no_fault(tmp_path):
    store = SqliteStore(Database(tmp_path / "s.db"), OLD)
    store.connect()
    store.begin(NEW)
    empty: list[StoredChunk] = []
    assert store.lacking(5) == empty and store.switch() and store.space == NEW
