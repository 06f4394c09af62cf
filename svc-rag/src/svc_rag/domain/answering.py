"""Answers a question from the owner's documents with citations that were checked.

retrieve → rank sentences → ask the chat model → check. An answer that its passages do not support is
replaced by the best sentence itself, or by saying that nothing was found. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from servicekit.errors import ServiceError
from servicekit.logs import log_event
from svc_rag.domain import grounding, prompting
from svc_rag.domain.prompting import Passage
from svc_rag.domain.relevance import Sentence, rank_sentences, relevance
from svc_rag.domain.reranking import Choice
from svc_rag.domain.retrieval import Found, Retriever
from svc_rag.domain.sentences import statement_spans
from svc_rag.engine.base import ChatModel, ChatReply, SearchMode
from svc_rag.words import Language, language_of

log = logging.getLogger(__name__)
EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores of the best sentence, in [0, 1]; measured by bench/calibrate.py."""

    ask: float
    """Below it nothing was found and the chat model is not asked."""
    quote: float
    """From it on the best sentence may be the answer."""
    overrule: float
    """From it on the sentence is quoted though the chat model says that there is no answer."""


MINILM_THRESHOLDS: Mapping[Language, Thresholds] = MappingProxyType(
    # Two sets, because the built-in embedder was made for English: unrelated Portuguese sentences
    # have a cosine of about 0.5, unrelated English ones of about 0.1.
    {"en": Thresholds(0.15, 0.45, 0.70), "pt": Thresholds(0.30, 0.56, 0.75)}
)
FLOORED = MINILM_THRESHOLDS["en"]
"""For embedders whose cosines count from those of unrelated texts, in every language."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence that stands in its document's text at [start:end]."""

    document_id: str
    title: str
    page: int
    start: int
    end: int
    quote: str
    chunk_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`[n]` in `text` is citations[n-1]; `extractive` when the text is a quote and no model wrote it."""

    text: str
    citations: tuple[Citation, ...]
    found: bool
    extractive: bool
    model: str
    reranker: str | None = None
    """Who read the passages again."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers for one caller at a time; `answer` may be called concurrently."""

    retriever: Retriever
    chat: ChatModel
    thresholds: Mapping[Language, Thresholds]
    max_answer_tokens: int = 160

    async def answer(
        self,
        owner: str,
        question: str,
        top_k: int,
        bearer: Mapping[str, str],
        document_ids: tuple[str, ...] = (),
        choice: Choice | None = None,
    ) -> Answer:
        """Return an answer. Raises StoreNotReady; a chat model that fails is done without."""
        found, reranker = await asyncio.to_thread(
            self.found, owner, question, top_k, document_ids=document_ids, choice=choice
        )
        sentences = await asyncio.to_thread(rank_sentences, question, found, self.retriever.embedder)
        if not sentences or sentences[0].score < self._limits(question).ask:
            return replace(self._nothing(question), reranker=reranker)
        passages = prompting.passages_around(sentences, question)
        reply = await self._ask(question, passages, bearer)
        answer = await asyncio.to_thread(self._checked, question, sentences, passages, reply)
        return replace(answer, reranker=reranker)

    def found(
        self,
        owner: str,
        text: str,
        top_k: int,
        mode: SearchMode = "hybrid",
        *,
        document_ids: tuple[str, ...] = (),
        choice: Choice | None = None,
    ) -> tuple[list[Found], str | None]:
        """Return up to top_k passages, best first, and who read them again. Blocks. Raises StoreNotReady."""
        if choice is None:
            return self.retriever.search(owner, text, top_k, mode, document_ids), None
        wide = self.retriever.search(owner, text, choice.width(top_k), mode, document_ids)
        return choice.order(text, wide, top_k)

    def _limits(self, question: str) -> Thresholds:
        own = self.retriever.embedder.cosine_floor() == 0.0
        return self.thresholds[language_of(question)] if own else FLOORED

    async def _ask(
        self, question: str, passages: Sequence[Passage], bearer: Mapping[str, str]
    ) -> ChatReply | None:
        prompt = prompting.messages(question, passages, language_of(question))
        try:
            return await self.chat.reply(prompt, bearer, self.max_answer_tokens)
        except ServiceError as error:
            log_event(log, "chat model not used", level=logging.WARNING, code=error.code)
            return None

    def _checked(
        self,
        question: str,
        sentences: Sequence[Sentence],
        passages: Sequence[Passage],
        reply: ChatReply | None,
    ) -> Answer:
        best = sentences[0]
        if reply is not None and not grounding.denies(reply.text):
            grounded = grounding.ground(question, reply.text, passages)
            if grounded is not None:
                cited = [self._quote(question, grounded.answer, passages[n - 1]) for n in grounded.cited]
                citations = tuple(citation for citation in cited if citation is not None)
                if len(citations) == len(cited) and not self._beside_the_point(
                    question, sentences, citations
                ):
                    if len(citations) == 1 and grounding.miscopies(
                        question, grounded.answer, citations[0].quote
                    ):
                        return _quoted(citations[0])
                    return Answer(grounded.answer, citations, True, False, reply.model)
        denied = reply is not None and grounding.denies(reply.text)
        limits = self._limits(question)
        if best.score >= (limits.overrule if denied else limits.quote):
            citation = self._stands(best)
            if citation is not None:
                return _quoted(citation)
        return self._nothing(question)

    def _beside_the_point(
        self, question: str, sentences: Sequence[Sentence], citations: Sequence[Citation]
    ) -> bool:
        """Tell whether none of the cited sentences fits the question, while another one does.

        A small model copies a sentence faithfully and yet the wrong one: every word of it is supported.
        """
        quote = self._limits(question).quote
        cited = {(citation.document_id, citation.start, citation.end) for citation in citations}
        fitting = [sentence.key in cited for sentence in sentences if sentence.score >= quote]
        return bool(fitting) and not any(fitting)

    def _quote(self, question: str, answer: str, passage: Passage) -> Citation | None:
        """Return the sentence of the passage that fits question and answer best."""
        spans = statement_spans(passage.text)
        if not spans:
            return None
        texts = [passage.text[span.start : span.end] for span in spans]
        scores = relevance(f"{question} {answer}", texts, self.retriever.embedder)
        best = int(scores.argmax())
        start = passage.span.start + spans[best].start
        return self._citation(passage.found, start, texts[best])

    def _stands(self, sentence: Sentence) -> Citation | None:
        return self._citation(sentence.found, sentence.span.start, sentence.text)

    def _citation(self, found: Found, start: int, quote: str) -> Citation | None:
        """Return a citation only if the quote stands in the document's text at its span."""
        document, end = found.document, start + len(quote)
        if self.retriever.record.slice(document.id, start, end) != quote:
            log_event(log, "citation dropped", level=logging.WARNING, document_id=document.id)
            return None
        return Citation(document.id, document.title, found.hit.page, start, end, quote, found.hit.chunk_id)

    def _nothing(self, question: str) -> Answer:
        return Answer(prompting.not_found(language_of(question)), (), False, False, EXTRACTIVE)


def _quoted(citation: Citation) -> Answer:
    return Answer(f"{' '.join(citation.quote.split())} [1]", (citation,), True, True, EXTRACTIVE)
