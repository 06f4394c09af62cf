"""Which embedders are here, and which one the documents are indexed with: the store says so. Thread-safe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from servicekit.errors import Conflict, ModelNotFound
from svc_rag.engine.base import ChunkStore, Embedder, Reranker, Space
from svc_rag.errors import EmbedderMissing


class Embedders:
    """The embedders and rerankers that can run, by their ids."""

    def __init__(self, store: ChunkStore, built_in: Iterable[Embedder]):
        self._store = store
        self._known = {embedder.model_id: embedder for embedder in built_in}
        self._rerankers: dict[str, Reranker] = {}
        self.reserved: str | None = None
        """The embedder that the documents are being moved to."""

    @property
    def name_in_use(self) -> str:
        """The id of the embedder that the documents are indexed with, be it here or not."""
        return self._store.space.model

    def in_use(self) -> Embedder:
        """Return the embedder of the store's space. Raises EmbedderMissing."""
        space = self._store.space
        embedder = self._known.get(space.model)
        if embedder is None or space_of(embedder) != space:
            raise EmbedderMissing(space.model)
        return embedder

    def get(self, model_id: str) -> Embedder:
        """Return an embedder by its id. Raises ModelNotFound."""
        embedder = self._known.get(model_id)
        if embedder is None:
            raise ModelNotFound(
                f"'{model_id[:100]}' is no embedder that is installed here. Installed: {', '.join(self.names())}.",
                param="model",
            )
        return embedder

    def reranker(self, model_id: str) -> Reranker | None:
        """Return a reranker by its id, None when it is none."""
        return self._rerankers.get(model_id)

    def reranker_names(self) -> Sequence[str]:
        """Return the ids of the rerankers."""
        return sorted(self._rerankers)

    def names(self) -> Sequence[str]:
        """Return the ids of the embedders."""
        return sorted(self._known)

    def add(self, embedder: Embedder) -> None:
        """Take an embedder in."""
        self._known[embedder.model_id] = embedder

    def add_reranker(self, reranker: Reranker) -> None:
        """Take a reranker in."""
        self._rerankers[reranker.model_id] = reranker

    def check_free(self, model_id: str) -> None:
        """Raise Conflict, with the remedy, while the documents need this embedder."""
        if model_id == self.name_in_use:
            others = [name for name in self.names() if name != model_id]
            raise Conflict(
                f"The documents are indexed with '{model_id}'. Index them with another embedder first "
                f"(POST /v1/embedder with one of: {', '.join(others)}), then remove it.",
                param="model",
            )
        if model_id == self.reserved:
            raise Conflict(
                f"The documents are being indexed with '{model_id}' just now. Wait until that job has ended, or cancel it.",
                param="model",
            )

    def discard(self, model_id: str) -> None:
        """Let an embedder or reranker go."""
        self._known.pop(model_id, None)
        self._rerankers.pop(model_id, None)


def space_of(embedder: Embedder) -> Space:
    """Return the space of an embedder's vectors."""
    return Space(embedder.model_id, embedder.dimension)
