"""The contracts between the domain and its engines: documents, chunks, hits and five small Protocols.

Knows nothing about any database, parser, model or web framework.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from servicekit.retention import Removed

SearchMode = Literal["hybrid", "text", "vector"]
DocumentStatus = Literal["queued", "processing", "ready", "failed"]
Vectors = NDArray[np.float32]
TextRole = Literal["query", "passage", "plain"]
"""What a text is to be compared as: some models want another prefix before each; plain is the text as it is."""


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space: only vectors of the same embedder can be compared. Written `model/dimension`."""

    model: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.model}/{self.dimension}"

    @classmethod
    def read(cls, text: str) -> Space:
        """Read what `str` wrote; a model's id may hold slashes."""
        model, _, dimension = text.rpartition("/")
        return cls(model, int(dimension))


@dataclass(frozen=True, slots=True)
class Page:
    """A page, slide or sheet: number from 1 and its half-open span in the document's text."""

    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser found: a title (may be empty), the text, and its pages in order."""

    title: str
    text: str
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: `text` is exactly the document's text at [start:end]; `n` counts from 0."""

    n: int
    text: str
    start: int
    end: int
    page: int


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as a store holds it; `key` is the store's own."""

    document_id: str
    owner: str
    chunk: Chunk
    key: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """The record of a document; `status` is ready when every chunk can be found."""

    id: str
    owner: str
    title: str
    media_type: str
    size_bytes: int
    pages: int
    chunks: int
    status: DocumentStatus
    created_at: float
    job_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search: `vector` (dimension,) is needed unless mode is text; empty `document_ids` means all."""

    owner: str
    text: str
    vector: Vectors | None
    top_k: int
    mode: SearchMode = "hybrid"
    document_ids: tuple[str, ...] = ()
    space: Space | None = None
    """The space of `vector`; None: that of the store."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found; score is in [0, 1] for hybrid, the part's own scale otherwise."""

    chunk_id: str
    document_id: str
    text: str
    score: float
    page: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What the chat model said and the name of the model that really answered."""

    text: str
    model: str


class Embedder(Protocol):
    """Turns texts into unit vectors. Thread-safe; slow: never call it on the event loop."""

    model_id: str
    dimension: int

    def embed(self, texts: Sequence[str], role: TextRole = "plain") -> Vectors:
        """Return (len(texts), dimension) float32, rows of length one."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the model's tokenizer makes of `text`."""

    def cosine_floor(self) -> float:
        """Return the cosine, in [0, 1), of two texts that have nothing in common."""


class Reranker(Protocol):
    """Scores texts for a query, reading both together. Thread-safe and slow."""

    model_id: str

    def score(self, query: str, texts: Sequence[str]) -> Vectors:
        """Return (len(texts),) float32 in [0, 1]."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the model's tokenizer makes of `text`."""


class Parser(Protocol):
    """Reads a file of a known media type, within limits."""

    def parse(self, path: Path, media_type: str) -> ParsedDocument:
        """Return the text. Raises: DocumentUnreadable, DocumentEncrypted, DocumentTooComplex."""

    def probe(self, path: Path, name: str, declared: str | None) -> str:
        """Return the media type after a quick look for what will be refused anyway."""

    def sweep(self) -> Mapping[str, Removed]:
        """Remove what a killed process left behind."""


class DocumentRecord(Protocol):
    """The durable record of documents and their text: every id belongs to one owner."""

    def add(self, document: Document) -> None: ...
    def get(self, document_id: str, owner: str | None = None) -> Document | None: ...
    def list(self, owner: str) -> list[Document]: ...
    def all(self) -> Sequence[Document]: ...
    def update(self, document_id: str, **fields: object) -> bool: ...
    def delete(self, document_id: str) -> None: ...
    def forget_deleted(self) -> None: ...
    def save_text(self, document_id: str, text: str, pages: Sequence[Page]) -> None: ...
    def text(self, document_id: str) -> tuple[str, tuple[Page, ...]] | None: ...
    def slice(self, document_id: str, start: int, end: int) -> str | None: ...


class ChunkStore(Protocol):
    """Finds chunks. Every call may raise StoreNotReady; `index` is idempotent.

    `space` is that of its vectors: what `connect` finds there, and before it is connected a guess. Vectors of another
    space are refused with SpaceChanged.
    """

    kind: str

    @property
    def space(self) -> Space: ...
    def connect(self) -> None: ...
    def check(self) -> None: ...
    def index(
        self, document_id: str, owner: str, chunks: Sequence[Chunk], vectors: Vectors, space: Space
    ) -> None: ...
    def delete(self, document_id: str) -> None: ...
    def forget_deleted(self) -> None: ...
    def search(self, query: SearchQuery) -> list[Hit]: ...
    def count(self, owner: str, document_ids: Iterable[str] = ()) -> int: ...
    def close(self) -> None: ...


class SpaceStore(ChunkStore, Protocol):
    """A store that can be moved to another space: it is filled beside the one that is searched, then takes its place.

    One space is filled at a time. What is indexed meanwhile is lacking in it until it is filled too; what is deleted
    is deleted in both. What was filled outlives a crash.
    """

    def begin(self, space: Space) -> None:
        """Make room for `space`, or go on with it; another one that was begun is dropped."""

    def lacking(self, limit: int) -> Sequence[StoredChunk]:
        """Return up to `limit` chunks that have no vector in the new space; none: it is complete just now."""

    def fill(self, chunks: Sequence[StoredChunk], vectors: Vectors) -> None:
        """Put vectors of what `lacking` returned last; a chunk that is gone by now is left out."""

    def filled(self) -> tuple[int, int]:
        """Return (chunks with a vector in the new space, chunks)."""

    def switch(self) -> bool:
        """Let the new space take the place of the old, at once and for good; False: something is lacking."""

    def abandon(self) -> None:
        """Drop a space that was begun and whatever a crash left of an old one."""


class SourceFiles(Protocol):
    """Uploaded files and what is computed from them, one folder a document; writes are atomic."""

    def put(self, document_id: str, source: BinaryIO, max_bytes: int) -> int: ...
    def path(self, document_id: str) -> Path: ...
    def save_vectors(self, document_id: str, vectors: Vectors, space: Space) -> None: ...
    def vectors(self, document_id: str, space: Space) -> Vectors | None: ...
    def drop_vectors(self, document_id: str) -> None: ...
    def delete(self, document_id: str) -> None: ...
    def ids(self, older_than_s: float = 0.0) -> list[str]: ...
    def size(self, document_id: str) -> int: ...
    def remove_drafts(self) -> Removed: ...


class ChatModel(Protocol):
    """A chat model elsewhere; `bearer` are headers that carry the caller. Raises ServiceError."""

    async def reply(
        self, messages: Sequence[dict[str, str]], bearer: Mapping[str, str], max_tokens: int
    ) -> ChatReply: ...

    async def train(self, text: str, bearer: Mapping[str, str]) -> None:
        """Hand a text on, for the model's next fine-tuning."""

    async def close(self) -> None: ...
