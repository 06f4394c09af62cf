"""What outlives a restart, and what happens while the search store is away."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing

import pytest

from servicekit.errors import NewerDatabase
from servicekit.models import NoMemory
from svc_rag.domain.embedders import space_of
from svc_rag.engine.fake import FakeChat
from svc_rag.engine.files import FolderFiles
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.engine.opensearch_store import OpenSearchStore

EMPTY_STORE = (
    "DELETE FROM store_chunks",
    "DELETE FROM store_vectors",
    "DELETE FROM store_documents",
    "INSERT INTO store_words (store_words) VALUES ('rebuild')",
)
TEXT = "The museum keeps twelve paintings of old ships. Entrance is free on Sundays."


def test_a_document_over_the_limit_is_refused(start):
    answer = start(max_document_bytes=1000).upload(b"x" * 1001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "document_too_large")


def test_documents_and_their_chunks_outlive_a_restart(start):
    first = start()
    document_id = first.add(TEXT)
    again = start(FakeChat())
    until_found(again, "museum paintings", document_id)


def test_without_the_search_store_the_service_starts_and_says_so(start):
    service = start(search_store="opensearch", opensearch_url="http://127.0.0.1:9")
    taken = service.upload(TEXT.encode())
    assert taken.status_code == 202
    waiting = service.until(lambda job: "waiting for the search store" in job["message"], taken.json()["id"])
    assert waiting["status"] == "running"
    answer = service.call("POST", "/v1/search", json={"query": "museum"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_not_ready")
    assert int(answer.headers["retry-after"]) >= 1
    assert "store not ready" in service.client.get("/readyz").json()["reason"]
    assert service.call("DELETE", f"/v1/jobs/{waiting['id']}").status_code == 200
    assert service.finish(waiting["id"])["status"] == "cancelled"


def change(service, *statements):
    """Change a stopped service's record, as a backup or a crash may have left it."""
    service.client.__exit__(None, None, None)
    service.client = ExitStack()
    with closing(sqlite3.connect(service.data_dir / "rag.db", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def until_found(service, query, document_id, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while True:
        answer = service.call("POST", "/v1/search", json={"query": query})
        if answer.status_code == 200 and [h["document_id"] for h in answer.json()["hits"]] == [document_id]:
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


@pytest.mark.parametrize(
    "lost",
    [
        "UPDATE documents SET status = 'queued', job_id = NULL, chunks = 0",
        "UPDATE documents SET status = 'processing'",
    ],
    ids=["its job was never submitted", "its job ended after the record was copied"],
)
def test_a_document_that_no_job_looks_after_is_read_again(start, lost):
    first = start()
    document_id = first.add(TEXT)
    change(first, lost, "UPDATE documents SET created_at = created_at - 100", *EMPTY_STORE)
    again = start()
    until_found(again, "museum paintings", document_id)
    again.finish(again.call("GET", "/v1/documents").json()["data"][0]["job_id"])
    assert again.call("GET", "/v1/documents").json()["data"][0]["status"] == "ready"


def test_an_index_that_was_lost_is_made_again_from_the_record(start):
    first = start()
    document_id = first.add(TEXT)
    change(first, "UPDATE documents SET created_at = created_at - 100", *EMPTY_STORE)
    until_found(start(), "museum paintings", document_id)


@pytest.mark.store
def test_an_opensearch_that_came_up_empty_is_filled_from_the_record(start):
    url = os.environ.get("OPENSEARCH_URL")
    if not url:
        pytest.skip("OPENSEARCH_URL names no server")
    first = start(search_store="opensearch", opensearch_url=url)
    document_id = first.add(TEXT)
    change(first, "UPDATE documents SET created_at = created_at - 100")
    store = OpenSearchStore(url, space_of(HashingEmbedder()))
    store.delete(document_id)
    store.close()
    again = start(search_store="opensearch", opensearch_url=url)
    until_found(again, "museum paintings", document_id)


def test_a_document_waits_for_memory_instead_of_failing(start, monkeypatch):
    plain, refusals = HashingEmbedder.embed, [NoMemory("No room."), NoMemory("No room.")]

    def embed(self, texts, role="plain"):
        if role == "passage" and refusals:
            raise refusals.pop()
        return plain(self, texts, role)

    monkeypatch.setattr(HashingEmbedder, "embed", embed)
    service = start()
    document_id = service.add(TEXT)
    assert not refusals
    until_found(service, "museum paintings", document_id)


def test_a_record_of_a_newer_program_is_refused(start):
    first = start()
    change(first, "PRAGMA user_version = 8")
    with pytest.raises(NewerDatabase, match="svc-rag are of version 8"):
        start()


def test_a_record_from_before_versions_were_kept_is_taken_over(start):
    first = start()
    document_id = first.add(TEXT)
    change(first, "PRAGMA user_version = 0")
    until_found(start(), "museum paintings", document_id)


def test_an_upload_nobody_acknowledged_is_removed_but_not_one_under_way(tmp_path):
    files = FolderFiles(tmp_path)
    files.put("doc_" + "a" * 32, io.BytesIO(b"x"), 10)
    assert files.ids(older_than_s=3600) == [] and len(files.ids()) == 1


FULL = """
import io, resource, sys
from pathlib import Path
from servicekit.errors import NotReady
from svc_rag.engine.files import FolderFiles
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.engine.opensearch_store import OpenSearchStore
files, name = FolderFiles(Path(sys.argv[1])), "doc_" + "a" * 32
files.put(name, io.BytesIO(b"old"), 10**6)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    files.put(name, io.BytesIO(b"x" * 100_000), 10**6)
except NotReady as error:
    print(error.message)
"""


def test_a_full_disk_keeps_the_old_file_and_says_what_to_do(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    assert "Free some disk space" in ended.stdout and str(tmp_path) not in ended.stdout
    (folder,) = tmp_path.iterdir()
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("source", b"old")]
