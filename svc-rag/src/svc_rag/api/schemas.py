"""Bodies of requests, and the JSON of documents, hits and citations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from svc_rag.domain.answering import Answer
from svc_rag.domain.retrieval import Found
from svc_rag.engine.base import Document

Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
TopK = Annotated[int, Field(ge=1, le=100)]
DocumentIds = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=200)]


class Body(BaseModel):
    """A JSON body; unknown fields are ignored, as OpenAI does."""

    model_config = ConfigDict(extra="ignore")


class DocumentUrl(Body):
    """A document by its address (http, https or data)."""

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    title: Annotated[str, Field(max_length=300)] | None = None


class SearchFilter(Body):
    """Keeps a search to some documents."""

    model_config = ConfigDict(extra="forbid")

    document_ids: DocumentIds = Field(default_factory=list)
    document_id: Annotated[str, Field(max_length=64)] | None = None

    def ids(self) -> tuple[str, ...]:
        """Return the documents asked for; none means all."""
        return (*self.document_ids, *([self.document_id] if self.document_id else []))


class Reranked(Body):
    """What a search may be read again with: a reranker's id, null for none; left out, as the service is set."""

    reranker: Annotated[str, Field(min_length=1, max_length=300)] | None = None

    @property
    def tells_reranker(self) -> bool:
        """Whether the caller says anything of it."""
        return "reranker" in self.model_fields_set


class SearchRequest(Reranked):
    """A search for passages."""

    query: Question
    top_k: TopK = 10
    mode: Literal["hybrid", "text", "vector"] = "hybrid"
    filter: SearchFilter = Field(default_factory=SearchFilter)


class AskRequest(Reranked):
    """A question to the documents."""

    question: Question
    top_k: Annotated[int, Field(ge=1, le=20)] = 6
    stream: bool = False
    filter: SearchFilter = Field(default_factory=SearchFilter)


class TrainingDocument(Body):
    """A text to add to the index."""

    title: Annotated[str, Field(max_length=300)] = ""
    text: Filled


class TrainRequest(Body):
    """`training_data` (a text or several) or `documents`."""

    training_data: (
        Filled | Annotated[list[Filled | TrainingDocument], Field(min_length=1, max_length=100)] | None
    ) = None
    documents: Annotated[list[TrainingDocument], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _something(self) -> TrainRequest:
        if self.training_data is None and self.documents is None:
            raise ValueError("send 'training_data' (a text) or 'documents' (a list of title and text)")
        return self

    def texts(self) -> list[TrainingDocument]:
        """Return everything to add, in order."""
        given = self.training_data if isinstance(self.training_data, list) else [self.training_data]
        loose = [TrainingDocument(text=item) if isinstance(item, str) else item for item in given if item]
        return [*loose, *(self.documents or [])]


class EmbeddingsRequest(Body):
    """OpenAI's embeddings call."""

    model: str | None = None
    input: Annotated[str, Field(min_length=1)] | Annotated[list[Any], Field(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: Literal["query", "passage"] | None = None
    """Puts the prefix before each text that the model wants for questions or passages; without it texts stay as they are."""


class RerankDocument(Body):
    """A document to rank, as an object."""

    text: str


class RerankRequest(Body):
    """Jina's rerank call."""

    model: str | None = None
    query: Question
    documents: Annotated[list[str | RerankDocument], Field(min_length=1, max_length=1000)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = True

    def texts(self) -> list[str]:
        """Return the documents' texts."""
        return [item if isinstance(item, str) else item.text for item in self.documents]


def document_json(document: Document) -> dict[str, Any]:
    """Return a document as the API shows it."""
    shown = asdict(document)
    del shown["owner"]
    return shown | {"object": "document", "created_at": int(document.created_at)}


def hit_json(found: Found) -> dict[str, Any]:
    """Return a hit as the API shows it."""
    hit = found.hit
    return {
        "document_id": hit.document_id, "chunk_id": hit.chunk_id, "title": found.document.title, "text": hit.text,
        "score": round(hit.score, 6), "page": hit.page, "start": hit.start, "end": hit.end,
    }  # fmt: skip


def answer_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as the API shows it; `[n]` in it is citations[n-1]."""
    return {
        "answer": answer.text,
        "citations": [asdict(citation) for citation in answer.citations],
        "found": answer.found,
        "extractive": answer.extractive,
        "model": answer.model,
        "reranker": answer.reranker,
    }
