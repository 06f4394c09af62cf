"""Puts svc-chat together: the only place that picks concrete classes."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from servicekit import hub, jobs
from servicekit.asgi import install
from servicekit.auth import Authenticator
from servicekit.health import Readiness
from servicekit.models import Catalogue, Memory
from svc_chat.api import (
    assistants,
    chat_completions,
    completions,
    conversations,
    files,
    models,
    personas,
    responses,
    runs,
    simple,
    threads,
    train,
    tuning,
)
from svc_chat.assistants import build_assistants
from svc_chat.build import (
    build_album,
    build_describer,
    build_engine,
    build_neighbours,
    handles,
    share_memory,
    unlisted,
    watch,
)
from svc_chat.domain.service import ChatService
from svc_chat.engine.base import Album, Describer, Engine, Neighbours
from svc_chat.engine.database import open_database
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.records import SqlRecords
from svc_chat.engine.tools_base import CodeInterpreter, Delegation, FileSearch
from svc_chat.engine.tuning.base import Trainer
from svc_chat.files import build_delegation, build_files, build_interpreter, build_rag
from svc_chat.history import build_history
from svc_chat.installing import build_installs
from svc_chat.settings import Settings
from svc_chat.tuning import build_trained, build_tuning


def create_app(
    settings: Settings | None = None,
    engine: Engine | None = None,
    authenticator: Authenticator | None = None,
    describer: Describer | None = None,
    tools: tuple[FileSearch | None, CodeInterpreter | None] | None = None,
    trainer: Trainer | None = None,
    delegation: Delegation | None = None,
    album: Album | None = None,
    neighbours: Neighbours | None = None,
) -> FastAPI:
    """Return the app; tests pass fakes, and an authenticator with keys of their own."""
    settings = settings or Settings()
    settings.prepared()
    readiness = Readiness(settings.service)
    database = open_database(settings.sql_url)
    trained = build_trained(database, settings)
    built = build_engine(settings, trained.adapters) if engine is None else engine
    memory = Memory.of(settings, readiness)
    share_memory(built, memory)
    if isinstance(built, EngineGroup):
        readiness.on_drain(built.drain)
    describer, album = describer or build_describer(settings), album or build_album(settings)
    neighbours = neighbours or build_neighbours(settings)
    service = ChatService(
        built,
        SqlRecords(database),
        aliases=settings.model_aliases,
        default=settings.default_model,
        max_tokens=settings.max_tokens,
        describer=describer,
        album=album,
        neighbours=neighbours,
        visible=trained.visible,
    )

    rag, interpreter = build_rag(settings), build_interpreter(settings)
    delegating = build_delegation(settings)
    kept_files = build_files(database, settings, rag)
    assistance = build_assistants(
        service, database, kept_files, tools or (rag, interpreter), settings, delegation or delegating
    )
    trainings = build_tuning(service, database, kept_files, trained, settings, memory, trainer)
    readiness.on_drain(trainings.runner.drain)
    chores = (kept_files.sweep, assistance.runs.sweep)
    history = build_history(service, database, settings, chores, [assistance.writer])

    catalogue = Catalogue.from_yaml(Path(__file__).parent / "catalogue.yaml")
    local = functools.partial(handles, built)
    installs = build_installs(settings, catalogue, local)
    queue = hub.queue_for(settings, installs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await hub.start(installs, queue)
        loading = await watch(built, readiness, settings)
        upkeep = await history.start(readiness)
        await trainings.runner.start()
        yield
        await trainings.runner.close()
        await hub.stop(queue)
        await history.close(upkeep)
        if loading is not None:
            loading.cancel()
        await built.close()
        if describer is not None:
            await describer.close()
        for one in (album, neighbours, rag, interpreter, delegating):
            if one is not None:
                await one.close()
        database.dispose()

    app = FastAPI(
        title="svc-chat", version=readiness.version, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    install(
        app,
        settings,
        readiness=readiness,
        authenticator=authenticator,
        body_limits=settings.upload_limits,
    )
    app.state.metrics.counts(
        "chat_tokens",
        "Tokens of the answers that have ended",
        ("kind",),
        lambda: {(kind,): number for kind, number in service.tokens.items()},
    )
    app.include_router(chat_completions.router(service, settings.default_max_tokens))
    app.include_router(completions.router(service))
    app.include_router(simple.router(service, settings.default_max_tokens))
    app.include_router(responses.router(history.responses, settings.default_max_tokens))
    app.include_router(conversations.router(history.conversations))
    app.include_router(files.router(kept_files))
    app.include_router(assistants.router(assistance.assistants))
    app.include_router(runs.router(assistance.runs))
    app.include_router(threads.router(assistance.threads, assistance.runs))
    app.include_router(personas.router(service.records))
    app.include_router(train.router(trainings.service))
    app.include_router(tuning.router(trainings.service))
    app.include_router(tuning.removal(trainings.service))
    app.include_router(
        models.router(
            service,
            local,
            settings.model_aliases,
            settings.default_model,
            catalogue,
            hub.router(installs, queue),
            functools.partial(unlisted, built),
        )
    )
    app.include_router(hub.browser.router("/v1/chat", installs.shelf, catalogue))
    app.include_router(jobs.router(queue))
    return app
