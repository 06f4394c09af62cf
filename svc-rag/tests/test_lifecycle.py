"""What outlives a restart, and what happens while the search store is away."""

from __future__ import annotations

from svc_rag.engine.fake import FakeChat

TEXT = "The museum keeps twelve paintings of old ships. Entrance is free on Sundays."


def test_a_document_over_the_limit_is_refused(start):
    answer = start(max_document_bytes=1000).upload(b"x" * 1001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "document_too_large")


def test_documents_and_their_chunks_outlive_a_restart(start):
    first = start()
    document_id = first.add(TEXT)
    again = start(FakeChat())
    hits = again.call("POST", "/v1/search", json={"query": "museum paintings"}).json()["hits"]
    assert hits[0]["document_id"] == document_id


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
