"""Finds chunks for a question and drops what the record does not know. Knows no store by name."""

from __future__ import annotations

from dataclasses import dataclass

from svc_rag.engine.base import ChunkStore, Document, DocumentRecord, Embedder, Hit, SearchMode, SearchQuery


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
    embedder: Embedder

    def search(
        self,
        owner: str,
        text: str,
        top_k: int,
        mode: SearchMode = "hybrid",
        document_ids: tuple[str, ...] = (),
    ) -> list[Found]:
        """Return up to top_k passages, best first. Raises StoreNotReady."""
        vector = None if mode == "text" else self.embedder.embed([text])[0]
        hits = self.store.search(SearchQuery(owner, text, vector, top_k, mode, document_ids))
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
