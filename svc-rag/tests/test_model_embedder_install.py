"""An embedder is installed from a hub, the documents are moved to it while they are searched, and back again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from servicekit.hub.fake_hub import FakeHub, install
from svc_rag.app import create_app
from svc_rag.domain import reindexing
from svc_rag.engine.fake import FakeChat
from svc_rag.engine.text_encoder import TextEncoder
from svc_rag.settings import Settings
from tests.random_embedders import bert, sentence_transformers, xlmr

pytestmark = pytest.mark.model
TEXTS = ("The museum keeps twelve ships", "A padaria abre seven hour", "Bicycle of the library")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    folder = tmp_path_factory.mktemp("repositories")
    small = bert(folder / "small")
    served = {
        "me/small": sentence_transformers(small, pooling="mean_tokens", prompts={"query": "query : "}),
        "me/multi": sentence_transformers(xlmr(folder / "multi"), pooling="cls_token"),
        "me/ranks": xlmr(folder / "ranks", kind="XLMRobertaForSequenceClassification", num_labels=1),
        "me/classes": bert(folder / "classes", kind="BertForSequenceClassification", num_labels=3),
        "me/pickle": {"config.json": small["config.json"], "pytorch_model.bin": b"x"},
        "me/wordless": {name: content for name, content in small.items() if name != "tokenizer.json"},
        "me/other": {
            "config.json": b'{"model_type": "mpnet"}',
            "model.safetensors": b"x",
            "tokenizer.json": b"{}",
        },
    }
    with FakeHub(served) as running:
        yield running


class Owner:
    """A running service that belongs to one person."""

    def __init__(self, client: TestClient):
        self.client = client

    def add(self, text: str) -> str:
        taken = self.client.post("/v1/documents", files={"file": ("notes.txt", text.encode())}).json()
        assert self.finished(taken["id"])["status"] == "completed"
        return str(taken["document_id"])

    def move(self, model: str) -> str:
        answer = self.client.post("/v1/embedder", json={"model": model})
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
        return str(answer.json()["id"])

    def finished(self, job_id: str) -> dict[str, Any]:
        return self.until(
            lambda: self.job(job_id), lambda job: job["status"] in ("completed", "failed", "cancelled")
        )

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/v1/jobs/{job_id}").json())

    def state(self) -> dict[str, Any]:
        return dict(self.client.get("/v1/embedder").json())

    def found(self, query: str, mode: str = "vector") -> str:
        answer = self.client.post("/v1/search", json={"query": query, "mode": mode})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["hits"][0]["text"])

    def until(self, look: Callable[[], Any], holds: Callable[[Any], bool], timeout_s: float = 90) -> Any:
        deadline = time.monotonic() + timeout_s
        while not holds(seen := look()):
            assert time.monotonic() < deadline, seen
            time.sleep(0.02)
        return seen


@pytest.fixture
def start(hub: FakeHub, tmp_path: Path) -> Iterator[Callable[..., Owner]]:
    opened: list[TestClient] = []

    def stop() -> None:
        while opened:
            opened.pop().__exit__(None, None, None)

    def begin(**options: Any) -> Owner:
        stop()
        chosen: dict[str, Any] = {
            "data_dir": tmp_path / "rag", "auth": "off", "allowed_hosts": ("testserver",), "hf_endpoint": hub.url,
            "embedder": "hashing",
        }  # fmt: skip
        client = TestClient(create_app(Settings(**chosen | options), FakeChat()))
        client.__enter__()
        opened.append(client)
        owner = Owner(client)
        owner.until(lambda: client.get("/readyz").json(), lambda told: told["status"] == "ready")
        return owner

    yield begin
    stop()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Let the installed embedders embed one passage for each release; opened at the end."""
    turns = threading.Semaphore(0)
    plain = TextEncoder.embed
    monkeypatch.setattr(reindexing, "BATCH", 1)
    monkeypatch.setattr("servicekit.jobs.context.MIN_INTERVAL_S", 0.0)  # each step is told

    def embed(self: TextEncoder, texts: Any, role: Any = "plain") -> Any:
        if role == "passage":
            turns.acquire(timeout=300)
        return plain(self, texts, role)

    monkeypatch.setattr(TextEncoder, "embed", embed)
    yield turns
    turns.release(10_000)


def test_documents_move_to_an_installed_embedder_and_back_and_are_found_by_it(start) -> None:
    owner = start()
    for text in TEXTS:
        owner.add(text)
    plan = owner.client.post("/v1/models/plan", json={"id": "me/multi"}).json()
    assert plan["fit"] == "fits" and "1_Pooling/config.json" in {file["name"] for file in plan["files"]}
    assert 72 * 2**20 < plan["memory_bytes"] < 90 * 2**20, "so small a model is almost all Python"
    assert install(owner.client, "me/multi")["status"] == "completed"
    assert owner.state()["model"] == "hashing", "installing moves nothing"
    job = owner.finished(owner.move("me/multi"))
    assert job["result"] == {"model": "me/multi", "dimension": 48, "chunks": 3} and job["percent"] == 100
    state = owner.state()
    assert (state["model"], state["dimension"], state["moving"]) == ("me/multi", 48, None)
    assert {owner.found(text) for text in TEXTS} == set(TEXTS), "each text is nearest to itself"
    made = owner.client.post(
        "/v1/embeddings", json={"model": "text-embedding-3-small", "input": "ships"}
    ).json()
    assert made["model"] == "me/multi" and len(made["data"][0]["embedding"]) == 48
    assert owner.client.get("/readyz").json()["model"] == "me/multi", "the gateway keeps results by it"
    owner.add("Bread , paint and x y z")
    assert owner.found("bread paint x y z").startswith("Bread")
    assert owner.client.get("/v1/models").json()["data"][0]["id"] == "hashing"
    assert owner.finished(owner.move("hashing"))["status"] == "completed"
    assert owner.found("bicycle library") == TEXTS[2]


def test_the_embedder_in_use_is_not_removed_and_another_is(start) -> None:
    owner = start()
    owner.add(TEXTS[0])
    for name in ("me/small", "me/multi"):
        assert install(owner.client, name)["status"] == "completed"
    owner.finished(owner.move("me/small"))
    refused = owner.client.delete("/v1/models/me/small")
    assert refused.status_code == 409 and "POST /v1/embedder" in refused.json()["error"]["message"]
    assert owner.client.delete("/v1/models/me/multi").status_code == 200
    assert owner.client.post("/v1/embedder", json={"model": "me/multi"}).status_code == 404
    owner.finished(owner.move("hashing"))
    assert owner.client.delete("/v1/models/me/small").json()["deleted"] is True


def test_the_store_s_embedder_is_used_after_a_restart_and_its_lack_is_told(start, tmp_path) -> None:
    owner = start()
    owner.add(TEXTS[0])
    install(owner.client, "me/small")
    owner.finished(owner.move("me/small"))
    owner = start()
    assert owner.state()["model"] == "me/small" and owner.found(TEXTS[0]) == TEXTS[0]
    owner.client.__exit__(None, None, None)
    (tmp_path / "rag" / "models").rename(tmp_path / "elsewhere")
    client = owner.client = TestClient(create_app(_settings(tmp_path), FakeChat()))
    with client:
        told = owner.until(
            lambda: client.get("/readyz").json(), lambda told: "me/small" in str(told["reason"])
        )
        assert told["status"] == "not_ready" and owner.state()["installed"] is False
        away = client.post("/v1/search", json={"query": "ships"})
        assert (away.status_code, away.json()["error"]["code"]) == (503, "embedder_missing")
        assert owner.finished(owner.move("hashing"))["status"] == "completed", "the texts are all it takes"
        assert owner.found("museum ships") == TEXTS[0]


def _settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "rag", auth="off", allowed_hosts=("testserver",), embedder="hashing")


def one_moved(start, gate) -> tuple[Any, str]:
    """Return an owner of whose documents one has been moved to another embedder, and the job that goes on."""
    owner = start()
    for text in TEXTS:
        owner.add(text)
    install(owner.client, "me/small")
    job_id = owner.move("me/small")
    gate.release(1)
    owner.until(owner.state, lambda state: (state["moving"] or {}).get("step") == 1)
    return owner, job_id


def test_searches_are_answered_meanwhile_and_a_document_that_comes_meanwhile_moves_too(start, gate) -> None:
    owner, job_id = one_moved(start, gate)
    assert owner.found("museum ships") == TEXTS[0] and owner.state()["model"] == "hashing"
    owner.add("Bread , paint and x y z")
    again = owner.client.post("/v1/embedder", json={"model": "me/small"})
    assert again.json()["id"] == job_id, "asked again, it is the same job"
    other = owner.client.post("/v1/embedder", json={"model": "hashing"})
    assert other.status_code == 409 and "me/small" in other.json()["error"]["message"]
    assert owner.client.delete("/v1/models/me/small").status_code == 409
    gate.release(100)
    assert owner.finished(job_id)["result"]["chunks"] == 4
    assert owner.found("Bread , paint and x y z").startswith("Bread")


def test_a_cancelled_move_keeps_the_old_embedder(start, gate) -> None:
    owner, job_id = one_moved(start, gate)
    owner.client.delete(f"/v1/jobs/{job_id}")
    gate.release(1)
    assert owner.finished(job_id)["status"] == "cancelled"
    assert owner.state()["model"] == "hashing" and owner.state()["moving"] is None
    assert owner.found("museum ships") == TEXTS[0]
    gate.release(100)
    assert owner.finished(owner.move("me/small"))["status"] == "completed"


def test_a_paused_move_rests_over_a_restart_and_goes_on_where_it_was(start, gate) -> None:
    owner = start()
    for text in TEXTS:
        owner.add(text)
    install(owner.client, "me/small")
    assert owner.client.post("/v1/embedder/pause").status_code == 409, "nothing moves"
    job_id = owner.move("me/small")
    gate.release(1)
    owner.until(owner.state, lambda state: (state["moving"] or {}).get("step") == 1)
    assert owner.client.post("/v1/embedder/pause").json()["moving"]["paused"] is True
    gate.release(1)
    owner.until(owner.state, lambda state: "paused" in state["moving"]["message"])
    assert owner.state()["moving"]["eta_s"] is None
    owner = start()
    owner.until(owner.state, lambda state: "paused" in state["moving"]["message"])
    gate.release(1)  # one of three is left: more would not be let through
    assert owner.client.post("/v1/embedder/resume").json()["moving"]["paused"] is False
    assert owner.finished(job_id)["status"] == "completed"


def test_a_reranker_is_installed_and_asked_by_its_name(start) -> None:
    owner = start()
    assert install(owner.client, "me/ranks")["status"] == "completed"
    assert owner.client.get("/v1/models/me/ranks").json()["task"] == "rerank"
    body = {"model": "me/ranks", "query": "ships", "documents": list(TEXTS), "top_n": 2}
    ranked = owner.client.post("/v1/rerank", json=body).json()
    scores = [row["relevance_score"] for row in ranked["results"]]
    assert ranked["model"] == "me/ranks" and scores == sorted(scores, reverse=True) and len(scores) == 2
    assert owner.client.post("/v1/embedder", json={"model": "me/ranks"}).status_code == 404
    assert owner.client.post("/v1/embeddings", json={"model": "me/ranks", "input": "x"}).status_code == 404
    assert owner.client.delete("/v1/models/me/ranks").status_code == 200


def test_a_chosen_reranker_orders_what_searches_and_questions_find(start) -> None:
    owner = start()
    for text in TEXTS:
        owner.add(text)
    assert install(owner.client, "me/ranks")["status"] == "completed"

    def hits(**more: Any) -> dict[str, Any]:
        answer = owner.client.post("/v1/search", json={"query": "museum ships", "top_k": 2, **more})
        return dict(answer.raise_for_status().json())

    assert hits()["reranker"] is None, "installed is not chosen"
    body = {"model": "me/ranks", "query": "museum ships", "documents": list(TEXTS)}
    ranked = owner.client.post("/v1/rerank", json=body).json()["results"]
    told = hits(reranker="me/ranks")
    assert told["reranker"] == "me/ranks"
    assert [hit["text"] for hit in told["hits"]] == [TEXTS[row["index"]] for row in ranked[:2]]
    assert [hit["score"] for hit in told["hits"]] == [row["relevance_score"] for row in ranked[:2]]
    asked = owner.client.post(
        "/ask/question", json={"question": "museum ships", "reranker": "me/ranks"}
    ).json()
    assert asked["reranker"] == "me/ranks" and asked["found"] is True
    refused = owner.client.post("/v1/search", json={"query": "ships", "reranker": "me/none"})
    assert refused.status_code == 404 and "me/ranks" in refused.json()["error"]["message"]
    refused = owner.client.post("/ask/question", json={"question": "ships?", "reranker": "me/none"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "reranker")

    owner = start(reranker="me/ranks")
    assert hits()["reranker"] == "me/ranks" and hits(reranker=None)["reranker"] is None
    assert owner.client.delete("/v1/models/me/ranks").status_code == 200
    assert hits()["reranker"] is None, "the one of the settings is done without while it is not here"


def test_what_does_not_run_is_refused_unfetched_and_says_why(start, hub) -> None:
    owner = start()
    for name, status, why in (
        ("me/classes", 400, "several classes"), ("me/pickle", 400, "pickles"), ("me/wordless", 400, "tokenizer.json"),
        ("me/other", 400, "mpnet"), ("nobody/nothing", 404, "nobody/nothing"), ("bge-m4", 404, "multilingual-e5-small"),
    ):  # fmt: skip
        answer = owner.client.post("/v1/models/install", json={"id": name})
        assert answer.status_code == status and why in answer.json()["error"]["message"], answer.text
    assert not [asked for asked in hub.asked if "me/other" in asked.path and "safetensors" in asked.path]
    for body in ({}, {"model": ""}, {"model": 7}):
        assert owner.client.post("/v1/embedder", json=body).status_code in (400, 422)
    in_use = owner.client.post("/v1/embedder", json={"model": "hashing"})
    assert in_use.status_code == 409 and "already" in in_use.json()["error"]["message"]


def test_a_prefix_is_put_where_the_caller_says_what_a_text_is(start) -> None:
    owner = start()
    install(owner.client, "me/small")

    def made(text: str, **more: str) -> list[float]:
        body = {"model": "me/small", "input": text, **more}
        return list(owner.client.post("/v1/embeddings", json=body).json()["data"][0]["embedding"])

    assert made("ships", input_type="query") == pytest.approx(made("query : ships"), abs=1e-5)
    assert made("ships", input_type="passage") == pytest.approx(made("ships"), abs=1e-5)
    assert made("ships", input_type="query") != pytest.approx(made("ships"), abs=1e-3)
