"""Bodies of `/v1/vector_stores`, and the JSON of stores, files and batches, in OpenAI's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from svc_rag.api.schemas import Body, Question
from svc_rag.domain.chunking import ChunkSizes
from svc_rag.domain.vector_stores import NewFile, StoreHit
from svc_rag.engine.vector_base import StoreBatch, StoreFile, VectorStore

CHARS_PER_TOKEN = 4
"""A token is about so long; chunks are cut by characters here."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=512)]],
    Field(max_length=16),
]
Value = Annotated[str, StringConstraints(max_length=512)] | bool | float
Attributes = Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Value], Field(max_length=16)]


class StaticSizes(Body):
    """How text is cut."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _half(self) -> StaticSizes:
        if self.chunk_overlap_tokens > self.max_chunk_size_tokens // 2:
            raise ValueError("chunk_overlap_tokens can be at most half of max_chunk_size_tokens")
        return self


class Chunking(Body):
    """How text is cut: as documents are, or by sizes."""

    type: Literal["auto", "static"]
    static: StaticSizes | None = None

    @model_validator(mode="after")
    def _with_sizes(self) -> Chunking:
        if self.type == "static" and self.static is None:
            raise ValueError("a static strategy needs 'static'")
        return self

    def sizes(self) -> ChunkSizes | None:
        """Return the sizes in characters, None for those of documents."""
        if self.static is None or self.type == "auto":
            return None
        chars = self.static.max_chunk_size_tokens * CHARS_PER_TOKEN
        return ChunkSizes(chars, self.static.chunk_overlap_tokens * CHARS_PER_TOKEN)


class ExpiresAfter(Body):
    """When a store expires."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class StoreChange(Body):
    """`POST /v1/vector_stores/{id}`."""

    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    description: Annotated[str, StringConstraints(max_length=2000)] | None = None
    metadata: Metadata | None = None
    expires_after: ExpiresAfter | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        sent = self.model_fields_set
        found: dict[str, Any] = {}
        if "name" in sent:
            found["name"] = self.name or ""
        if "description" in sent:
            found["description"] = self.description
        if "metadata" in sent:
            found["metadata"] = self.metadata or {}
        if "expires_after" in sent:
            found["expires_days"] = self.expires_after.days if self.expires_after else None
        return found


class StoreBody(StoreChange):
    """`POST /v1/vector_stores`."""

    file_ids: Annotated[list[Id], Field(max_length=500)] = []
    chunking_strategy: Chunking | None = None

    def files(self) -> list[NewFile]:
        """Return its first files."""
        return _new_files(self.file_ids, {}, self.chunking_strategy)


class FileBody(Body):
    """A file to add to a store."""

    file_id: Id
    attributes: Attributes | None = None
    chunking_strategy: Chunking | None = None

    def file(self) -> NewFile:
        """Return the file."""
        return _new_files([self.file_id], self.attributes or {}, self.chunking_strategy)[0]


class FileChange(Body):
    """`POST /v1/vector_stores/{id}/files/{id}`."""

    attributes: Attributes | None = None


class BatchBody(Body):
    """Files to add at once: ids that share attributes, or files with their own."""

    file_ids: Annotated[list[Id], Field(max_length=500)] | None = None
    files: Annotated[list[FileBody], Field(max_length=500)] | None = None
    attributes: Attributes | None = None
    chunking_strategy: Chunking | None = None

    @model_validator(mode="after")
    def _either(self) -> BatchBody:
        if (self.file_ids is None) == (self.files is None):
            raise ValueError("send either 'file_ids' or 'files'")
        return self

    def all(self) -> list[NewFile]:
        """Return the files."""
        if self.files is not None:
            return [file.file() for file in self.files]
        return _new_files(self.file_ids or [], self.attributes or {}, self.chunking_strategy)


class RankingOptions(Body):
    """How found passages are ranked."""

    ranker: str | None = None
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0


class StoreSearch(Body):
    """`POST /v1/vector_stores/{id}/search`."""

    query: Question | Annotated[list[Question], Field(min_length=1, max_length=8)]
    filters: dict[str, Any] | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    ranking_options: RankingOptions | None = None
    rewrite_query: bool = False

    def queries(self) -> list[str]:
        """Return the queries."""
        return [self.query] if isinstance(self.query, str) else self.query


def _new_files(
    file_ids: Sequence[str], attributes: Mapping[str, Any], strategy: Chunking | None
) -> list[NewFile]:
    sizes = strategy.sizes() if strategy is not None else None
    return [NewFile(file_id, attributes, sizes) for file_id in dict.fromkeys(file_ids)]


def file_status(file: StoreFile) -> str:
    """Return OpenAI's status of a file."""
    if file.error_code == "cancelled":
        return "cancelled"
    if file.error is not None or file.status == "failed":
        return "failed"
    return "completed" if file.status == "ready" else "in_progress"


def counts(files: Sequence[StoreFile]) -> dict[str, int]:
    """Return how many files have each status."""
    found = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    for file in files:
        found[file_status(file)] += 1
    return {**found, "total": len(files)}


def store_json(store: VectorStore, files: Sequence[StoreFile]) -> dict[str, Any]:
    """Return a store as the API shows it."""
    counted = counts(files)
    expires = {"anchor": "last_active_at", "days": store.expires_days} if store.expires_days else None
    working = "in_progress" if counted["in_progress"] else "completed"
    return {
        "id": store.id, "object": "vector_store", "created_at": int(store.created_at), "name": store.name,
        "description": store.description, "usage_bytes": sum(file.bytes for file in files),
        "file_counts": counted, "status": "expired" if store.expired else working,
        "expires_after": expires, "expires_at": int(store.expires_at) if store.expires_at else None,
        "last_active_at": int(store.last_active_at), "metadata": dict(store.metadata),
    }  # fmt: skip


def file_json(file: StoreFile, usual: ChunkSizes) -> dict[str, Any]:
    """Return a file of a store as the API shows it."""
    chars = file.chunk_chars or usual.max_chars
    overlap = usual.overlap_chars if file.overlap_chars is None else file.overlap_chars
    text = file.error or file.document_error
    failed = file_status(file) == "failed"
    code = file.error_code or "invalid_file"
    return {
        "id": file.file_id, "object": "vector_store.file", "created_at": int(file.created_at),
        "usage_bytes": file.bytes, "vector_store_id": file.store_id, "status": file_status(file),
        "last_error": {"code": code, "message": text or "It cannot be read."} if failed else None,
        "attributes": dict(file.attributes),
        "chunking_strategy": {
            "type": "static",
            "static": {
                "max_chunk_size_tokens": chars // CHARS_PER_TOKEN,
                "chunk_overlap_tokens": overlap // CHARS_PER_TOKEN,
            },
        },
    }  # fmt: skip


def batch_json(batch: StoreBatch, files: Sequence[StoreFile]) -> dict[str, Any]:
    """Return a batch as the API shows it."""
    counted = counts(files)
    working = "in_progress" if counted["in_progress"] else "completed"
    return {
        "id": batch.id, "object": "vector_store.files_batch", "created_at": int(batch.created_at),
        "vector_store_id": batch.store_id, "status": "cancelled" if batch.cancelled else working,
        "file_counts": counted,
    }  # fmt: skip


def hit_json(hit: StoreHit) -> dict[str, Any]:
    """Return a passage as the API shows it."""
    return {
        "file_id": hit.file.file_id, "filename": hit.file.filename, "score": round(hit.score, 6),
        "attributes": dict(hit.file.attributes), "content": [{"type": "text", "text": hit.text}],
    }  # fmt: skip
