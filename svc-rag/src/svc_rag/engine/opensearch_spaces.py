"""An index that is being filled with the vectors of another space, beside the one that is searched.

Part of `opensearch_store`, which holds its lock around each call and translates the client's exceptions. A document's
chunks come in by their numbers, so the count of those that are there is the number of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opensearchpy import OpenSearch

from svc_rag.engine import opensearch_index as layout
from svc_rag.engine.base import Chunk, Space, StoredChunk, Vectors
from svc_rag.errors import StoreNotReady

_PAGE = 1_000


class NextIndex:
    """The index that the alias moves to once nothing is lacking in it; `begun` is (its space, its name)."""

    def __init__(self, client: OpenSearch):
        self._client = client
        self.begun: tuple[Space, str] | None = None
        self._waiting: list[str] = []

    def begin(self, space: Space, searched: str) -> None:
        name = layout.index_name_of(space)
        if self.begun != (space, name):
            layout.drop_others(self._client, searched, name)
            self.begun, self._waiting = (space, name), []
        layout.make(self._client, name, space)

    def lacking(self, searched: str, limit: int) -> Sequence[StoredChunk]:
        while True:
            if not self._waiting:
                self._waiting = self.differing(searched)
                if not self._waiting:
                    return []
            of_document = {"term": {"document_id": self._waiting[0]}}
            there = self._count(self._name(), of_document)
            rest = {"bool": {"filter": [of_document, {"range": {"n": {"gte": there}}}]}}
            body = {"size": limit, "query": rest, "sort": [{"n": "asc"}]}
            found = self._client.search(index=searched, body=body)["hits"]["hits"]
            if found:
                return [_stored(hit["_source"]) for hit in found]
            self._waiting.pop(0)

    def fill(self, chunks: Sequence[StoredChunk], vectors: Vectors) -> None:
        # A write would make an index that is gone anew, with whatever mapping.
        if not self._client.indices.exists(index=self._name()):
            self.begun = None
            raise StoreNotReady("The index that was being filled is gone; it is made anew.")
        lines = bulk_lines(self._name(), chunks, vectors)
        answer = self._client.bulk(body=lines, params={"refresh": "true"}, request_timeout=60)
        if answer["errors"]:
            raise StoreNotReady("The search store refused passages; they are sent again.")

    def filled(self, searched: str) -> tuple[int, int]:
        everything: dict[str, Any] = {"match_all": {}}
        return self._count(self._name(), everything), self._count(searched, everything)

    def differing(self, searched: str) -> list[str]:
        """Return the documents that are not whole in the new index; what is gone from the old is deleted."""
        self._client.indices.refresh(index=f"{searched},{self._name()}")
        old, new = self._counts(searched), self._counts(self._name())
        for document_id, count in new.items():
            if count > old.get(document_id, 0):
                self.delete(document_id)
        return [name for name, count in old.items() if new.get(name, 0) != count]

    def delete(self, document_id: str) -> None:
        """Remove a document's chunks, if an index is being filled."""
        if self.begun is not None:
            self._client.indices.refresh(index=self._name(), params={"ignore_unavailable": "true"})
            self._client.delete_by_query(
                index=self._name(), body={"query": {"term": {"document_id": document_id}}},
                params={"refresh": "true", "conflicts": "proceed", "ignore_unavailable": "true"},
                request_timeout=60,
            )  # fmt: skip

    def _name(self) -> str:
        if self.begun is None:
            raise StoreNotReady("No index is being filled; it is made anew.")
        return self.begun[1]

    def _count(self, index: str, query: dict[str, Any]) -> int:
        return int(self._client.count(index=index, body={"query": query})["count"])

    def _counts(self, index: str) -> dict[str, int]:
        """Return how many chunks each document has."""
        counts: dict[str, int] = {}
        source = [{"id": {"terms": {"field": "document_id"}}}]
        pages: dict[str, Any] = {"size": _PAGE, "sources": source}
        while True:
            body = {"size": 0, "aggs": {"documents": {"composite": pages}}}
            found = self._client.search(index=index, body=body)["aggregations"]["documents"]
            counts |= {bucket["key"]["id"]: bucket["doc_count"] for bucket in found["buckets"]}
            if "after_key" not in found:
                return counts
            pages["after"] = found["after_key"]


def bulk_lines(index: str, chunks: Sequence[StoredChunk], vectors: Vectors) -> list[dict[str, Any]]:
    """Return the lines of a bulk call that writes chunks under `<document>:<n>`."""
    lines: list[dict[str, Any]] = []
    for stored, vector in zip(chunks, vectors, strict=True):
        chunk = stored.chunk
        lines.append({"index": {"_index": index, "_id": f"{stored.document_id}:{chunk.n}"}})
        lines.append(
            {
                "document_id": stored.document_id, "owner": stored.owner, "n": chunk.n, "page": chunk.page,
                "start": chunk.start, "end": chunk.end, "text": chunk.text, "vector": vector.tolist(),
            }
        )  # fmt: skip
    return lines


def _stored(source: dict[str, Any]) -> StoredChunk:
    chunk = Chunk(source["n"], source["text"], source["start"], source["end"], source["page"])
    return StoredChunk(source["document_id"], source["owner"], chunk)
