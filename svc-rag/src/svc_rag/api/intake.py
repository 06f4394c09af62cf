"""What documents and training share: keeping a source safely, then submitting the job that reads it."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, BinaryIO

from servicekit.errors import KeyReused, NotFound, ServiceError, TooBusy
from servicekit.jobs import JobQueue
from svc_rag.domain.library import Library
from svc_rag.domain.mending import mend
from svc_rag.engine.base import Document

INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Intake:
    """Acknowledges a document only when file, record and job are on disk."""

    library: Library
    queue: JobQueue

    async def add(
        self,
        owner: str,
        source: BinaryIO,
        name: str,
        declared: str | None,
        title: str | None,
        key: str | None = None,
    ) -> tuple[dict[str, Any], str]:
        """Return (the job's JSON, the document's id); the same key gives the same document and job."""
        return await asyncio.to_thread(self._add, owner, source, name, declared, title, key)

    def _add(
        self,
        owner: str,
        source: BinaryIO,
        name: str,
        declared: str | None,
        title: str | None,
        key: str | None,
    ) -> tuple[dict[str, Any], str]:
        document_id = self.library.new_id(owner, key)
        order = {"document_id": document_id}
        if key:  # so that the job's record tells another file under the same key
            order["content"] = _digest(source, name, title)
        if self.library.record.get(document_id, owner) is None:
            self.library.take_in(document_id, owner, source, name, declared, title)
        try:
            job = self.queue.submit(INGEST, order, owner, document_id)
        except KeyReused:
            raise  # what lies there is acknowledged
        except ServiceError:
            # Too many wait already: nothing was acknowledged, so nothing stays.
            self.library.record.delete(document_id)
            self.library.files.delete(document_id)
            raise
        self.library.record.update(document_id, job_id=job.id)
        return job.as_dict(), document_id

    def mend(self) -> int:
        """Have documents read again that nobody reads or that the store lost; return how many. Blocks.

        Raises: StoreNotReady, TooBusy.
        """
        return mend(self.library, self._is_settled, self._again)

    def _is_settled(self, document: Document) -> bool:
        """Tell whether a job works for the document, or its owner cancelled the one that would have."""
        try:
            job = self.queue.get(document.job_id or "", document.owner)
        except NotFound:
            return False
        return not job.final or job.status == "cancelled"

    def _again(self, document: Document) -> None:
        if self.queue.load()["waiting"] >= self.queue.max_waiting // 2:
            raise TooBusy("Half of the queue is left to new documents; the rest is read again later.")
        key = f"{document.id}/{uuid.uuid4().hex}"
        job = self.queue.submit(INGEST, {"document_id": document.id}, document.owner, key)
        self.library.record.update(document.id, job_id=job.id)

    def submit(self, document_id: str, owner: str) -> str:
        """Make the job that reads a document which is safely on disk; return its id. Raises TooBusy."""
        return self.queue.submit(INGEST, {"document_id": document_id}, owner, document_id).id

    async def remove(self, document_id: str, owner: str) -> None:
        """Delete a document and cancel the job that may still read it."""
        document = await asyncio.to_thread(self.library.delete, document_id, owner)
        if document.job_id is not None and document.status in ("queued", "processing"):
            await asyncio.to_thread(self.queue.cancel, document.job_id, owner)


def _digest(source: BinaryIO, name: str, title: str | None) -> str:
    """Hash what is taken in, and go back to its beginning."""
    hashed = hashlib.sha256()
    while part := source.read(1024 * 1024):
        hashed.update(part)
    source.seek(0)
    hashed.update(f"\0{name}\0{title}".encode())
    return hashed.hexdigest()
