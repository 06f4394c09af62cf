"""Vector stores: files of their owner that are read, cut, embedded and searched together.

Files are fetched in their owner's name when they are added; reading them is a durable job, as for documents.
Calls block: keep them off the event loop. Knows no HTTP.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from servicekit.errors import BadRequest, NotFound, ServiceError
from servicekit.retention import Removed
from svc_rag.domain.attributes import check, matches
from svc_rag.domain.chunking import ChunkSizes
from svc_rag.domain.library import Library
from svc_rag.domain.retrieval import Retriever
from svc_rag.engine.vector_base import Cursor, FileSource, StoreBatch, StoreFile, VectorStore, VectorStores
from svc_rag.errors import StoreExpired, StoreNotFound

log = logging.getLogger(__name__)
FILES_AT_ONCE = 500
"""Files of one call: each is fetched before it answers."""
_USED_EVERY_S = 60.0
"""A store's use is written down at most so often."""
Submit = Callable[[str, str], str]
"""Makes the job that reads a document, which belongs to the document's owner (the store), and returns its id."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to add."""

    file_id: str
    attributes: Mapping[str, Any]
    sizes: ChunkSizes | None = None


@dataclass(frozen=True, slots=True)
class StoreHit:
    """A passage that was found, and the file it stands in."""

    file: StoreFile
    text: str
    score: float


class VectorStoreService:
    """Keeps stores and searches them; all calls raise StoreNotFound."""

    def __init__(
        self,
        stores: VectorStores,
        library: Library,
        retriever: Retriever,
        source: FileSource,
        submit: Submit,
        cancel: Callable[[str, str], Any],
    ):
        self._stores, self._library, self._retriever = stores, library, retriever
        self._source, self._submit, self._cancel = source, submit, cancel

    def create(
        self, owner: str, fields: Mapping[str, Any], files: Sequence[NewFile], bearer: Mapping[str, str]
    ) -> VectorStore:
        """Keep a new store with its first files; raises NotFound for a file, and then nothing is kept."""
        now = time.time()
        store = VectorStore(f"vs_{uuid.uuid4().hex}", owner, created_at=now, last_active_at=now, **fields)
        self._stores.add(store)
        try:
            self.add_files(owner, store.id, files, bearer)
        except ServiceError:
            self.delete(owner, store.id)
            raise
        return store

    def get(self, owner: str, store_id: str) -> VectorStore:
        """Return a store."""
        found = self._stores.get(store_id, owner)
        if found is None:
            raise StoreNotFound(store_id)
        return found

    def list(self, owner: str, page: Cursor) -> tuple[Sequence[VectorStore], bool]:
        """Return a part of the owner's stores and whether there is more."""
        found = self._stores.list(owner, page)
        if found is None:
            raise StoreNotFound(str(page.after or page.before))
        return found

    def change(self, owner: str, store_id: str, fields: Mapping[str, Any]) -> VectorStore:
        """Set fields of a store."""
        self.get(owner, store_id)
        if fields:
            self._stores.change(store_id, **fields)
        return self.get(owner, store_id)

    def delete(self, owner: str, store_id: str) -> None:
        """Remove a store with the text of its files; the files themselves stay with their owner."""
        self.get(owner, store_id)
        self._clear(store_id)
        self._stores.delete(store_id)
        self._library.forget_deleted()

    def add_files(
        self,
        owner: str,
        store_id: str,
        files: Sequence[NewFile],
        bearer: Mapping[str, str],
        batch_id: str | None = None,
    ) -> Sequence[StoreFile]:
        """Fetch files and begin to read them; raises NotFound for one that is not there, StoreExpired, NotReady.

        One that cannot be read stays in the store as failed and says why.
        """
        self._check_takes(owner, store_id, files)
        return [self._add(owner, store_id, file, bearer, batch_id) for file in files]

    def add_batch(
        self, owner: str, store_id: str, files: Sequence[NewFile], bearer: Mapping[str, str]
    ) -> StoreBatch:
        """Add several files that are told of together; raises as `add_files`.

        What was added until then stays, so that the same call made again goes on (as many jobs as may wait are fewer
        than the files of one call); a batch without a file does not.
        """
        self._check_takes(owner, store_id, files)
        batch = StoreBatch(f"vsfb_{uuid.uuid4().hex}", store_id, time.time())
        self._stores.add_batch(batch)
        try:
            self.add_files(owner, store_id, files, bearer, batch.id)
        except ServiceError:
            if not self._stores.files(store_id, batch.id):
                self._stores.delete_batch(batch.id)
            raise
        return batch

    def batch(self, owner: str, store_id: str, batch_id: str) -> StoreBatch:
        """Return a batch."""
        self.get(owner, store_id)
        found = self._stores.batch(store_id, batch_id)
        if found is None:
            raise NotFound(f"There is no batch '{batch_id[:80]}' in this vector store.", param="batch_id")
        return found

    def cancel_batch(self, owner: str, store_id: str, batch_id: str) -> StoreBatch:
        """Stop reading what is not read yet of a batch."""
        self.batch(owner, store_id, batch_id)
        self._stores.cancel_batch(batch_id)
        for file in self._stores.files(store_id, batch_id):
            if file.status in ("queued", "processing"):
                self._stop(file)
                self._fail(file, "cancelled", "Its batch was cancelled.")
        return self.batch(owner, store_id, batch_id)

    def files(self, owner: str, store_id: str, batch_id: str | None = None) -> Sequence[StoreFile]:
        """Return the files of a store, or of one batch, oldest first."""
        self.get(owner, store_id)
        return self._stores.files(store_id, batch_id)

    def file(self, owner: str, store_id: str, file_id: str) -> StoreFile:
        """Return one file of a store; raises NotFound."""
        self.get(owner, store_id)
        found = self._stores.file(store_id, file_id)
        if found is None:
            raise NotFound(f"There is no file '{file_id[:80]}' in this vector store.", param="file_id")
        return found

    def change_file(
        self, owner: str, store_id: str, file_id: str, attributes: Mapping[str, Any]
    ) -> StoreFile:
        """Replace a file's attributes."""
        self.file(owner, store_id, file_id)
        self._stores.change_file(store_id, file_id, attributes=dict(attributes))
        return self.file(owner, store_id, file_id)

    def text(self, owner: str, store_id: str, file_id: str) -> str:
        """Return what was read of a file; raises NotFound, DocumentNotReady."""
        file = self.file(owner, store_id, file_id)
        return self._library.text(file.document_id, store_id)[0]

    def remove_file(self, owner: str, store_id: str, file_id: str) -> None:
        """Take a file out of a store; raises NotFound."""
        self._remove(self.file(owner, store_id, file_id))
        self._library.forget_deleted()

    def forget(self, owner: str, file_id: str) -> int:
        """Take a file out of all of its owner's stores; return how many there were."""
        found = self._stores.files_of(owner, file_id)
        for file in found:
            self._remove(file)
        self._library.forget_deleted()
        return len(found)

    def search(
        self,
        owner: str,
        store_id: str,
        queries: Sequence[str],
        limit: int,
        threshold: float = 0.0,
        filters: Mapping[str, Any] | None = None,
    ) -> Sequence[StoreHit]:
        """Return the best passages, best first. Raises StoreExpired, StoreNotReady, BadRequest for the filter."""
        if filters is not None:
            check(filters)
        store = self._usable(owner, store_id)
        self._use(store)
        now = time.time()
        there = (f for f in self._stores.files(store_id) if f.expires_at is None or f.expires_at > now)
        files = {file.document_id: file for file in there}
        if filters is not None:
            files = {id_: file for id_, file in files.items() if matches(file.attributes, filters)}
        if not files:
            return []
        within = tuple(files) if filters is not None else ()
        best: dict[str, StoreHit] = {}
        for query in queries:
            for found in self._retriever.search(store_id, query, limit, "hybrid", within):
                file, hit = files.get(found.hit.document_id), found.hit
                known = best.get(hit.chunk_id)
                if file is not None and hit.score >= threshold and (known is None or known.score < hit.score):
                    best[hit.chunk_id] = StoreHit(file, hit.text, hit.score)
        return sorted(best.values(), key=lambda hit: -hit.score)[:limit]

    def sizes_of(self, document_id: str) -> ChunkSizes | None:
        """Return how a document of a store is cut, None for all others."""
        file = self._stores.of_document(document_id)
        if file is None or file.chunk_chars is None:
            return None
        return ChunkSizes(file.chunk_chars, file.overlap_chars or 0)

    def recover(self) -> None:
        """Say of files half fetched at a crash that they are; documents without a job are mended as all are."""
        for file in self._stores.half_fetched():
            text = "The service was restarted while it fetched the file. Add it again."
            self._fail(file, "server_error", text)

    def sweep(self) -> dict[str, Removed]:
        """Remove what has expired, and what a crash left; return how much expired. Raises StoreNotReady."""
        now = time.time()
        for document_id in self._stores.lost_documents():
            self._drop(document_id)
        stores, files = self._stores.expired(now), self._stores.expired_files(now)
        for store in stores:
            self._clear(store.id)
            self._stores.change(store.id, expired=1)
        for file in files:
            self._remove(file)
        if stores or files:
            self._library.forget_deleted()
        size = sum(file.bytes for file in files)
        return {"vector_stores": Removed(len(stores)), "files": Removed(len(files), size)}

    def _add(
        self, owner: str, store_id: str, new: NewFile, bearer: Mapping[str, str], batch_id: str | None
    ) -> StoreFile:
        known = self._stores.file(store_id, new.file_id)
        if known is not None and known.error is None and known.status != "failed":
            return known
        remote = self._source.look(new.file_id, bearer)
        if known is not None:
            self._remove(known)
        sizes = new.sizes
        file = StoreFile(
            store_id, new.file_id, self._library.new_id(owner, None), remote.filename, time.time(), batch_id,
            dict(new.attributes), sizes.max_chars if sizes else None, sizes.overlap_chars if sizes else None,
            expires_at=remote.expires_at,
        )  # fmt: skip
        self._stores.add_file(file)
        try:
            with self._source.open(new.file_id, bearer) as content:
                self._library.take_in(file.document_id, store_id, content, remote.filename)
        except ServiceError as error:
            if error.status >= 500 or error.status in (404, 429):
                self._stores.delete_file(store_id, new.file_id)
                raise
            return self._fail(file, _code(error), error.message)
        except Exception:  # a full disk, say: it would be in progress until the next start
            self._take_back(file)
            raise
        self._begin(file)
        return self.file(owner, store_id, new.file_id)

    def _begin(self, file: StoreFile) -> None:
        try:
            job_id = self._submit(file.document_id, file.store_id)
        except Exception:  # too many wait, say: nothing was acknowledged, so nothing stays
            self._take_back(file)
            raise
        self._library.record.update(file.document_id, job_id=job_id)

    def _fail(self, file: StoreFile, code: str, text: str) -> StoreFile:
        self._stores.change_file(file.store_id, file.file_id, error_code=code, error=text)
        return replace(file, error_code=code, error=text)

    def _clear(self, store_id: str) -> None:
        for file in self._stores.files(store_id):
            self._remove(file)

    def _take_back(self, file: StoreFile) -> None:
        """Remove what could not be begun; the caller is told why that was, whatever else fails."""
        try:
            self._remove(file)
        except Exception:
            log.exception("a file that could not be begun stays in its store until the next start")

    def _remove(self, file: StoreFile) -> None:
        self._stop(file)
        self._drop(file.document_id)
        self._stores.delete_file(file.store_id, file.file_id)

    def _drop(self, document_id: str) -> None:
        """Remove a document's chunks, record and content. Raises StoreNotReady, and then it is all there."""
        if self._library.record.get(document_id) is not None:
            self._library.store.delete(document_id)
            self._library.record.delete(document_id)
        self._library.files.delete(document_id)

    def _stop(self, file: StoreFile) -> None:
        document = self._library.record.get(file.document_id)
        if document is None or document.job_id is None or document.status not in ("queued", "processing"):
            return
        try:
            self._cancel(document.job_id, file.store_id)
        except ServiceError:  # it has ended meanwhile, or belongs to nobody any more
            log.info("a job could not be cancelled")

    def _check_takes(self, owner: str, store_id: str, files: Sequence[NewFile]) -> None:
        if len(files) > FILES_AT_ONCE:
            raise BadRequest(
                f"{len(files)} files; {FILES_AT_ONCE} at most are added at once.", param="file_ids"
            )
        self._usable(owner, store_id)

    def _usable(self, owner: str, store_id: str) -> VectorStore:
        store = self.get(owner, store_id)
        if store.expired or (store.expires_at is not None and store.expires_at <= time.time()):
            raise StoreExpired(store_id)
        return store

    def _use(self, store: VectorStore) -> None:
        now = time.time()
        if now - store.last_active_at > _USED_EVERY_S:
            self._stores.change(store.id, last_active_at=now)


def _code(error: ServiceError) -> str:
    """Return OpenAI's code for a file that cannot be read."""
    return "unsupported_file" if error.status == 415 else "invalid_file"
