"""Finds chunks for a question and drops what the record does not know. Knows no store by name."""

from __future__ import annotations

from dataclasses import dataclass

from svc_rag.domain.embedders import Embedders, space_of
from svc_rag.engine.base import ChunkStore, Document, DocumentRecord, Embedder, Hit, SearchMode, SearchQuery
from svc_rag.errors import SpaceChanged

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with the document it stands in."""

    hit: Hit
    document: Document


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches for one owner at a time. Blocks: keep it off the event loop."""

    record: DocumentRecord
    store: ChunkStore
    embedders: Embedders

    @property
    def embedder(self) -> Embedder:
        """The embedder that the documents are indexed with. Raises EmbedderMissing."""
        return self.embedders.in_use()

    def search(
        self,
        owner: str,
        text: str,
        top_k: int,
        mode: SearchMode = "hybrid",
        document_ids: tuple[str, ...] = (),
    ) -> list[Found]:
        """Return up to top_k passages, best first. Raises StoreNotReady."""
        hits = self._hits(owner, text, top_k, mode, document_ids)
        documents: dict[str, Document | None] = {}
        found = []
        for hit in hits:
            if hit.document_id not in documents:
                # A document deleted a moment ago may still have chunks in an eventually consistent store.
                documents[hit.document_id] = self.record.get(hit.document_id, owner)
            document = documents[hit.document_id]
            if document is not None:
                found.append(Found(hit, document))
        return found

    def _hits(
        self, owner: str, text: str, top_k: int, mode: SearchMode, document_ids: tuple[str, ...]
    ) -> list[Hit]:
        for _ in range(_TRIES):
            if mode == "text":
                return self.store.search(SearchQuery(owner, text, None, top_k, mode, document_ids))
            embedder = self.embedder
            query = SearchQuery(
                owner, text, embedder.embed([text], "query")[0], top_k, mode, document_ids, space_of(embedder)
            )
            try:
                return self.store.search(query)
            except SpaceChanged:
                continue  # with the embedder that the documents have just moved to
        raise SpaceChanged
