"""ChunkStore on OpenSearch: one hybrid query a search, words by two analyzers, vectors by Lucene's HNSW.

Holds nothing that the record and the uploaded files cannot rebuild. While the server is away every
call raises StoreNotReady; the next call after it is back connects anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as ServerAway
from opensearchpy.exceptions import NotFoundError, OpenSearchException, TransportError

from svc_rag.engine import opensearch_index as layout
from svc_rag.engine.base import Chunk, Hit, SearchQuery, Space, StoredChunk, Vectors
from svc_rag.engine.fusion import Fusion
from svc_rag.engine.opensearch_spaces import NextIndex, bulk_lines
from svc_rag.errors import SpaceChanged, StoreNotReady
from svc_rag.words import tokens

_BULK_CHUNKS = 250
_MAX_WORDS = 128
"""Different words of one question; the server refuses queries of more than 1,024 clauses."""
_BUSY = (429, 500, 502, 503, 504)
# what the server answers once its disk is nearly full; it lifts the block itself
_BLOCKED = {"cluster_block_exception", "index_create_block_exception"}
_NO_DISK = "The search store writes no more: its disk is nearly full. Free some space; it goes on by itself."
_FIELDS = ["text.pt", "text.en", "text^0.5"]


class _Searched(NamedTuple):
    """What is searched now; replaced as one."""

    space: Space
    name: str


class OpenSearchStore:
    """SpaceStore: `connect` may fail with StoreNotReady and is then repeated by the next call.

    `default` is the space of an index that is made anew; `remember` is told the space of the one that is there.
    """

    kind = "opensearch"

    def __init__(
        self, url: str, default: Space, text_weight: float = 0.5, fusion: Fusion = "minmax",
        candidates: int = 50, timeout_s: float = 10.0, remember: Callable[[Space], object] = lambda _: None,
    ):  # fmt: skip
        self._client = OpenSearch(
            [url], timeout=timeout_s, max_retries=0, retry_on_timeout=False, pool_maxsize=16
        )
        self._text_weight, self._fusion, self._candidates = text_weight, fusion, candidates
        self._now = _Searched(default, layout.index_name())
        self._next = NextIndex(self._client)
        self._remember = remember
        self._connecting, self._changing = threading.Lock(), threading.Lock()
        self._connected = False

    @property
    def space(self) -> Space:
        return self._now.space

    def connect(self) -> None:
        """Make index, alias and pipeline where they are missing."""
        with self._connecting:
            if self._connected:
                return
            with self._reaching_server():
                name, space = layout.ensure(self._client, self.space, self._text_weight, self._fusion)
            self._now = _Searched(space, name)
            self._remember(space)
            self._connected = True

    def check(self) -> None:
        """Raise StoreNotReady unless the server answers and the index is there."""
        self.connect()
        with self._reaching_server():
            health = self._client.cluster.health(
                index=layout.ALIAS, params={"timeout": "1s"}, request_timeout=2
            )
        if health["status"] == "red":
            raise StoreNotReady(
                "The search store is recovering its index; try again in a moment.", retry_after_s=5
            )

    def index(
        self, document_id: str, owner: str, chunks: Sequence[Chunk], vectors: Vectors, space: Space
    ) -> None:
        """Write all chunks under `<document>:<n>`, so that writing them again changes nothing.

        Returns after a refresh: what is acknowledged is found. Chunks left of an older cut are removed.
        """
        self.connect()
        with self._changing, self._reaching_server():
            if space != self.space:
                raise SpaceChanged
            for first in range(0, len(chunks), _BULK_CHUNKS):
                part = slice(first, first + _BULK_CHUNKS)
                self._bulk(document_id, owner, chunks[part], vectors[part])
            self._client.indices.refresh(index=layout.ALIAS)
            left = [{"term": {"document_id": document_id}}, {"range": {"n": {"gte": len(chunks)}}}]
            self._delete_where({"bool": {"filter": left}})

    def _bulk(self, document_id: str, owner: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        stored = [StoredChunk(document_id, owner, chunk) for chunk in chunks]
        lines = bulk_lines(layout.ALIAS, stored, vectors)
        answer = self._client.bulk(body=lines, params={"require_alias": "true"}, request_timeout=60)
        if answer["errors"]:
            kinds = {item["index"].get("error", {}).get("type") for item in answer["items"]} - {None}
            if kinds & _BLOCKED:
                raise StoreNotReady(_NO_DISK, retry_after_s=30)
            raise StoreNotReady(
                f"The search store refused chunks ({', '.join(sorted(kinds))}); they are sent again."
            )

    def delete(self, document_id: str) -> None:
        """Remove a document's chunks, in a space that is being filled too; they are found no more when this returns."""
        self.connect()
        with self._changing, self._reaching_server():
            self._client.indices.refresh(index=layout.ALIAS)
            self._delete_where({"term": {"document_id": document_id}})
            self._next.delete(document_id)

    def _delete_where(self, query: dict[str, Any]) -> None:
        params = {"refresh": "true", "conflicts": "proceed"}
        self._client.delete_by_query(
            index=layout.ALIAS, body={"query": query}, params=params, request_timeout=60
        )

    def forget_deleted(self) -> None:
        """Leave it to the server, which overwrites what is deleted when it merges segments."""

    def search(self, query: SearchQuery) -> list[Hit]:
        """Return the best chunks of the query's owner by one request. Raises SpaceChanged."""
        self.connect()
        space, name = self._now
        if query.vector is not None and query.space not in (None, space):
            raise SpaceChanged
        k = max(self._candidates, query.top_k)
        within: list[dict[str, Any]] = [{"term": {"owner": query.owner}}]
        if query.document_ids:
            within.append({"terms": {"document_id": list(query.document_ids)}})
        parts: list[dict[str, Any]] = []
        if query.mode != "vector":
            text = " ".join(list(dict.fromkeys(tokens(query.text)))[:_MAX_WORDS])
            words = {"multi_match": {"query": text, "fields": _FIELDS, "type": "most_fields"}}
            parts.append({"bool": {"must": [words], "filter": within}})
        if query.mode != "text" and query.vector is not None:
            vector = {"vector": query.vector.tolist(), "k": k, "filter": {"bool": {"filter": within}}}
            parts.append({"knn": {"vector": vector}})
        hybrid = len(parts) > 1
        body = {
            "size": query.top_k,
            "query": {"hybrid": {"queries": parts, "pagination_depth": k}} if hybrid else parts[0],
        }
        params = {"search_pipeline": layout.PIPELINE} if hybrid else {}
        with self._reaching_server():
            try:
                # Not by the alias: it may move between this line and the one above.
                found = self._client.search(index=name, body=body, params=params)
            except NotFoundError as exc:
                if self._now.name != name:
                    raise SpaceChanged from exc
                raise
        return [_hit(hit, query.mode == "vector") for hit in found["hits"]["hits"]]

    def count(self, owner: str, document_ids: Iterable[str] = ()) -> int:
        """Return how many chunks the owner has, in all or in the given documents."""
        self.connect()
        ids = list(document_ids)
        within: list[dict[str, Any]] = [{"term": {"owner": owner}}]
        if ids:
            within.append({"terms": {"document_id": ids}})
        with self._reaching_server():
            return int(
                self._client.count(index=layout.ALIAS, body={"query": {"bool": {"filter": within}}})["count"]
            )

    def begin(self, space: Space) -> None:
        """Make an index for another space, or go on with it."""
        self.connect()
        with self._reaching_server():
            self._next.begin(space, self._now.name)

    def lacking(self, limit: int) -> Sequence[StoredChunk]:
        """Return chunks that are not in the new index."""
        with self._changing, self._reaching_server():
            return self._next.lacking(self._now.name, limit)

    def fill(self, chunks: Sequence[StoredChunk], vectors: Vectors) -> None:
        """Write chunks with their vectors into the new index."""
        with self._changing, self._reaching_server():
            self._next.fill(chunks, vectors)

    def filled(self) -> tuple[int, int]:
        """Return how many chunks are in the new index, of how many."""
        with self._reaching_server():
            return self._next.filled(self._now.name)

    def switch(self) -> bool:
        """Move the alias to the new index and delete the old one."""
        self.connect()
        with self._changing, self._reaching_server():
            begun = self._next.begun
            if begun is None or self._next.differing(self._now.name):
                return False
            space, name = begun
            layout.move_alias(self._client, self._now.name, name)
            self._now = _Searched(space, name)
            self._next.begun = None
        self._remember(space)
        self.abandon()
        return True

    def abandon(self) -> None:
        """Delete every index but the one that is searched."""
        self.connect()
        with self._changing, self._reaching_server():
            self._next.begun = None
            layout.drop_others(self._client, self._now.name)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def _reaching_server(self) -> Iterator[None]:
        """Translate the client's exceptions; a lost index is made anew by the next call."""
        try:
            yield
        except ServerAway as exc:
            self._connected = False
            raise StoreNotReady(
                "The search store does not answer; try again in a moment.", retry_after_s=5
            ) from exc
        except NotFoundError as exc:
            self._connected = False
            raise StoreNotReady("The search store lost its index; it is made anew.", retry_after_s=2) from exc
        except TransportError as exc:
            if exc.error in _BLOCKED:
                self._connected = False
                raise StoreNotReady(_NO_DISK, retry_after_s=30) from exc
            if exc.status_code not in _BUSY:
                raise
            self._connected = False
            raise StoreNotReady(
                "The search store is busy or recovering; try again in a moment.", retry_after_s=5
            ) from exc
        except OpenSearchException as exc:
            raise StoreNotReady("The search store gave an answer that cannot be read; try again.") from exc


def _hit(hit: dict[str, Any], vector_only: bool) -> Hit:
    source = hit["_source"]
    # Lucene reports (1 + cosine) / 2; the other store and its thresholds speak of cosine.
    score = 2 * hit["_score"] - 1 if vector_only else hit["_score"]
    return Hit(
        hit["_id"],
        source["document_id"],
        source["text"],
        score,
        source["page"],
        source["start"],
        source["end"],
    )
