"""OpenAI's vector stores with the official client, over files that another service keeps."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
from fastapi.testclient import TestClient
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types import VectorStore, VectorStoreSearchResponse
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch

from servicekit.contract import TestKeys
from servicekit.errors import BadRequest, Forbidden, NotFound, NotReady, UpstreamFailed
from svc_rag.app import create_app
from svc_rag.domain.attributes import matches
from svc_rag.domain.vector_stores import NewFile
from svc_rag.engine.chat_files import ChatFiles
from svc_rag.engine.fake import FakeChat
from svc_rag.engine.vector_base import RemoteFile
from svc_rag.settings import Settings

SHIPS = b"Old ships lie at the bottom of the sea. Divers find coins in the ships every year."
BREAD = b"The bakery sells bread of rye at seven in the morning. Its oven is older than the town."


class Files:
    """Files of one caller, as svc-chat would give them."""

    def __init__(self) -> None:
        self.kept = {"file-ships": ("ships.txt", SHIPS), "file-bread": ("bread.md", BREAD)}
        self.away, self.expires_at = False, None
        self.bearers: list[Mapping[str, str]] = []

    def look(self, file_id: str, bearer: Mapping[str, str]) -> RemoteFile:
        self.bearers.append(bearer)
        if self.away:
            raise NotReady("away")
        if file_id not in self.kept:
            raise NotFound(f"no file {file_id}", param="file_id")
        name, content = self.kept[file_id]
        return RemoteFile(name, len(content), self.expires_at)

    def open(self, file_id: str, bearer: Mapping[str, str]) -> BinaryIO:
        return io.BytesIO(self.kept[file_id][1])

    def close(self) -> None:
        return None


class Served:
    """A running service, its files, and the official client of each user."""

    def __init__(self, folder: Path, files: Files):
        self.folder, self.files, self.keys = folder, files, TestKeys()
        settings = Settings(data_dir=folder, allowed_hosts=("testserver",), embedder="hashing")
        app = create_app(settings, FakeChat(), self.keys.authenticator(settings), files)
        self.http = TestClient(app)
        self.http.__enter__()

    def client(self, user: str = "ana") -> OpenAI:
        token = self.keys.headers(user)["Authorization"].removeprefix("Bearer ")
        return OpenAI(base_url="http://testserver/v1", api_key=token, http_client=self.http, max_retries=0)  # type: ignore[arg-type]

    def close(self) -> None:
        self.http.__exit__(None, None, None)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    opened: list[Served] = []

    def begin(files: Files | None = None) -> Served:
        while opened:
            opened.pop().close()
        opened.append(Served(tmp_path / "data", files or Files()))
        return opened[-1]

    yield begin
    while opened:
        opened.pop().close()


@pytest.fixture
def served(start: Callable[..., Served]) -> Served:
    return start()


def ready(client: OpenAI, *file_ids: str, **options: Any) -> Any:
    """Make a store and wait until its files are read."""
    store = client.vector_stores.create(file_ids=list(file_ids), **options)
    deadline = time.monotonic() + 60
    while store.status != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.02)
        store = client.vector_stores.retrieve(store.id)
    return store


def on_disk(folder: Path, what: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and what in path.read_bytes()]


def test_a_store_is_made_listed_changed_and_gone(served: Served) -> None:
    client = served.client()
    store = client.vector_stores.create(name="one", metadata={"a": "b"})
    assert (store.name, store.status, store.file_counts.total) == ("one", "completed", 0)
    token = {"Authorization": f"Bearer {client.api_key}"}
    told = served.http.get(f"/v1/vector_stores/{store.id}", headers=token).json()
    VectorStore.model_validate(told, strict=True)
    changed = client.vector_stores.update(
        store.id, name="two", expires_after={"anchor": "last_active_at", "days": 3}
    )
    assert (changed.name, changed.metadata, changed.expires_after.days) == ("two", {"a": "b"}, 3)
    assert changed.expires_at == changed.last_active_at + 3 * 86_400
    more = [client.vector_stores.create(name=str(n)).id for n in range(3)]
    assert [s.id for s in client.vector_stores.list(limit=2)] == [*more[::-1], store.id]
    assert [s.id for s in client.vector_stores.list(order="asc", after=store.id).data] == more
    assert client.vector_stores.delete(store.id).deleted
    with pytest.raises(NotFoundError):
        client.vector_stores.retrieve(store.id)


def test_files_are_fetched_as_their_owner_and_searched(served: Served) -> None:
    client = served.client()
    store = ready(client, "file-ships", "file-bread")
    assert store.file_counts.completed == store.file_counts.total == 2
    assert store.usage_bytes == len(SHIPS) + len(BREAD)
    assert served.files.bearers[0]["Authorization"].startswith("Bearer ")
    found = client.vector_stores.search(store.id, query="coins in old ships", max_num_results=2).data
    VectorStoreSearchResponse.model_validate(found[0].to_dict(), strict=True)
    assert (found[0].file_id, found[0].filename) == ("file-ships", "ships.txt")
    assert found[0].content[0].text in SHIPS.decode()
    assert 0 <= found[-1].score <= found[0].score <= 1
    both = client.vector_stores.search(store.id, query=["old ships", "bread of rye"], max_num_results=5).data
    assert {hit.file_id for hit in both} == {"file-ships", "file-bread"}
    strict = client.vector_stores.search(
        store.id, query="zebra", ranking_options={"score_threshold": 1.0}
    ).data
    assert all(hit.score == 1.0 for hit in strict)


def test_one_store_s_text_is_found_in_no_other_and_by_nobody_else(served: Served) -> None:
    client = served.client()
    ships, bread = ready(client, "file-ships"), ready(client, "file-bread")
    assert {h.file_id for h in client.vector_stores.search(bread.id, query="old ships")} <= {"file-bread"}
    token = {"Authorization": f"Bearer {client.api_key}"}
    hits = served.http.post("/v1/search", json={"query": "old ships"}, headers=token).json()
    assert hits["data"] == [] if "data" in hits else hits["hits"] == []
    assert served.http.get("/v1/documents", headers=token).json()["data"] == []
    other = served.client("rui")
    for call in (other.vector_stores.retrieve, other.vector_stores.delete, other.vector_stores.files.list):
        with pytest.raises(NotFoundError):
            call(ships.id)
    with pytest.raises(NotFoundError):
        other.vector_stores.search(ships.id, query="ships")


def test_files_are_added_polled_filtered_and_taken_out(served: Served) -> None:
    client = served.client()
    store = client.vector_stores.create()
    file = client.vector_stores.files.create_and_poll(
        "file-ships", vector_store_id=store.id, attributes={"year": 1700, "kind": "sea"}
    )
    assert (file.status, file.attributes) == ("completed", {"year": 1700, "kind": "sea"})
    VectorStoreFile.model_validate(file.to_dict(), strict=True)
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 20}}
    bread = client.vector_stores.files.create_and_poll(
        "file-bread", vector_store_id=store.id, attributes={"year": 1900}, chunking_strategy=sizes
    )
    assert bread.chunking_strategy.static.max_chunk_size_tokens == 100
    filters = {"type": "and", "filters": [{"type": "lt", "key": "year", "value": 1800}]}
    found = client.vector_stores.search(store.id, query="oven bread ships", filters=filters).data
    assert {hit.file_id for hit in found} == {"file-ships"}
    with pytest.raises(BadRequestError, match="filters"):
        client.vector_stores.search(store.id, query="x", filters={"type": "like", "key": "a", "value": "b"})  # type: ignore[arg-type]
    listed = client.vector_stores.files.list(store.id, filter="completed", order="asc")
    assert [f.id for f in listed] == ["file-ships", "file-bread"]
    text = client.vector_stores.files.content("file-bread", vector_store_id=store.id).data[0].text
    assert text == BREAD.decode()
    changed = client.vector_stores.files.update("file-bread", vector_store_id=store.id, attributes={"a": "b"})
    assert changed.attributes == {"a": "b"}
    assert client.vector_stores.files.delete("file-ships", vector_store_id=store.id).deleted
    assert {h.file_id for h in client.vector_stores.search(store.id, query="old ships")} <= {"file-bread"}
    with pytest.raises(NotFoundError):
        client.vector_stores.files.retrieve("file-ships", vector_store_id=store.id)


def test_what_cannot_be_read_says_so_and_stops_nothing(served: Served) -> None:
    served.files.kept["file-odd"] = ("odd.bin", b"\x00\x01\x02" * 100)
    client = served.client()
    store = client.vector_stores.create()
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=["file-odd", "file-ships"])
    VectorStoreFileBatch.model_validate(batch.to_dict(), strict=True)
    assert (batch.status, batch.file_counts.completed, batch.file_counts.failed) == ("completed", 1, 1)
    odd = client.vector_stores.files.retrieve("file-odd", vector_store_id=store.id)
    assert (odd.status, odd.last_error.code) == ("failed", "unsupported_file")
    assert odd.last_error.message
    in_batch = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    assert {f.id for f in in_batch} == {"file-odd", "file-ships"}


def test_a_file_that_is_not_there_or_cannot_be_had_leaves_nothing(served: Served) -> None:
    client = served.client()
    with pytest.raises(NotFoundError, match="file-none"):
        client.vector_stores.create(file_ids=["file-ships", "file-none"])
    assert client.vector_stores.list().data == []
    assert on_disk(served.folder, b"Divers") == []
    store = client.vector_stores.create()
    served.files.away = True
    token = {"Authorization": f"Bearer {client.api_key}"}
    answer = served.http.post(
        f"/v1/vector_stores/{store.id}/files", json={"file_id": "file-ships"}, headers=token
    )
    assert answer.status_code == 503
    assert client.vector_stores.files.list(store.id).data == []


def test_a_batch_that_is_refused_is_not_kept(served: Served) -> None:
    client = served.client()
    store, service = client.vector_stores.create(), served.http.app.state.vector_stores  # type: ignore[attr-defined]
    many = [NewFile(f"file-{number}", {}) for number in range(501)]
    with pytest.raises(BadRequest, match="501 files; 500 at most"):
        service.add_batch("ana", store.id, many, {})
    with pytest.raises(NotFoundError, match="file-none"):
        client.vector_stores.file_batches.create(store.id, file_ids=["file-none", "file-ships"])
    service._stores.change(store.id, expired=1)
    with pytest.raises(BadRequestError, match="expired"):
        client.vector_stores.file_batches.create(store.id, file_ids=["file-ships"])
    assert service._stores._read("SELECT count(*) FROM vector_store_batches")[0][0] == 0


def test_nothing_of_a_deleted_store_or_file_stays_on_the_disk(served: Served) -> None:
    client = served.client()
    first, second = ready(client, "file-ships", "file-bread"), ready(client, "file-ships")
    client.vector_stores.search(first.id, query="divers")
    assert on_disk(served.folder, b"Divers")
    token = {"Authorization": f"Bearer {client.api_key}"}
    gone = served.http.delete("/v1/documents?file_id=file-ships", headers=token).json()
    assert gone["deleted"] == 2
    for what in (b"Divers", b"divers", b"ships.txt"):
        assert on_disk(served.folder, what) == []
    assert client.vector_stores.retrieve(first.id).file_counts.total == 1
    client.vector_stores.delete(first.id)
    client.vector_stores.delete(second.id)
    for what in (b"bakery", b"bread.md"):
        assert on_disk(served.folder, what) == []


def test_a_store_that_nobody_uses_expires(served: Served) -> None:
    client = served.client()
    store = ready(client, "file-ships", expires_after={"anchor": "last_active_at", "days": 1})
    database = served.http.app.state.vector_stores._stores  # type: ignore[attr-defined]
    database.change(store.id, last_active_at=time.time() - 2 * 86_400)
    with pytest.raises(BadRequestError, match="expired"):
        client.vector_stores.search(store.id, query="ships")
    assert served.http.app.state.vector_stores.sweep()["vector_stores"].items == 1  # type: ignore[attr-defined]
    told = client.vector_stores.retrieve(store.id)
    assert (told.status, told.file_counts.total) == ("expired", 0)
    assert on_disk(served.folder, b"Divers") == []


def test_after_a_restart_files_are_read_and_half_fetched_ones_say_so(
    start: Callable[..., Served],
) -> None:
    served = start()
    store = ready(served.client(), "file-ships", "file-bread")
    stores = served.http.app.state.vector_stores._stores  # type: ignore[attr-defined]
    document = stores.file(store.id, "file-bread").document_id
    served.http.app.state.vector_stores._drop(document)  # type: ignore[attr-defined]
    stale = stores.file(store.id, "file-ships").document_id
    served.http.app.state.vector_stores._library.record.update(stale, status="processing")  # type: ignore[attr-defined]
    keys = served.keys
    served = start(served.files)
    served.keys = keys
    found = {f.file_id: f for f in served.http.app.state.vector_stores._stores.files(store.id)}  # type: ignore[attr-defined]
    assert "restarted" in (found["file-bread"].error or "")
    assert found["file-ships"].error is None


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Forbidden), (403, Forbidden), (404, NotFound), (503, NotReady), (500, UpstreamFailed)],
)
def test_what_svc_chat_refuses_becomes_an_error_of_ours(status: int, error: type[Exception]) -> None:
    files = ChatFiles("http://chat", 5.0, httpx.MockTransport(lambda _: httpx.Response(status)))
    for call in (files.look, files.open):
        with pytest.raises(error):
            call("file-1", {})
    files.close()


def test_content_is_read_as_it_comes_and_says_that_it_is_for_the_index() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path.endswith("/content"):
            return httpx.Response(200, content=iter([b"one ", b"", b"two"]))
        return httpx.Response(200, json={"filename": "a.txt", "bytes": 7, "expires_at": None})

    files = ChatFiles("http://chat", 5.0, httpx.MockTransport(answer))
    assert files.look("file-1", {}) == RemoteFile("a.txt", 7, None)
    with files.open("file-1", {"Authorization": "Bearer t"}) as content:
        assert content.read() == b"one two"
    assert seen[-1].headers["authorization"] == "Bearer t"
    assert "x-oficina-index" in seen[-1].headers
    assert "x-oficina-index" not in seen[0].headers
    files.close()


def test_a_file_that_has_expired_where_it_came_from_is_found_no_more(served: Served) -> None:
    served.files.expires_at = time.time() + 3600
    client = served.client()
    store = ready(client, "file-ships", "file-bread")
    stores = served.http.app.state.vector_stores  # type: ignore[attr-defined]
    stores._stores.change_file(store.id, "file-ships", expires_at=time.time() - 1)
    found = client.vector_stores.search(store.id, query="old ships")
    assert {hit.file_id for hit in found} <= {"file-bread"}
    assert stores.sweep()["files"].items == 1
    assert on_disk(served.folder, b"Divers") == []


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({"type": "eq", "key": "a", "value": 1}, True),
        ({"type": "ne", "key": "a", "value": 1}, False),
        ({"type": "ne", "key": "none", "value": 1}, True),
        ({"type": "gte", "key": "a", "value": 1}, True),
        ({"type": "gt", "key": "b", "value": 1}, False),
        ({"type": "in", "key": "b", "value": ["x", "y"]}, True),
        ({"type": "nin", "key": "b", "value": ["x"]}, False),
        ({"type": "or", "filters": [{"type": "eq", "key": "a", "value": 2}, {"type": "eq", "key": "b", "value": "x"}]}, True),
        ({"type": "and", "filters": [{"type": "eq", "key": "a", "value": 2}, {"type": "eq", "key": "b", "value": "x"}]}, False),
    ],
)  # fmt: skip
def test_filters_are_those_of_openai(given: Any, passes: bool) -> None:
    assert matches({"a": 1, "b": "x"}, given) is passes
