"""Builds the engines that the settings name, and says when they are ready. Part of `app`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from servicekit.errors import ServiceError
from servicekit.health import Readiness
from servicekit.models import ModelSlot
from svc_chat.engine.base import Describer, Engine
from svc_chat.engine.group import EngineGroup
from svc_chat.engine.llama_backend import LlamaBackend
from svc_chat.engine.llama_engine import LlamaEngine, installed_from
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.ollama import OllamaEngine
from svc_chat.engine.openai_server import OpenAIServerEngine
from svc_chat.engine.scheduler import Limits
from svc_chat.engine.vision_service import VisionService
from svc_chat.settings import Settings


class LocalAndRemote(EngineGroup):
    """llama.cpp here, and the servers that the settings name."""

    def __init__(self, engines: Sequence[Engine], slots: Mapping[str, ModelSlot[EngineLoop]]):
        super().__init__(engines)
        self.slots = slots


def build_engine(settings: Settings) -> LocalAndRemote:
    """Return the engines that `settings` ask for; loads nothing yet."""
    paths = [settings.model_path, *map(Path, settings.model_paths)]
    installed = installed_from(paths, settings.builtin_model_path)
    slots = {path.stem: _slot(path, settings) for path in paths if path.stem in installed}
    engines: list[Engine] = []
    if installed:
        engines.append(LlamaEngine(installed, slots))
    if settings.ollama_host:
        engines.append(
            OllamaEngine(
                settings.ollama_host,
                _client(settings.ollama_timeout),
                timeout_s=settings.ollama_timeout,
                allow_hosts=settings.fetch_allow_hosts,
            )
        )
    if settings.openai_base_url:
        engines.append(
            OpenAIServerEngine(
                settings.openai_base_url,
                settings.openai_api_key,
                _client(settings.request_timeout_s),
                timeout_s=settings.request_timeout_s,
                seeing=settings.openai_vision_models,
                allow_hosts=settings.fetch_allow_hosts,
            )
        )
    return LocalAndRemote(engines, slots)


def build_describer(settings: Settings) -> Describer | None:
    """Return who tells models that cannot see what pictures show, None for nobody."""
    if not settings.vision_url:
        return None
    return VisionService(settings.vision_url, _client(settings.vision_timeout_s))


async def watch(engine: Engine, readiness: Readiness, settings: Settings) -> asyncio.Task[None] | None:
    """Load the default model in the background (the task returned) and keep `readiness` true about it."""
    readiness.watch_queue(engine.queue)
    models = await engine.models()
    if not models:
        readiness.set(status="not_ready", reason="no chat model is installed")
        return None
    default = settings.default_model or models[0].id
    slot = getattr(engine, "slots", {}).get(default)
    readiness.set(status="loading", reason=f"loading {default}", model=default)
    if slot is None:
        readiness.set(status="ready")
        return None
    return asyncio.create_task(_load(slot, readiness))


async def _load(slot: ModelSlot[EngineLoop], readiness: Readiness) -> None:
    try:
        await asyncio.to_thread(slot.load)
        readiness.set(status="ready")
    except ServiceError as error:
        readiness.set(status="not_ready", reason=error.message)


def _slot(path: Path, settings: Settings) -> ModelSlot[EngineLoop]:
    start = functools.partial(start_loop, path, settings)
    return ModelSlot(start, unload=EngineLoop.close, idle_unload_s=settings.idle_unload_s or None)


def start_loop(path: Path, settings: Settings) -> EngineLoop:
    """Load a GGUF file and start its loop; blocks. Raises ModelBroken."""
    backend = LlamaBackend(
        path,
        context_tokens=settings.context_tokens,
        cache_bytes=settings.cache_mb << 20,
        threads=settings.threads,
        offload=settings.device != "cpu",
    )
    limits = Limits(
        running=settings.parallel, waiting=settings.max_waiting, batch_tokens=backend.batch_tokens
    )
    return EngineLoop(
        backend, limits, timeout_s=settings.request_timeout_s, spill_bytes=settings.spill_mb << 20
    )


def _client(timeout_s: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=httpx.Timeout(timeout_s, connect=3.0))
