"""Vector stores: what is kept of them, and where their files come from. Contracts only.

A store's files become documents that belong to the store instead of a person: a search in one store finds
nothing of another, and `/v1/documents` lists none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from svc_rag.engine.base import DocumentStatus


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A collection of files that are searched together. Times in seconds since 1970."""

    id: str
    owner: str
    name: str
    created_at: float
    last_active_at: float
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires_days: int | None = None
    """Days without use after which its files are removed; None keeps them."""
    expired: bool = False

    @property
    def expires_at(self) -> float | None:
        """When it expires, unless it is used before."""
        return None if self.expires_days is None else self.last_active_at + self.expires_days * 86_400


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file in a store. Its text is the document `document_id`, whose state is `status`."""

    store_id: str
    file_id: str
    document_id: str
    filename: str
    created_at: float
    batch_id: str | None = None
    attributes: Mapping[str, str | float | bool] = field(default_factory=dict)
    chunk_chars: int | None = None
    overlap_chars: int | None = None
    """How it is cut; None: as documents are."""
    error_code: str | None = None
    error: str | None = None
    """Why it could not be taken in; what could not be read is the document's own error."""
    expires_at: float | None = None
    status: DocumentStatus | None = None
    """The document's; None when there is none."""
    bytes: int = 0
    document_error: str | None = None


@dataclass(frozen=True, slots=True)
class StoreBatch:
    """Files that were added at once."""

    id: str
    store_id: str
    created_at: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which part of a list is wanted."""

    limit: int = 20
    after: str | None = None
    before: str | None = None
    newest_first: bool = True


class VectorStores(Protocol):
    """Keeps stores, their files and batches; calls block. Everything is looked for below one owner or store."""

    def add(self, store: VectorStore) -> None: ...
    def get(self, store_id: str, owner: str) -> VectorStore | None: ...
    def list(self, owner: str, page: Cursor) -> tuple[Sequence[VectorStore], bool] | None: ...
    def change(self, store_id: str, **fields: object) -> None: ...
    def delete(self, store_id: str) -> None: ...
    def expired(self, now: float) -> Sequence[VectorStore]: ...
    def add_file(self, file: StoreFile) -> None: ...
    def file(self, store_id: str, file_id: str) -> StoreFile | None: ...
    def files(self, store_id: str, batch_id: str | None = None) -> Sequence[StoreFile]: ...
    def change_file(self, store_id: str, file_id: str, **fields: object) -> None: ...
    def delete_file(self, store_id: str, file_id: str) -> None: ...
    def files_of(self, owner: str, file_id: str) -> Sequence[StoreFile]: ...
    def expired_files(self, now: float) -> Sequence[StoreFile]: ...
    def half_fetched(self) -> Sequence[StoreFile]: ...
    def of_document(self, document_id: str) -> StoreFile | None: ...
    def lost_documents(self) -> Sequence[str]: ...
    def add_batch(self, batch: StoreBatch) -> None: ...
    def batch(self, store_id: str, batch_id: str) -> StoreBatch | None: ...
    def cancel_batch(self, batch_id: str) -> None: ...
    def delete_batch(self, batch_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that its owner keeps elsewhere."""

    filename: str
    bytes: int
    expires_at: float | None


class FileSource(Protocol):
    """Where files are fetched from by their ids, in the name of their owner; calls block."""

    def look(self, file_id: str, bearer: Mapping[str, str]) -> RemoteFile:
        """Return what is known of a file. Raises NotFound, NotReady, UpstreamFailed."""

    def open(self, file_id: str, bearer: Mapping[str, str]) -> BinaryIO:
        """Open a file's content; the caller closes it. Raises NotFound, NotReady, UpstreamFailed."""

    def close(self) -> None: ...
