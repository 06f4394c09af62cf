"""The durable job that makes a document findable: parse → chunk → embed → index.

Every step can be repeated: it overwrites what it wrote. A store that is away makes the job wait,
visibly; a file that cannot be read makes it fail. Knows no HTTP and no job library.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from servicekit.errors import ServiceError
from servicekit.models import NoMemory
from svc_rag.domain.chunking import ChunkSizes, chunk_document
from svc_rag.domain.embedders import Embedders, space_of
from svc_rag.domain.library import Library
from svc_rag.engine.base import Chunk, Document, Embedder, Vectors
from svc_rag.errors import SpaceChanged, StoreNotReady

log = logging.getLogger(__name__)

STEPS = 4
_EMBED_BATCH = 32
_FIRST_WAIT_S, _LONGEST_WAIT_S, _PAUSE_S = 0.5, 5.0, 0.25


class Context(Protocol):
    """What a job gives its handler (servicekit.jobs.JobContext)."""

    def progress(self, step: int, total: int, message: str) -> None: ...
    def check_cancelled(self) -> None: ...
    def step(self, name: str, fn: Callable[..., Any], *args: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Ingest:
    """The handler of `ingest` jobs; payload {"document_id"}."""

    library: Library
    embedders: Embedders
    sizes: ChunkSizes
    pause: Callable[[float], None] = time.sleep
    own_sizes: Callable[[str], ChunkSizes | None] = lambda _: None
    """How a document is cut that has sizes of its own."""

    def __call__(self, context: Any, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run all steps; returns {"document_id", "pages", "chunks", "status"}."""
        document_id = str(payload["document_id"])
        record = self.library.record
        if not record.update(document_id, status="processing"):
            self._undo(document_id)
            return {"document_id": document_id, "status": "deleted"}
        try:
            result = self._run(context, document_id)
        except ServiceError as error:
            record.update(document_id, status="failed", error=error.message)
            raise
        except Exception as error:
            # A cancelled job, or a fault of ours. A process that stops raises no Exception here: its
            # job is resumed, and the document stays in the state it is in.
            record.update(
                document_id, status="failed", error=f"The job ended early ({type(error).__name__})."
            )
            raise
        return result

    def _run(self, context: Context, document_id: str) -> dict[str, Any]:
        context.progress(1, STEPS, "parse")
        pages = context.step("parse", self._parse, document_id)
        context.check_cancelled()
        context.progress(2, STEPS, "chunk")
        chunks = context.step("chunk", self._count_chunks, document_id)
        context.progress(3, STEPS, "embed")
        context.step("embed", self._embed, context, document_id)
        context.check_cancelled()
        context.progress(4, STEPS, "index")
        context.step("index", self._index, context, document_id)
        if not self.library.record.update(
            document_id, status="ready", pages=pages, chunks=chunks, error=None
        ):
            self._undo(document_id)
            return {"document_id": document_id, "status": "deleted"}
        self.library.files.drop_vectors(document_id)
        return {"document_id": document_id, "pages": pages, "chunks": chunks, "status": "ready"}

    def _parse(self, document_id: str) -> int:
        document = self._document(document_id)
        if document is None:
            return 0
        parsed = self.library.parser.parse(self.library.files.path(document_id), document.media_type)
        self.library.record.save_text(document_id, parsed.text, parsed.pages)
        if parsed.title and document.media_type not in ("text/plain", "text/csv"):
            self.library.record.update(document_id, title=parsed.title)
        self.library.record.update(document_id, pages=len(parsed.pages))
        return len(parsed.pages)

    def _chunks(self, document_id: str) -> list[Chunk]:
        """Cut the kept text; the same text gives the same chunks, so none are kept."""
        found = self.library.record.text(document_id)
        sizes = self.own_sizes(document_id) or self.sizes
        return chunk_document(found[0], found[1], sizes) if found else []

    def _count_chunks(self, document_id: str) -> int:
        return len(self._chunks(document_id))

    def _embed(self, context: Context, document_id: str) -> int:
        try:
            vectors = self._vectors(context, document_id, self.embedders.in_use())
        except (StoreNotReady, NoMemory):  # its embedder is not here, or has no room: `_index` waits for it
            return 0
        return 0 if vectors is None else len(vectors)

    def _vectors(self, context: Context, document_id: str, embedder: Embedder) -> Vectors | None:
        """Return the vectors of a document's chunks, made now unless they are kept; None when it is gone."""
        space = space_of(embedder)
        if self._document(document_id) is None:
            return None
        if (kept := self.library.files.vectors(document_id, space)) is not None:
            return kept
        chunks = self._chunks(document_id)
        vectors = np.zeros((len(chunks), embedder.dimension), np.float32)
        for first in range(0, len(chunks), _EMBED_BATCH):
            context.check_cancelled()
            if first:
                context.progress(3, STEPS, f"embed {first}/{len(chunks)}")
            part = slice(first, first + _EMBED_BATCH)
            vectors[part] = embedder.embed([chunk.text for chunk in chunks[part]], "passage")
        if self._document(document_id) is None:
            return None
        self.library.files.save_vectors(document_id, vectors, space)
        return vectors

    def _index(self, context: Context, document_id: str) -> int:
        """Write to the store, waiting for it as long as it is away."""
        chunks, wait_s = self._chunks(document_id), _FIRST_WAIT_S
        while True:
            try:
                embedder = self.embedders.in_use()
                vectors, document = self._vectors(context, document_id, embedder), self._document(document_id)
                if vectors is None or document is None:
                    return 0
                self.library.store.index(document_id, document.owner, chunks, vectors, space_of(embedder))
                return len(chunks)
            except SpaceChanged:
                continue  # the documents have moved to another embedder: this one follows
            except NoMemory as error:
                context.progress(4, STEPS, f"waiting for memory: {error.message}")
            except StoreNotReady as error:
                log.warning("store not ready, job waits", extra={"fields": {"wait_s": wait_s}})
                context.progress(4, STEPS, f"waiting for the search store: {error.message}")
            self._wait(context, wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _wait(self, context: Context, wait_s: float) -> None:
        """Wait in short pieces, so that a cancelled or stopping job ends at once."""
        for _ in range(max(1, round(wait_s / _PAUSE_S))):
            context.check_cancelled()
            self.pause(_PAUSE_S)

    def _document(self, document_id: str) -> Document | None:
        return self.library.record.get(document_id)

    def _undo(self, document_id: str) -> None:
        """The document was deleted while it was indexed."""
        self.library.files.delete(document_id)
        try:
            self.library.store.delete(document_id)
        except StoreNotReady:
            # Searches drop chunks that the record does not know, so what stays is never seen.
            log.warning("chunks of a deleted document stay in the store")
