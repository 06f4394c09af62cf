"""llama.cpp in this process: a batching loop for each model that is loaded, the models lent by their slots.

Knows which model answers and that it is loaded; `loop.py` knows how many answers are written at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from servicekit.models import InstalledModel, ModelSlot
from svc_chat.engine.base import Delta, GenerationRequest
from svc_chat.engine.loop import EngineLoop


class LlamaEngine:
    """Answers with GGUF models, many answers at once.

    Args:
        installed: id → what `/v1/models` says of it.
        slots: id → the slot that loads its file and starts its loop.
    """

    def __init__(self, installed: Mapping[str, InstalledModel], slots: Mapping[str, ModelSlot[EngineLoop]]):
        self._installed, self._slots = dict(installed), dict(slots)
        self._loops: set[EngineLoop] = set()
        self._loading = 0

    async def models(self) -> Sequence[InstalledModel]:
        return list(self._installed.values())

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        asked = time.perf_counter()
        async with self._lent(self._slots[request.model_id]) as loop:
            async for delta in loop.run(request, load_s=time.perf_counter() - asked):
                yield delta

    def queue(self) -> dict[str, int]:
        queues = [loop.queue() for loop in self._loops]
        total = {name: sum(queue[name] for queue in queues) for name in ("running", "waiting")}
        return {**total, "waiting": total["waiting"] + self._loading}

    async def close(self) -> None:
        for slot in self._slots.values():
            await asyncio.to_thread(slot.close)

    @asynccontextmanager
    async def _lent(self, slot: ModelSlot[EngineLoop]) -> AsyncIterator[EngineLoop]:
        """Lend the slot's loop, loading the model first if need be."""
        use = slot.use()
        self._loading += 1
        entering = asyncio.ensure_future(asyncio.to_thread(use.__enter__))
        try:
            loop = await asyncio.shield(entering)
        except asyncio.CancelledError:
            # whoever leaves while the model is loading gives it back when it is there
            entering.add_done_callback(lambda done: done.exception() or use.__exit__(None, None, None))
            raise
        finally:
            self._loading -= 1
        self._loops.add(loop)
        try:
            yield loop
        finally:
            use.__exit__(None, None, None)
            if slot.users == 0:
                self._loops.discard(loop)


def installed_from(paths: Sequence[Path], builtin: Path) -> dict[str, InstalledModel]:
    """Describe the GGUF files that exist, by id (the file's name without its ending)."""
    found = {}
    for path in paths:
        if path.is_file():
            size = path.stat().st_size
            own = path == builtin
            found[path.stem] = InstalledModel(
                path.stem, "chat", builtin=own, license="MIT" if own else None, size_bytes=size,
                created=int(path.stat().st_mtime), languages=("pt-BR", "en") if own else (),
            )  # fmt: skip
    return found
