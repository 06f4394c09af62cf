"""The documents of each owner: taken in, listed, read, deleted. Every id belongs to one owner.

Knows no HTTP and no parser's library; `ingest.py` turns what is taken in into chunks.
"""

from __future__ import annotations

import re
import time
import uuid
from pathlib import PurePosixPath
from typing import BinaryIO

from servicekit.errors import ServiceError
from servicekit.retention import Removed
from svc_rag.engine.base import ChunkStore, Document, DocumentRecord, Page, Parser, SourceFiles
from svc_rag.errors import DocumentNotFound, DocumentNotReady

_NAMESPACE = uuid.UUID("6f1d1c1e-8f3b-5a1f-9a57-0c6d2f1b7a10")
_ID = re.compile(r"doc_[0-9a-f]{32}")


class Library:
    """Documents with their files, record and chunks. Calls block: keep them off the event loop."""

    def __init__(
        self, record: DocumentRecord, files: SourceFiles, store: ChunkStore, parser: Parser, max_bytes: int
    ):
        self.record, self.files, self.store, self.parser = record, files, store, parser
        self._max_bytes = max_bytes

    def new_id(self, owner: str, idempotency_key: str | None) -> str:
        """Return a new id, or the same one for the same owner and key."""
        if idempotency_key:
            return f"doc_{uuid.uuid5(_NAMESPACE, f'{owner} {idempotency_key}').hex}"
        return f"doc_{uuid.uuid4().hex}"

    def take_in(
        self, document_id: str, owner: str, source: BinaryIO, name: str,
        declared: str | None = None, title: str | None = None,
    ) -> Document:  # fmt: skip
        """Keep a file and its record; returns when both are safely on disk.

        Raises: DocumentTooLarge, DocumentUnsupported, DocumentUnreadable, DocumentEncrypted, DocumentTooComplex.
        """
        size = self.files.put(document_id, source, self._max_bytes)
        try:
            media_type = self.parser.probe(self.files.path(document_id), name, declared)
        except ServiceError:
            self.files.delete(document_id)
            raise
        document = Document(
            id=document_id, owner=owner, title=(title or title_from(name))[:300], media_type=media_type,
            size_bytes=size, pages=0, chunks=0, status="queued", created_at=time.time(),
        )  # fmt: skip
        self.record.add(document)
        return document

    def get(self, document_id: str, owner: str) -> Document:
        """Return the owner's document. Raises DocumentNotFound."""
        found = self.record.get(document_id, owner) if _ID.fullmatch(document_id) else None
        if found is None:
            raise DocumentNotFound(
                "There is no such document. GET /v1/documents lists yours.", param="document_id"
            )
        return found

    def list(self, owner: str) -> list[Document]:
        """Return the owner's documents, newest first."""
        return self.record.list(owner)

    def text(self, document_id: str, owner: str) -> tuple[str, tuple[Page, ...]]:
        """Return the text and its pages. Raises DocumentNotFound, DocumentNotReady."""
        document = self.get(document_id, owner)
        found = self.record.text(document.id)
        if found is None:
            raise DocumentNotReady("The document has not been read yet; wait for its job to complete.")
        return found

    def delete(self, document_id: str, owner: str) -> Document:
        """Remove chunks, vectors, text and file. Raises DocumentNotFound, StoreNotReady (then nothing is removed)."""
        document = self.get(document_id, owner)
        self.store.delete(document.id)
        self.record.delete(document.id)
        self.files.delete(document.id)
        self.forget_deleted()
        return document

    def forget_deleted(self) -> None:
        """Take what was deleted out of the index and the database's files as well."""
        self.store.forget_deleted()
        self.record.forget_deleted()

    def sweep(self, older_than_s: float = 0.0) -> dict[str, Removed]:
        """Remove files that no record names, uploads that were never acknowledged, and cut-off writes.

        While uploads may be under way, `older_than_s` spares them: their file comes before their record.
        """
        uploads = Removed()
        for document_id in self.files.ids(older_than_s):
            if self.record.get(document_id) is None:
                uploads += Removed(1, self.files.size(document_id))
                self.files.delete(document_id)
        return {"uploads": uploads, "leftovers": self.files.remove_drafts()}


def title_from(name: str) -> str:
    """Return a readable title from a file name or URL path; never used as a path."""
    base = PurePosixPath(name.replace("\\", "/")).name
    stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", base)
    cleaned = re.sub(r"[\x00-\x1f\x7f<>]", "", stem).replace("_", " ").strip()
    return cleaned[:200] or "document"
