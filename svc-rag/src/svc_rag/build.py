"""Builds the engines that the settings name, and says when they are ready. Part of `app`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from servicekit.errors import ServiceError, TooBusy
from servicekit.health import Readiness
from servicekit.models import Catalogue, InstalledModel, ModelSlot, NoMemory, ServiceModels, warm
from svc_rag.domain.embedders import Embedders, space_of
from svc_rag.engine import minilm
from svc_rag.engine.base import ChatModel, Embedder, Parser, Space, SpaceStore
from svc_rag.engine.chat_files import ChatFiles
from svc_rag.engine.chat_server import ChatServer
from svc_rag.engine.database import Database
from svc_rag.engine.embedder_record import EmbedderRecord
from svc_rag.engine.files import FolderFiles
from svc_rag.engine.hashing import HashingEmbedder
from svc_rag.engine.parsers.isolated import IsolatedParser
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.engine.record import SqliteRecord
from svc_rag.engine.slot_embedder import SlotEmbedder
from svc_rag.engine.sqlite_store import SqliteStore
from svc_rag.engine.vector_base import FileSource
from svc_rag.engine.vector_record import SqliteVectorStores
from svc_rag.errors import EmbedderMissing
from svc_rag.settings import Settings

_CHECK_EVERY_S = 1.0
_TELL_AGAIN_S = 10.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engines:
    """Every collaborator of the service."""

    record: SqliteRecord
    files: FolderFiles
    parser: Parser
    embedders: Embedders
    built_in: Embedder
    embedder_record: EmbedderRecord
    store: SpaceStore
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
    built_in, notes = _built_in(settings), EmbedderRecord(database)
    store = _store(settings, database, space_of(built_in), notes)
    limits = ParseLimits(timeout_s=settings.parse_timeout_s, memory_bytes=settings.parse_memory_bytes)
    return Engines(
        record=SqliteRecord(database),
        vectors=SqliteVectorStores(database),
        source=source or ChatFiles(settings.chat_url, settings.chat_timeout_s),
        files=FolderFiles(settings.data_dir / "documents"),
        parser=IsolatedParser(limits),
        embedders=Embedders(store, [built_in]),
        built_in=built_in,
        embedder_record=notes,
        store=store,
        chat=chat or ChatServer(settings.chat_url, settings.chat_timeout_s),
        database=database,
    )


def _built_in(settings: Settings) -> Embedder:
    if settings.embedder == "hashing":
        return HashingEmbedder()

    def load() -> Embedder:
        return minilm.MiniLm(settings.embed_threads)

    slot: ModelSlot[Embedder] = ModelSlot(
        load, idle_unload_s=settings.idle_unload_s or None, name=minilm.SPACE.model
    )
    return SlotEmbedder(slot, minilm.SPACE)


def named_places(settings: Settings) -> list[Path]:
    """Return the folder of the model that was not installed from a hub."""
    return [] if settings.embedder == "hashing" else [minilm.folder()]


def _store(settings: Settings, database: Database, default: Space, notes: EmbedderRecord) -> SpaceStore:
    if settings.search_store == "opensearch":
        # Imported here, because the client is a sizeable part of the start where SQLite does.
        from svc_rag.engine.opensearch_store import OpenSearchStore

        return OpenSearchStore(
            settings.opensearch_url, notes.space() or default, settings.text_weight, settings.fusion,
            remember=notes.remember,
        )  # fmt: skip
    return SqliteStore(database, default, settings.text_weight, settings.fusion)


def models_of(settings: Settings, built_in: Embedder, catalogue: Catalogue) -> ServiceModels:
    """Return the built-in model, its aliases, slot and the catalogue."""
    entry = InstalledModel(
        built_in.model_id, "embedding", owned_by="sentence-transformers", builtin=True, license="Apache-2.0",
        size_bytes=minilm.BYTES, languages=("en",),
    )  # fmt: skip
    slots = {entry.id: built_in.slot} if isinstance(built_in, SlotEmbedder) else {}
    return ServiceModels(
        settings.service, [entry], aliases=settings.model_aliases, slots=slots, catalogue=catalogue,
        folder=settings.data_dir,
    )  # fmt: skip


class StoreWatch:
    """Keeps asking the store whether it is there, so that `/readyz` knows without waiting for it.

    Each time the store is there again, `back` is called until it raises nothing.
    """

    def __init__(self, store: SpaceStore, back: Callable[[], object] = lambda: None):
        self._store, self._back = store, back
        self._told_back, self._tell_at = False, 0.0
        self._reason: str | None = "store not ready: connecting"
        self._logged: str | None = None
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

    def _broken(self, error: Exception) -> None:
        """Take in trouble that may pass, such as a full disk or a locked file; whatever it is, the watch goes on."""
        reason = f"store not ready: it cannot be read or written ({type(error).__name__}); is the disk full?"
        if reason != self._logged:
            log.error("search store not usable", exc_info=error)
        self._reason = self._logged = reason
        self._told_back = False

    def _run(self) -> None:
        while True:
            try:
                self._store.connect()
                self._store.check()
                self._tell_back()
                self._reason = self._logged = None
            except ServiceError as error:
                self._reason, self._told_back = f"store not ready: {error.message}", False
            except Exception as error:
                self._broken(error)
            if self._stop.wait(_CHECK_EVERY_S):
                return


class EmbedderWatch:
    """Keeps readiness and the default of `/v1/models` true about the embedder that the store is indexed with."""

    def __init__(self, embedders: Embedders, models: ServiceModels, readiness: Readiness):
        self._embedders, self._models, self._readiness = embedders, models, readiness

    def follow(self) -> None:
        """Take in which embedder is in use now."""
        name = self._embedders.name_in_use
        if name in self._embedders.names():
            self._models.default = name
        self._readiness.set(model=name)

    def missing(self) -> str | None:
        """Return why documents cannot be embedded: their embedder is gone."""
        self.follow()
        try:
            self._embedders.in_use()
        except ServiceError as error:
            return error.message
        return None

    async def load(self) -> None:
        """Load the embedder, then tell that the service is ready (the store has its own check)."""
        self.follow()
        name = self._embedders.name_in_use
        self._readiness.set(status="loading", reason=f"loading {name}", model=name)
        # The check of its own tells of an embedder that is missing.
        await warm(
            [lambda: self._embedders.in_use().embed(["ready"])], self._readiness, (EmbedderMissing, NoMemory)
        )
