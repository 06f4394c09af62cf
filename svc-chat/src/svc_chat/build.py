"""Builds the engines that the settings name, and says when they are ready. Part of `app`."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import httpx

from servicekit.errors import ServiceError
from servicekit.health import Readiness
from servicekit.media import OwnMedia
from servicekit.models import InstalledModel, Loadable, Memory, NoMemory
from servicekit.tracing import pass_on
from svc_chat.engine.base import Album, Describer, Engine, Neighbours
from svc_chat.engine.gateway_models import GatewayModels
from svc_chat.engine.gguf_header import GgufHeader
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.library import Adapter, ModelLibrary
from svc_chat.engine.llama_backend import ADAPTERS_KEPT, LlamaBackend
from svc_chat.engine.llama_engine import RESCAN_S, LlamaEngine
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.memory_need import cells_for, memory_need
from svc_chat.engine.ollama import OllamaEngine
from svc_chat.engine.openai_server import OpenAIServerEngine
from svc_chat.engine.own_pictures import OwnPictures
from svc_chat.engine.pool import FAILED_RETRY_S, ModelPool
from svc_chat.engine.prefixed import PrefixedEngine, RemoteEngine
from svc_chat.engine.prober import Prober
from svc_chat.engine.scheduler import Limits
from svc_chat.engine.vision_service import VisionService
from svc_chat.other_servers import OtherServer
from svc_chat.settings import Settings

log = logging.getLogger(__name__)

SEQUENCES = 48
"""Conversations that a model's memory may hold, those that rest included."""
BATCH_TOKENS = 512
"""Most tokens of one step."""


class LocalAndRemote(EngineGroup):
    """llama.cpp here, and the servers that the settings name."""

    def __init__(self, local: LlamaEngine, others: Sequence[Engine]):
        super().__init__((local, *others))
        self.local = local

    def handles(self) -> Mapping[str, Loadable]:
        """Return the models that are loaded and freed here, by name."""
        return self.local.handles()

    def unlisted(self) -> Sequence[InstalledModel]:
        """Return the models that are loaded and freed here and that nobody chooses."""
        return self.local.unlisted()


def build_engine(settings: Settings, trained: Callable[[], Iterable[Adapter]] = tuple) -> LocalAndRemote:
    """Return the engines that `settings` ask for, with the `trained` adapters; loads nothing yet."""
    ollama = [_named(_ollama(server, settings), server) for server in settings.ollama_servers]
    compatible = [_named(_compatible(server, settings), server) for server in settings.openai_servers]
    return LocalAndRemote(build_local(settings, trained), [*ollama, *compatible])


def _named(engine: RemoteEngine, server: OtherServer) -> Engine:
    return PrefixedEngine(engine, server.name) if server.name else engine


def _ollama(server: OtherServer, settings: Settings) -> OllamaEngine:
    return OllamaEngine(
        server.url,
        _client(settings.ollama_timeout),
        server.name or "ollama",
        timeout_s=settings.ollama_timeout,
        allow_hosts=settings.fetch_allow_hosts,
    )


def _compatible(server: OtherServer, settings: Settings) -> OpenAIServerEngine:
    told = ("*" if name == "*" else server.own(name) for name in settings.openai_vision_models)
    return OpenAIServerEngine(
        server.url,
        server.key,
        _client(settings.request_timeout_s),
        server.name or "openai-server",
        timeout_s=settings.request_timeout_s,
        seeing=[model_id for model_id in told if model_id is not None],
        allow_hosts=settings.fetch_allow_hosts,
    )


def build_local(settings: Settings, trained: Callable[[], Iterable[Adapter]] = tuple) -> LlamaEngine:
    """Return the engine for GGUF files; reads nothing yet."""
    places = [settings.model_path, *map(Path, settings.model_paths), settings.data_dir / "models"]
    builtin, analyst = settings.builtin_model_path, settings.analysis_model_path
    needed = functools.partial(need, settings=settings)
    library = ModelLibrary(places, settings.adapters, builtin, needed, trained, analyst)
    environment = {"LD_LIBRARY_PATH": settings.ld_library_path} if settings.ld_library_path else {}
    prober = Prober(
        settings.data_dir / "tried-models.json",
        trusted=frozenset({builtin, analyst}),
        timeout_s=settings.probe_timeout_s,
        environment=environment,
    )
    pool: ModelPool[EngineLoop] = ModelPool(
        functools.partial(_load, settings=settings, prober=prober),
        EngineLoop.close,
        budget_bytes=settings.loaded_models_bytes,
        idle_unload_s=settings.idle_unload_s,
    )
    return LlamaEngine(library, pool, prober)


def handles(engine: Engine) -> Mapping[str, Loadable]:
    """Return the models of `engine` that are loaded and freed here, by name."""
    return engine.handles() if isinstance(engine, LocalAndRemote) else {}


def unlisted(engine: Engine) -> Sequence[InstalledModel]:
    """Return the models of `engine` that take memory here and are in no list."""
    return engine.unlisted() if isinstance(engine, LocalAndRemote) else ()


def share_memory(engine: Engine, memory: Memory) -> None:
    """Let the loads of `engine` ask `memory` first."""
    if isinstance(engine, LocalAndRemote):
        engine.local.share(memory)


def build_describer(settings: Settings) -> Describer | None:
    """Return who tells models that cannot see what pictures show, None for nobody."""
    if not settings.vision_url:
        return None
    client = _client(settings.vision_timeout_s)
    client.event_hooks = {"request": [pass_on]}
    return VisionService(settings.vision_url, client)


def build_album(settings: Settings) -> Album:
    """Return the pictures that this system keeps."""
    return OwnPictures(OwnMedia(settings.gateway_url, settings.allowed_hosts))


def build_neighbours(settings: Settings) -> Neighbours:
    """Return who knows the models of the other services."""
    return GatewayModels(settings.gateway_url)


async def watch(engine: Engine, readiness: Readiness, settings: Settings) -> asyncio.Task[None] | None:
    """Load the default model in the background (the task returned) and keep `readiness` true about it."""
    readiness.watch_queue(engine.queue)
    default = await _default(engine, readiness, settings)
    if default is not None and default not in handles(engine):
        readiness.set(status="ready")
        return None
    return asyncio.create_task(_load_default(engine, readiness, settings))


async def _load_default(engine: Engine, readiness: Readiness, settings: Settings) -> None:
    """Try until the default model is loaded; its file may come, or be mended, later."""
    while True:
        default = None
        try:
            default = await _default(engine, readiness, settings)
            if isinstance(engine, LocalAndRemote) and default in engine.handles():
                await engine.local.warm(default or "")
            if default is not None:
                readiness.set(status="ready")
                return
        except NoMemory:
            readiness.set(status="ready")  # it is loaded when somebody asks for it and there is room
            return
        except ServiceError as error:
            readiness.set(status="not_ready", reason=error.message)
        except Exception as error:
            log.error("model could not be loaded", exc_info=error)
            told = f"{default or 'models'} could not be loaded ({type(error).__name__}); the log says why"
            readiness.set(status="not_ready", reason=told)
        await asyncio.sleep(FAILED_RETRY_S if default is not None else RESCAN_S)


async def _default(engine: Engine, readiness: Readiness, settings: Settings) -> str | None:
    models = await engine.models()
    if not models:
        readiness.set(status="not_ready", reason="no chat model is installed")
        return None
    default = settings.default_model or models[0].id
    readiness.set(status="loading", reason=f"loading {default}", model=default)
    return default


def _load(path: Path, progress: Callable[[float], bool], *, settings: Settings, prober: Prober) -> EngineLoop:
    """Try a stranger's file out, then load it; blocks. Raises ModelBroken."""
    prober.check(path)
    return start_loop(path, settings, progress)


def need(header: GgufHeader, *, settings: Settings) -> int:
    """Return the bytes that a model takes with these settings."""
    cells = cells_for(header, settings.context_tokens, settings.cache_mb << 20)
    return memory_need(header, cells=cells, sequences=SEQUENCES, batch_tokens=BATCH_TOKENS).total


def start_loop(path: Path, settings: Settings, progress: Callable[[float], bool] | None = None) -> EngineLoop:
    """Load a GGUF file and start its loop; blocks. Raises ModelBroken."""
    backend = LlamaBackend(
        path,
        context_tokens=settings.context_tokens,
        cache_bytes=settings.cache_mb << 20,
        threads=settings.threads,
        sequences=SEQUENCES,
        batch_tokens=BATCH_TOKENS,
        adapters_kept=max(ADAPTERS_KEPT, settings.parallel),
        offload=settings.device != "cpu",
        progress=progress,
    )
    limits = Limits(
        running=settings.parallel, waiting=settings.max_waiting, batch_tokens=backend.batch_tokens
    )
    try:
        return EngineLoop(
            backend, limits, timeout_s=settings.request_timeout_s, spill_bytes=settings.spill_mb << 20
        )
    except BaseException:  # such as a machine that has no thread left to give
        backend.close()
        raise


def _client(timeout_s: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=httpx.Timeout(timeout_s, connect=3.0))
