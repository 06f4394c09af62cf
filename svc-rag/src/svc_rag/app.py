"""Puts svc-rag together: the only place that picks concrete classes (with build.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from servicekit import hub, jobs
from servicekit.asgi import install
from servicekit.atomic import DRAFT_STALE_S
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.models import Catalogue, Memory
from servicekit.models import router as model_routes
from servicekit.retention import Sweeper
from svc_rag.api import documents, embedder, embeddings, questions, training
from svc_rag.api import vector_stores as vector_stores_api
from svc_rag.api.intake import INGEST, Intake
from svc_rag.build import EmbedderWatch, StoreWatch, build_engines, models_of, named_places
from svc_rag.domain.answering import MINILM_THRESHOLDS, Answerer
from svc_rag.domain.chunking import ChunkSizes
from svc_rag.domain.ingest import Ingest
from svc_rag.domain.library import Library
from svc_rag.domain.reindexing import REINDEX, Reindexing
from svc_rag.domain.reranking import Rerankers
from svc_rag.domain.retrieval import Retriever
from svc_rag.domain.vector_stores import VectorStoreService
from svc_rag.engine.base import ChatModel
from svc_rag.engine.vector_base import FileSource
from svc_rag.installing import build_installs
from svc_rag.settings import Settings


def create_app(
    settings: Settings | None = None,
    chat: ChatModel | None = None,
    authenticator: Authenticator | None = None,
    source: FileSource | None = None,
) -> FastAPI:
    """Return the app; tests pass a fake `chat`, `source` and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    readiness = Readiness(settings.service)
    engines = build_engines(settings, chat, source)
    embedders = engines.embedders
    catalogue = Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml")
    models = models_of(settings, engines.built_in, catalogue)
    models.share(Memory.of(settings, readiness))
    installs = build_installs(settings, embedders, models, catalogue)
    readiness.watch_models(hub.editions(models, installs, named_places(settings)))
    embedder_watch = EmbedderWatch(embedders, models, readiness)
    library = Library(
        engines.record, engines.files, engines.store, engines.parser, settings.max_document_bytes
    )
    answerer = Answerer(
        Retriever(engines.record, engines.store, engines.embedders), engines.chat, MINILM_THRESHOLDS,
        settings.max_answer_tokens,
    )  # fmt: skip
    sizes = ChunkSizes(settings.chunk_chars, settings.chunk_overlap_chars)
    ingest = Ingest(library, embedders, sizes, own_sizes=lambda id_: vector_stores.sizes_of(id_))
    reindexing = Reindexing(
        engines.store, embedders, engines.embedder_record.is_paused, embedder_watch.follow
    )
    queue = jobs.JobQueue(
        settings.service, settings.sql_url, {INGEST: ingest, REINDEX: reindexing, hub.KIND: installs.run},
        max_waiting=settings.max_waiting_jobs, lanes={REINDEX: "reindex", hub.KIND: "install"},
    )  # fmt: skip
    intake = Intake(library, queue)
    vector_stores = VectorStoreService(
        engines.vectors, library, Retriever(engines.record, engines.store, engines.embedders), engines.source,
        intake.submit, queue.cancel,
    )  # fmt: skip

    def store_is_back() -> None:
        embedder_watch.follow()
        reindexing.tidy(bool(queue.unfinished(REINDEX)))
        intake.mend()

    watch = StoreWatch(engines.store, store_is_back)
    days = settings.media_retention_days
    sweeper = Sweeper(
        lambda: library.sweep(DRAFT_STALE_S), lambda: queue.sweep(days), engines.parser.sweep, vector_stores.sweep
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        library.sweep()
        await hub.start(installs, queue)
        await asyncio.to_thread(vector_stores.recover)
        watch.start()
        sweeper.start()
        readiness.add_check("search", watch.reason)
        readiness.add_check("embedder", embedder_watch.missing)
        readiness.watch_queue(queue.load)
        loading = asyncio.create_task(embedder_watch.load())
        yield
        loading.cancel()  # what is being loaded is not waited for
        await asyncio.to_thread(sweeper.stop)
        await asyncio.to_thread(queue.stop)
        await asyncio.to_thread(watch.stop)
        await engines.close()

    app = FastAPI(
        title="svc-rag", version=readiness.version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.vector_stores = vector_stores
    install(app, settings, readiness=readiness, authenticator=authenticator, sweeper=sweeper)
    app.include_router(
        documents.router(
            intake, settings, settings.max_fetch_bytes, settings.fetch_timeout_s, vector_stores.forget
        )
    )
    app.include_router(questions.router(answerer, Rerankers(embedders, settings.reranker)))
    app.include_router(training.router(intake, engines.chat))
    app.include_router(embeddings.router(embedders, models))
    app.include_router(
        embedder.router(embedder.Switching(queue, engines.store, embedders, engines.embedder_record))
    )
    app.include_router(jobs.router(queue))
    app.include_router(model_routes(models, hub.router(installs, queue)))
    app.include_router(vector_stores_api.router(vector_stores, sizes))
    return app
