"""llama.cpp in this process: a batching loop for each model that is loaded, the models lent by a pool.

Knows which models there are and which one answers; `loop.py` knows how many answers are written at once, `pool.py`
who is in memory, `library.py` which files there are.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

from servicekit.aside import aside
from servicekit.models import InstalledModel, Loadable, Memory
from svc_chat.engine.base import Delta, GenerationRequest
from svc_chat.engine.library import ModelLibrary
from svc_chat.engine.loop import EngineLoop
from svc_chat.engine.pool import FAILED_RETRY_S, ModelPool
from svc_chat.engine.pool_entry import ModelFile
from svc_chat.engine.prober import Prober

RESCAN_S = 1.0
"""Files are not looked at more often."""


class LlamaEngine:
    """Answers with GGUF models, many answers at once.

    Args:
        library: the files that there are.
        pool: lends a file's loop, loading it first.
        prober: tries an adapter out before it is used.
    """

    def __init__(self, library: ModelLibrary, pool: ModelPool[EngineLoop], prober: Prober):
        self._library, self._pool, self._prober = library, pool, prober
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._trials: dict[tuple[Path, object], asyncio.Task[None]] = {}
        """Of each adapter's version, the trial: one for all who wait for it. One that failed is kept for a while."""
        self._loading = 0

    def share(self, memory: Memory) -> None:
        """Let every load ask `memory` first; call it before a model is offered."""
        self._pool.cover = memory.cover

    async def models(self) -> Sequence[InstalledModel]:
        async with self._looking:
            if time.monotonic() - self._looked_at >= RESCAN_S:
                if await asyncio.to_thread(self._library.scan):
                    self._pool.offer(self._library.listing.files)
                self._looked_at = time.monotonic()
        return self._library.listing.models

    def unlisted(self) -> Sequence[InstalledModel]:
        """Return what may be in memory and is not among the models."""
        return self._library.listing.unlisted

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        asked = time.perf_counter()
        await self.models()
        model_id = self._library.computing(request.model_id) if request.tables else request.model_id
        async with AsyncExitStack() as held:
            self._loading += 1
            try:
                file = self._pool.describe(model_id)
                loop = await held.enter_async_context(self._pool.lend(model_id))
                adapter = await self._adapter(file)
            finally:
                self._loading -= 1
            load_s = time.perf_counter() - asked
            deltas = await held.enter_async_context(aclosing(loop.run(request, adapter, load_s)))
            async for delta in deltas:
                yield delta

    def look_again(self) -> None:
        """Look for files at the next request, however soon it is. Any thread may call it."""
        self._looked_at = float("-inf")

    async def file_of(self, model_id: str) -> Path | None:
        """Return the GGUF file of a model, None for an adapter or a model that is not here."""
        await self.models()
        file = next((f for f in self._library.listing.files if f.id == model_id), None)
        return (
            None if file is None or file.adapter_path is not None or file.problem is not None else file.path
        )

    async def warm(self, model_id: str) -> None:
        """Load a model ahead of its first request; raises as `ModelPool.lend`."""
        async with self._pool.lend(model_id):
            pass

    def handles(self) -> Mapping[str, Loadable]:
        """Return what `/v1/models` shows and does of each model."""
        return self._pool.handles()

    def queue(self) -> dict[str, int]:
        queues = [loop.queue() for loop in self._pool.loaded()]
        total = {name: sum(queue[name] for queue in queues) for name in ("running", "waiting")}
        return {**total, "waiting": total["waiting"] + self._loading}

    async def close(self) -> None:
        for trial in [*self._trials.values()]:
            trial.cancel()
        await asyncio.to_thread(self._pool.close)

    async def _adapter(self, file: ModelFile) -> str | None:
        """Return the adapter's path after it was tried with its base; raises ModelBroken."""
        if file.adapter_path is None:
            return None
        known = (file.adapter_path, file.version)
        trial = self._trials.get(known)
        if trial is None:
            check = functools.partial(self._prober.check, file.path, file.adapter_path)
            # it takes minutes, and all others wait for the pool's threads
            trial = self._trials[known] = asyncio.create_task(aside(check, "adapter-trial"))
            trial.add_done_callback(functools.partial(self._tried, known))
        await asyncio.shield(trial)
        return str(file.adapter_path)

    def _tried(self, known: tuple[Path, object], trial: asyncio.Task[None]) -> None:
        if trial.cancelled():
            self._trials.pop(known, None)
        elif trial.exception() is not None:
            asyncio.get_running_loop().call_later(FAILED_RETRY_S, self._trials.pop, known, None)
