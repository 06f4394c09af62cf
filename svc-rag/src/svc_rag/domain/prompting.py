"""The prompt that svc-chat answers from, and the plain sentences of this service. No model, no HTTP.

The wording is fixed: the built-in chat model was trained on exactly this form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from svc_rag.domain.relevance import Sentence
from svc_rag.domain.retrieval import Found
from svc_rag.domain.sentences import Span, sentence_spans, statement_spans
from svc_rag.words import Language

_SYSTEM = {
    "en": "Answer only from the numbered passages. Cite them like [1]. If they do not hold the answer, say so.",
    "pt": "Responda apenas com os trechos numerados. Cite-os como [1]. Se eles não tiverem a resposta, diga isso.",
}
_PASSAGES = {"en": "Passages:", "pt": "Trechos:"}
_QUESTION = {"en": "Question:", "pt": "Pergunta:"}
_NOT_FOUND = {
    "en": "I did not find the answer in your documents.",
    "pt": "Não encontrei a resposta nos seus documentos.",
}
_PASSAGE_CHARS = 420
_PROMPT_CHARS = 2_400
"""About 1,200 tokens at two characters a token: a small tokenizer on a text it was not made for."""
_MAX_PASSAGES = 4


@dataclass(frozen=True, slots=True)
class Passage:
    """What the chat model sees under one number: a window around the best sentence of a chunk."""

    found: Found
    span: Span
    text: str


def passages_around(sentences: Sequence[Sentence], question: str) -> list[Passage]:
    """Return windows around the best sentences, best first, that fit the prompt; none overlap."""
    passages: list[Passage] = []
    room = _PROMPT_CHARS - len(question)
    for sentence in sentences:
        if len(passages) == _MAX_PASSAGES or room < 80:
            break
        if any(_overlap(passage, sentence) for passage in passages):
            continue
        passage = _window(sentence, min(_PASSAGE_CHARS, room))
        if not any(_same_place(passage, other) for other in passages):
            passages.append(passage)
            room -= len(passage.text) + 6
    return passages


def _window(sentence: Sentence, max_chars: int) -> Passage:
    """Take the sentence, then its neighbours after and before it, while they fit."""
    hit = sentence.found.hit
    spans = [Span(s.start + hit.start, s.end + hit.start) for s in statement_spans(hit.text)]
    first = last = next((n for n, span in enumerate(spans) if span == sentence.span), 0)
    grown = True
    while grown:
        grown = False
        for low, high in ((first, last + 1), (first - 1, last)):
            if low >= 0 and high < len(spans) and spans[high].end - spans[low].start <= max_chars:
                first, last, grown = low, high, True
                break
    start, end = spans[first].start, min(spans[last].end, spans[first].start + max(max_chars, 80))
    return Passage(sentence.found, Span(start, end), hit.text[start - hit.start : end - hit.start])


def _overlap(passage: Passage, sentence: Sentence) -> bool:
    same = passage.found.document.id == sentence.found.document.id
    return same and passage.span.start <= sentence.span.start < passage.span.end


def _same_place(one: Passage, other: Passage) -> bool:
    same = one.found.document.id == other.found.document.id
    return same and one.span.start < other.span.end and other.span.start < one.span.end


def messages(question: str, passages: Sequence[Passage], language: Language) -> list[dict[str, str]]:
    """Return the two messages for the chat model."""
    numbered = "\n".join(f"[{n}] {_flowing(p.text)}" for n, p in enumerate(passages, 1))
    user = f"{_PASSAGES[language]}\n{numbered}\n\n{_QUESTION[language]} {question}"
    return [{"role": "system", "content": _SYSTEM[language]}, {"role": "user", "content": user}]


def _flowing(text: str) -> str:
    """Put a passage into one line; what ends without a mark, as a heading, gets a full stop before the next sentence.

    A small model copies sentences, and copied heading and sentence as one ("Manual da oficina O prazo é …").
    """
    pieces = [" ".join(text[span.start : span.end].split()) for span in sentence_spans(text)]
    ended = [f"{piece}." if piece[-1].isalnum() else piece for piece in pieces[:-1]]
    return " ".join([*ended, *pieces[-1:]])


def not_found(language: Language) -> str:
    """Return the sentence that says that the documents do not hold the answer."""
    return _NOT_FOUND[language]
