"""What every store promises, asked of SQLite and of a real OpenSearch (at OPENSEARCH_URL)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from svc_rag.engine.base import Chunk, SearchQuery, Space, SpaceStore
from svc_rag.engine.database import Database
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.engine.opensearch_store import OpenSearchStore
from svc_rag.engine.sqlite_store import SqliteStore
from svc_rag.errors import SpaceChanged, StoreNotReady

EMBEDDER = HashingEmbedder(32)
SPACE, OTHER = Space("hashing", 32), Space("me/other", 48)
LARGER = HashingEmbedder(48)
TEXTS = (
    "A padaria da esquina abre às sete horas da manhã.",
    "The museum keeps twelve paintings of ships.",
    "Bicycles are repaired behind the library on Fridays.",
)


@pytest.fixture(params=["sqlite", pytest.param("opensearch", marks=pytest.mark.store)])
def store(request, tmp_path, monkeypatch) -> Iterator[SpaceStore]:
    if request.param == "sqlite":
        made: SpaceStore = SqliteStore(Database(tmp_path / "store.db"), SPACE)
        made.connect()
        yield made
        made.close()
        return
    url = os.environ.get("OPENSEARCH_URL")
    if not url:
        pytest.skip("no OpenSearch: set OPENSEARCH_URL to a server, for example http://127.0.0.1:9200")
    monkeypatch.setattr("svc_rag.engine.opensearch_index.ALIAS", f"test-{uuid.uuid4().hex}")
    made = OpenSearchStore(url, SPACE)
    made.connect()
    yield made
    made._client.indices.delete(index=f"{_alias()}-v1*")
    made.close()


def _alias() -> str:
    from svc_rag.engine import opensearch_index

    return opensearch_index.ALIAS


def chunks_of(*texts: str) -> list[Chunk]:
    return [Chunk(n, text, n * 100, n * 100 + len(text), n + 1) for n, text in enumerate(texts)]


def put(store: SpaceStore, document_id: str, owner: str, *texts: str) -> None:
    store.index(document_id, owner, chunks_of(*texts), EMBEDDER.embed(texts), SPACE)


def find(store: SpaceStore, owner: str, text: str, mode="hybrid", top_k=5, document_ids=()):
    return store.search(SearchQuery(owner, text, EMBEDDER.embed([text])[0], top_k, mode, tuple(document_ids)))


@pytest.mark.parametrize("mode", ["hybrid", "text", "vector"])
def test_the_passage_that_answers_comes_first_with_its_span(store, mode):
    put(store, "d1", "ana", *TEXTS)
    hit = find(store, "ana", "padaria abre horas", mode)[0]
    assert (hit.chunk_id, hit.document_id, hit.text, hit.page, hit.start) == ("d1:0", "d1", TEXTS[0], 1, 0)
    assert hit.end == len(TEXTS[0]) and hit.score > 0


def test_words_are_found_without_their_accents(store):
    put(store, "d1", "ana", "O pão de queijo é assado às três.", "Outra coisa qualquer.")
    assert find(store, "ana", "pao tres", "text")[0].chunk_id == "d1:0"


def test_scores_fall_and_top_k_is_kept(store):
    put(store, "d1", "ana", *(f"ship number {n} sails" for n in range(20)))
    hits = find(store, "ana", "ship number 7", top_k=7)
    assert len(hits) == 7
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("mode", ["hybrid", "text", "vector"])
def test_nobody_finds_what_belongs_to_another(store, mode):
    put(store, "d1", "ana", *TEXTS)
    put(store, "d2", "rui", "Rui's ships are painted on Fridays.")
    assert {hit.document_id for hit in find(store, "rui", "ships paintings", mode, top_k=10)} == {"d2"}
    assert {hit.document_id for hit in find(store, "ana", "ships paintings", mode, top_k=10)} == {"d1"}
    assert find(store, "eve", "ships paintings", mode) == []


@pytest.mark.parametrize("mode", ["hybrid", "text", "vector"])
def test_a_search_can_be_kept_to_some_documents(store, mode):
    put(store, "d1", "ana", *TEXTS)
    put(store, "d2", "ana", "Ships and ships again.")
    assert {hit.document_id for hit in find(store, "ana", "ships", mode, 10, ["d2"])} == {"d2"}
    assert find(store, "ana", "ships", mode, 10, ["unknown"]) == []


def test_indexing_again_changes_nothing_and_drops_what_is_left_over(store):
    put(store, "d1", "ana", *TEXTS)
    put(store, "d1", "ana", *TEXTS)
    assert store.count("ana") == store.count("ana", ["d1"]) == 3
    put(store, "d1", "ana", TEXTS[1])
    assert store.count("ana") == 1
    assert [hit.text for hit in find(store, "ana", "padaria ships", top_k=10)] == [TEXTS[1]]


def test_a_deleted_document_is_gone(store):
    put(store, "d1", "ana", *TEXTS)
    put(store, "d2", "ana", "Ships again.")
    store.delete("d1")
    store.delete("d1")
    assert store.count("ana") == 1
    assert {hit.document_id for hit in find(store, "ana", "ships padaria library", top_k=10)} == {"d2"}


@pytest.mark.parametrize(
    "text", ["", "?!", '" OR * NEAR(', "AND NOT", "a o de", "x" * 5_000, "palavra " * 2_000]
)
def test_no_question_breaks_the_query(store, text):
    put(store, "d1", "ana", *TEXTS)
    find(store, "ana", text)
    find(store, "ana", text, "text")


def test_connecting_twice_keeps_what_is_there(store):
    put(store, "d1", "ana", *TEXTS)
    store.connect()
    store.check()
    assert store.count("ana") == 3


def test_an_opensearch_that_is_away_is_said_to_be_not_ready():
    store = OpenSearchStore("http://127.0.0.1:9", SPACE)
    with pytest.raises(StoreNotReady) as refusal:
        store.check()
    assert refusal.value.code == "store_not_ready" and refusal.value.retry_after_s


def test_sqlite_keeps_everything_when_it_is_opened_again(tmp_path):
    first = SqliteStore(Database(tmp_path / "s.db"), SPACE)
    first.connect()
    put(first, "d1", "ana", *TEXTS)
    put(first, "d2", "rui", "ships")
    first.delete("d2")
    first.close()
    again = SqliteStore(Database(tmp_path / "s.db"), SPACE)
    again.connect()
    assert find(again, "ana", "paintings of ships", "vector")[0].chunk_id == "d1:1"
    assert again.count("rui") == 0


def test_a_store_keeps_its_space_whatever_the_service_would_begin_with(tmp_path):
    SqliteStore(Database(tmp_path / "s.db"), SPACE).connect()
    again = SqliteStore(Database(tmp_path / "s.db"), OTHER)
    again.connect()
    assert again.space == SPACE
    with pytest.raises(SpaceChanged):
        again.index("d1", "ana", chunks_of("x"), np.ones((1, 48), np.float32), OTHER)


def test_common_words_are_left_out_of_a_large_corpus_and_the_rare_ones_kept(tmp_path):
    store = SqliteStore(Database(tmp_path / "s.db"), SPACE)
    store.connect()
    texts = [f"ships sail with captain{n % 700} through water" for n in range(2_100)]
    store.index("d1", "ana", chunks_of(*texts), np.ones((len(texts), 32), np.float32), SPACE)
    assert store._terms.match_expression("which ships sail with captain5?") == '"captain5"'
    assert store._terms.match_expression("ships water") in ('"ships"', '"water"')
    assert len(find(store, "ana", "ships captain5", "text", top_k=50)) == 3


@pytest.mark.store
@pytest.mark.parametrize("store", ["opensearch"], indirect=True)
def test_a_full_disk_is_told_with_its_remedy_and_writing_goes_on_once_there_is_room(store):
    settings, block = store._client.indices.put_settings, "index.blocks.read_only_allow_delete"
    settings(index=_alias(), body={block: "true"})
    with pytest.raises(StoreNotReady, match="disk is nearly full") as told:
        put(store, "d1", "ana", *TEXTS)
    assert told.value.retry_after_s == 30
    settings(index=_alias(), body={block: None})
    put(store, "d1", "ana", *TEXTS)
    assert find(store, "ana", "padaria abre horas")


@pytest.mark.store
@pytest.mark.parametrize("store", ["opensearch"], indirect=True)
def test_an_index_that_may_not_be_made_for_want_of_disk_is_told(store, monkeypatch):
    monkeypatch.setattr("svc_rag.engine.opensearch_index.ALIAS", f"test-{uuid.uuid4().hex}")
    other, block = OpenSearchStore(os.environ["OPENSEARCH_URL"], SPACE), "cluster.blocks.create_index"
    store._client.cluster.put_settings(body={"persistent": {block: "true"}})
    try:
        with pytest.raises(StoreNotReady, match="disk is nearly full"):
            other.connect()
    finally:
        store._client.cluster.put_settings(body={"persistent": {block: None}})
        other.close()
