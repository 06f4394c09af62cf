"""The API of svc-rag over real requests, with a fake chat and word hashes for vectors."""

from __future__ import annotations

import base64
import json

import numpy as np
import openai
import pytest

TEXT = (
    "A padaria da praça abre às sete horas. O pão de queijo custa três reais.\n\n"
    "The museum keeps twelve paintings of old ships. Entrance is free on Sundays.\n\n"
    "Bicycles are repaired behind the library."
)


def test_a_document_is_taken_in_listed_read_and_deleted(service):
    taken = service.upload(TEXT.encode(), "Meu arquivo.txt")
    assert taken.status_code == 202
    job = service.finish(taken.json()["id"])
    document_id = taken.json()["document_id"]
    assert (job["status"], job["kind"], job["result"]["chunks"], job["step"], job["total"]) == (
        "completed",
        "ingest",
        1,
        4,
        4,
    )
    (listed,) = service.call("GET", "/v1/documents").json()["data"]
    assert listed == service.call("GET", f"/v1/documents/{document_id}").json()
    assert {k: listed[k] for k in ("id", "title", "media_type", "size_bytes", "pages", "chunks", "status")} == {
        "id": document_id, "title": "Meu arquivo", "media_type": "text/plain", "size_bytes": len(TEXT.encode()),
        "pages": 1, "chunks": 1, "status": "ready",
    }  # fmt: skip
    read = service.call("GET", f"/v1/documents/{document_id}/text").json()
    assert read == {"text": TEXT, "pages": [{"page": 1, "start": 0, "end": len(TEXT)}]}
    assert service.call("DELETE", f"/v1/documents/{document_id}").json()["deleted"] is True
    assert service.call("GET", f"/v1/documents/{document_id}").status_code == 404
    assert service.call("POST", "/v1/search", json={"query": "padaria"}).json()["hits"] == []
    assert service.call("GET", "/v1/documents").json()["data"] == []


@pytest.mark.parametrize("mode", ["hybrid", "text", "vector"])
def test_a_search_finds_the_passage_with_its_place(service, mode):
    document_id = service.add(TEXT)
    found = service.call("POST", "/v1/search", json={"query": "museum paintings ships", "mode": mode}).json()
    hit = found["hits"][0]
    assert (hit["document_id"], hit["title"], hit["page"]) == (document_id, "notes", 1)
    assert hit["text"] == TEXT[hit["start"] : hit["end"]]
    assert set(found["timing"]) == {"queue_ms", "load_ms", "run_ms"}


def test_a_search_can_be_kept_to_a_document(service):
    service.add(TEXT, "one.txt")
    other = service.add("Ships and paintings of another museum.", "two.txt")
    body = {"query": "museum paintings", "filter": {"document_ids": [other]}}
    assert {hit["document_id"] for hit in service.call("POST", "/v1/search", json=body).json()["hits"]} == {
        other
    }


def test_a_supported_answer_is_given_with_citations_that_stand_in_the_document(service):
    service.add(TEXT)
    service.chat.text = "The museum keeps twelve paintings [1]."
    answer = service.call(
        "POST", "/ask/question", json={"question": "How many paintings does the museum keep?"}
    ).json()
    assert answer["found"] is True and answer["extractive"] is False and answer["model"] == "fake-chat"
    (citation,) = answer["citations"]
    assert citation["quote"] == TEXT[citation["start"] : citation["end"]]
    assert citation["quote"] == "The museum keeps twelve paintings of old ships."
    system, user = service.chat.asked[0]
    assert system["content"].startswith("Answer only from the numbered passages. Cite them like [1].")
    assert user["content"].startswith("Passages:\n[1] ") and user["content"].endswith(
        "\n\nQuestion: How many paintings does the museum keep?"
    )
    assert service.chat.bearers[0]["Authorization"].startswith("Bearer ")


def test_a_portuguese_question_is_put_in_portuguese(service):
    service.add(TEXT)
    service.chat.text = "Às sete horas [1]."
    answer = service.call(
        "POST", "/ask/question", json={"question": "Quando abre a padaria da praça?"}
    ).json()
    assert answer["found"] and answer["citations"][0]["quote"] == "A padaria da praça abre às sete horas."
    system, user = service.chat.asked[0]
    assert system["content"].startswith("Responda apenas com os trechos numerados.")
    assert user["content"].startswith("Trechos:\n[1] ") and "\n\nPergunta: " in user["content"]


@pytest.mark.parametrize(
    "said",
    [
        None,
        "The museum keeps forty paintings [1].",
        "It keeps twelve paintings.",
        "It keeps twelve paintings [9].",
        "Bananas grow quickly in warm tropical gardens [1].",
        "",
        "[1]",
    ],
)
def test_an_unsupported_answer_is_replaced_by_the_sentence_itself(service, said):
    service.add(TEXT)
    service.chat.text = said
    answer = service.call(
        "POST", "/ask/question", json={"question": "How many paintings does the museum keep?"}
    ).json()
    assert answer["found"] is True and answer["extractive"] is True
    assert answer["answer"] == "The museum keeps twelve paintings of old ships. [1]"
    assert answer["citations"][0]["quote"] == "The museum keeps twelve paintings of old ships."


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What is the capital of Mongolia?", "I did not find the answer in your documents."),
        ("Qual é a capital da Mongólia?", "Não encontrei a resposta nos seus documentos."),
    ],
)
def test_what_the_documents_do_not_hold_is_said(service, question, sentence):
    service.add(TEXT)
    service.chat.text = "The capital is Ulaanbaatar [1]."
    answer = service.call("POST", "/ask/question", json={"question": question}).json()
    assert (answer["found"], answer["citations"], answer["answer"]) == (False, [], sentence)


def test_asking_without_documents_finds_nothing(service):
    assert service.call("POST", "/ask/question", json={"question": "Anything?"}).json()["found"] is False


def test_an_answer_streams_citations_words_and_the_end(service):
    service.add(TEXT)
    service.chat.text = "The museum keeps twelve paintings [1]."
    body = {"question": "How many paintings does the museum keep?", "stream": True}
    answer = service.call("POST", "/ask/question", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block for block in answer.text.split("\n\n") if block.startswith("event: ")]
    parsed = [(b.split("\n")[0][7:], json.loads(b.split("\n")[1][6:])) for b in events]
    assert [name for name, _ in parsed][:2] == ["citations", "delta"] and parsed[-1][0] == "done"
    assert "".join(data["delta"] for name, data in parsed if name == "delta") == parsed[-1][1]["answer"]
    assert parsed[0][1]["citations"] == parsed[-1][1]["citations"]


def test_training_adds_texts_that_questions_find(service):
    body = {"training_data": "O farol da ilha foi construído em 1887."}
    answer = service.call("POST", "/training/train", json=body)
    assert answer.json()["message"] == "Dados de treinamento adicionados com sucesso!"
    assert service.finish(answer.json()["job_id"])["status"] == "completed"
    body = {
        "documents": [
            {"title": "Ilha", "text": "A ilha tem um porto."},
            {"title": "Rio", "text": "O rio é largo."},
        ]
    }
    many = service.call("POST", "/training/train", json=body).json()
    assert all(service.finish(job)["status"] == "completed" for job in many["job_ids"])
    assert {d["title"] for d in service.call("GET", "/v1/documents").json()["data"]} >= {"Ilha", "Rio"}
    asked = service.call(
        "POST", "/ask/question", json={"question": "Quando foi construído o farol da ilha?"}
    ).json()
    assert "1887" in asked["answer"]


def test_training_reaches_the_model_too_when_chat_is_there(service):
    body = {"training_data": "The lighthouse was painted white."}
    assert service.call("POST", "/training/train", json=body).json()["model"] == "unavailable"
    service.chat.text = "here"
    assert service.call("POST", "/training/train", json=body).json()["model"] == "stored"
    assert service.chat.trained[-1] == body["training_data"]


def test_what_belongs_to_another_is_not_there(service):
    document_id = service.add(TEXT)
    job_id = service.call("GET", f"/v1/documents/{document_id}").json()["job_id"]
    for method, path in [
        ("GET", f"/v1/documents/{document_id}"), ("DELETE", f"/v1/documents/{document_id}"),
        ("GET", f"/v1/documents/{document_id}/text"), ("GET", f"/v1/jobs/{job_id}"), ("DELETE", f"/v1/jobs/{job_id}"),
    ]:  # fmt: skip
        assert service.call(method, path, user="eve").status_code == 404, path
    assert service.call("GET", "/v1/documents", user="eve").json()["data"] == []
    stolen = {"query": "museum", "filter": {"document_ids": [document_id]}}
    assert service.call("POST", "/v1/search", user="eve", json=stolen).json()["hits"] == []
    assert service.call("GET", f"/v1/documents/{document_id}").status_code == 200


@pytest.mark.parametrize(
    "bad", ["x", "doc_" + "0" * 32, "../../etc/passwd", "%2e%2e%2f", "doc_" + "Z" * 32, "a" * 3000]
)
def test_ids_that_are_none_are_404(service, bad):
    for path in (f"/v1/documents/{bad}", f"/v1/documents/{bad}/text"):
        assert service.call("GET", path).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/cron.d/x.txt",
        "C:\\windows\\x.txt",
        "a\x01b.txt",
        "<script>.txt",
        ".txt",
        "x" * 900 + ".txt",
    ],
)
def test_hostile_file_names_become_plain_titles(service, name):
    answer = service.upload(b"some words here", name)
    assert answer.status_code == 202, answer.text
    service.finish(answer.json()["id"])
    title = service.call("GET", f"/v1/documents/{answer.json()['document_id']}").json()["title"]
    assert 0 < len(title) <= 300 and not set("/\\<>\x01") & set(title)
    outside = [
        p
        for p in service.data_dir.parent.rglob("*")
        if p.is_file() and not p.is_relative_to(service.data_dir)
    ]
    assert outside == []
    kept = service.data_dir / "documents" / answer.json()["document_id"]
    assert [path.name for path in kept.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"files": {"other": ("a.txt", b"x")}}, 400),
        ({"data": {"file": "text"}, "files": {"x": ("a", b"")}}, 400),
        ({"files": {"file": ("a.txt", b"")}}, 400),
        ({"files": {"file": ("a.bin", b"\x00\x01\x02")}}, 415),
        ({"files": {"file": ("a.pdf", b"%PDF-1.7 nothing")}}, 400),
        ({"files": {"file": ("a.docx", b"PK\x03\x04nothing")}}, 400),
        ({"content": b"hello", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b"--x\r\nbroken", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"json": {}}, 400),
        ({"json": []}, 400),
        ({"json": {"url": 3}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"url": "http://127.0.0.1:1/x"}}, 400),
        ({"json": {"url": "file:///etc/passwd"}}, 400),
    ],
)
def test_bad_uploads_are_clear_4xx_and_leave_nothing(service, options, status):
    before = sorted((service.data_dir / "documents").iterdir())
    answer = service.call("POST", "/v1/documents", **options)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert service.call("GET", "/v1/documents").json()["data"] == []
    assert sorted((service.data_dir / "documents").iterdir()) == before


def test_a_data_url_is_a_document(service):
    url = (
        "data:text/html;base64,"
        + base64.b64encode(b"<title>Farm</title><p>Geese guard the farm.</p>").decode()
    )
    taken = service.call("POST", "/v1/documents", json={"url": url})
    assert taken.status_code == 202, taken.text
    assert service.finish(taken.json()["id"])["status"] == "completed"
    assert service.call("GET", f"/v1/documents/{taken.json()['document_id']}").json()["title"] == "Farm"


def test_the_same_key_takes_a_document_in_once(service):
    first = service.upload(b"words", headers={"Idempotency-Key": "k1"}).json()
    again = service.upload(b"words", headers={"Idempotency-Key": "k1"}).json()
    assert (first["id"], first["document_id"]) == (again["id"], again["document_id"])
    assert service.upload(b"words", user="eve", headers={"Idempotency-Key": "k1"}).json()["id"] != first["id"]
    assert len(service.call("GET", "/v1/documents").json()["data"]) == 1


def test_the_same_key_with_another_document_is_refused_and_leaves_the_first(service):
    first = service.upload(b"words", headers={"Idempotency-Key": "k1"}).json()
    other = service.upload(b"other words", headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422 and other.json()["error"]["code"] == "idempotency_key_reused"
    assert [d["id"] for d in service.call("GET", "/v1/documents").json()["data"]] == [first["document_id"]]
    assert service.finish(first["id"])["status"] == "completed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/search", {}), ("/v1/search", {"query": " "}), ("/v1/search", {"query": "x", "top_k": 0}),
        ("/v1/search", {"query": "x", "top_k": 10**9}), ("/v1/search", {"query": "x", "mode": "magic"}),
        ("/v1/search", {"query": "x" * 5000}), ("/v1/search", {"query": "x", "filter": {"owner": "eve"}}),
        ("/ask/question", {"question": ""}), ("/ask/question", {"question": "x", "top_k": -1}),
        ("/training/train", {}), ("/training/train", {"training_data": ""}), ("/training/train", {"documents": []}),
        ("/v1/embeddings", {}), ("/v1/embeddings", {"input": []}), ("/v1/embeddings", {"input": ["a", ""]}),
        ("/v1/embeddings", {"input": [1, 2]}), ("/v1/embeddings", {"input": "x", "dimensions": 7}),
        ("/v1/rerank", {"query": "x", "documents": []}), ("/v1/rerank", {"query": "x", "documents": [3]}),
    ],
)  # fmt: skip
def test_bad_bodies_name_the_field(service, path, body):
    answer = service.call("POST", path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_embeddings_have_openais_shape_in_both_encodings(service):
    body = {"model": "text-embedding-3-small", "input": ["one text", "another " * 400]}
    answer = service.call("POST", "/v1/embeddings", json=body).json()
    assert answer["object"] == "list" and answer["model"] == "hashing" and answer["usage"]["total_tokens"] > 0
    rows = np.array([item["embedding"] for item in answer["data"]], np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    packed = service.call("POST", "/v1/embeddings", json=body | {"encoding_format": "base64"}).json()
    assert np.allclose(np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), "<f4"), rows[0])
    assert service.call("POST", "/v1/embeddings", json={"model": "nope", "input": "x"}).status_code == 404


def test_rerank_has_jinas_shape(service):
    body = {
        "query": "old ships",
        "documents": ["a bakery", {"text": "old ships at sea"}, "the library"],
        "top_n": 2,
    }
    answer = service.call("POST", "/v1/rerank", json=body).json()
    assert [len(answer["results"]), answer["results"][0]["index"]] == [2, 1]
    assert answer["results"][0]["document"] == {"text": "old ships at sea"}


def test_the_official_client_can_embed(service):
    client = openai.OpenAI(
        api_key=service.keys.token(), base_url="http://testserver/v1", http_client=service.client
    )
    found = client.embeddings.create(model="text-embedding-3-small", input="hello world")
    assert len(found.data[0].embedding) == 64


def test_a_faithful_copy_of_the_wrong_sentence_is_replaced_by_the_right_one(service):
    service.add(TEXT)
    service.chat.text = "[1] Bicycles are repaired behind the library."
    answer = service.call(
        "POST", "/ask/question", json={"question": "How many paintings does the museum keep?"}
    ).json()
    assert answer["answer"] == "The museum keeps twelve paintings of old ships. [1]"
    assert answer["extractive"] is True


def test_a_question_that_stands_in_a_document_is_answered_and_not_told_back(service):
    service.add("P: Onde fica a oficina?\nR: Na rua das Flores, 10.")
    service.chat.text = "Os trechos não dizem."
    answer = service.call("POST", "/ask/question", json={"question": "Onde fica a oficina?"}).json()
    assert answer["answer"] == "P: Onde fica a oficina? R: Na rua das Flores, 10. [1]"


def test_a_word_that_a_copy_took_from_elsewhere_is_left_out(service):
    service.add("O prazo de entrega é de sete dias úteis. A garantia vale por noventa dias.")
    service.chat.text = "[1] A garantia vale por noventa dias úteis."
    answer = service.call(
        "POST", "/ask/question", json={"question": "Por quantos dias vale a garantia?"}
    ).json()
    assert answer["answer"] == "A garantia vale por noventa dias. [1]"
