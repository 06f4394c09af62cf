"""An answer counts only as far as the passages it cites hold it."""

from __future__ import annotations

import pytest

from svc_rag.domain.grounding import denies, ground, miscopies
from svc_rag.domain.prompting import Passage, messages, passages_around
from svc_rag.domain.relevance import rank_sentences
from svc_rag.domain.retrieval import Found
from svc_rag.domain.sentences import Span
from svc_rag.engine.base import Document, Hit
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.words import language_of, numbers

DOCUMENT = Document("d", "ana", "Notes", "text/plain", 1, 1, 1, "ready", 0.0)
TEXTS = ("The ferry leaves at 9:30 from the north pier.", "Tickets cost 1.250 reais for groups of ten.")


def passage(text: str) -> Passage:
    hit = Hit("d:0", "d", text, 1.0, 1, 0, len(text))
    return Passage(Found(hit, DOCUMENT), Span(0, len(text)), text)


PASSAGES = [passage(text) for text in TEXTS]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The ferry leaves at 9:30 [1].", ("The ferry leaves at 9:30 [1].", (1,))),
        ("Tickets cost 1,250 reais [2].", ("Tickets cost 1,250 reais [1].", (2,))),
        (
            "From the north pier [1], for groups of ten [2].",
            ("From the north pier [1], for groups of ten [2].", (1, 2)),
        ),
        ("From the north pier [1][7].", ("From the north pier [1].", (1,))),
        ("The ferry leaves at 9:30.", None),
        ("The ferry leaves at 8:30 [1].", None),
        ("The ferry leaves at 9:30 [2].", None),
        ("Airplanes depart hourly towards London [1].", None),
        ("[1]", None),
        ("", None),
    ],
)
def test_only_what_the_cited_passages_hold_is_kept(answer, expected):
    found = ground("When does it leave?", answer, PASSAGES)
    assert (None if found is None else (found.answer, found.cited)) == expected


@pytest.mark.parametrize(
    ("answer", "denied"),
    [
        ("The passages do not hold the answer.", True),
        ("Os trechos não têm a resposta.", True),
        ("Não encontrei isso nos trechos.", True),
        ("I cannot find it.", True),
        ("The ferry leaves at 9:30 [1].", False),
        ("O preço não muda aos domingos [1].", False),
    ],
)
def test_an_answer_that_there_is_none_is_understood(answer, denied):
    assert denies(answer) is denied


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Onde fica a padaria?", "pt"),
        ("Qual o preço?", "pt"),
        ("Where is the bakery?", "en"),
        ("How much is it?", "en"),
        ("Horário de funcionamento da biblioteca", "pt"),
        ("42", "en"),
    ],
)
def test_the_language_of_a_question_is_known(text, language):
    assert language_of(text) == language


def test_numbers_are_equal_however_they_are_written():
    assert numbers("1.250 and 9:30") == numbers("1,250 or 9.30") == {"1250", "930"}


def test_a_prompt_stays_small_and_its_passages_apart():
    text = " ".join(f"Sentence number {n} speaks of the ferry and the pier at length." for n in range(400))
    found = [
        Found(Hit(f"d:{n}", "d", text[start : start + 900], 1.0, 1, start, start + 900), DOCUMENT)
        for n, start in enumerate(range(0, 9_000, 800))
    ]
    question = "Which sentence speaks of the pier?"
    chosen = passages_around(rank_sentences(question, found, HashingEmbedder()), question)
    spans = sorted((p.span.start, p.span.end) for p in chosen)
    assert 1 <= len(chosen) <= 4
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))
    assert all(p.text == text[p.span.start : p.span.end] for p in chosen)
    assert sum(len(m["content"]) for m in messages(question, chosen, "en")) < 2_800


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Manual da oficina\n\nO prazo é de sete dias\núteis.",
            "Manual da oficina. O prazo é de sete dias úteis.",
        ),
        ("Leve:\n- pão\n- leite", "Leve: - pão. - leite"),
        ("Só uma linha", "Só uma linha"),
    ],
)
def test_a_heading_is_a_sentence_of_its_own_to_the_model(text, told):
    assert f"[1] {told}\n\n" in messages("Qual é o prazo?", [passage(text)], "pt")[1]["content"]


@pytest.mark.parametrize(
    ("answer", "miscopied"),
    [
        ("[1] A garantia vale por noventa dias úteis.", True),
        ("[1] A garantia vale por noventa dias.", False),
        ("A garantia vale por noventa dias, e o prazo de entrega é de sete dias úteis. [1]", False),
        ("São noventa dias. [1]", False),
    ],
)
def test_a_copy_with_a_word_of_another_sentence_is_told_from_an_answer(answer, miscopied):
    assert miscopies("Qual é a garantia?", answer, "A garantia vale por noventa dias.") is miscopied


def test_a_question_in_a_document_is_ranked_with_its_answer():
    text = "P: Onde fica a oficina?\nR: Na rua das Flores, 10.\n\nA oficina abre cedo."
    found = Found(Hit("d:0", "d", text, 1.0, 1, 0, len(text)), DOCUMENT)
    best = rank_sentences("Onde fica a oficina?", [found], HashingEmbedder())[0]
    assert best.text == "P: Onde fica a oficina?\nR: Na rua das Flores, 10."
    assert passages_around([best], "Onde fica a oficina?")[0].text.startswith(best.text)
