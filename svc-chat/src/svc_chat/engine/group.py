"""Several engines as one: models of all in one list, each request to the engine that has its model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import cast

from servicekit.errors import ModelNotFound
from servicekit.models import InstalledModel
from svc_chat.engine.base import Delta, Elsewhere, Engine, GenerationRequest, Usage
from svc_chat.engine.drain import Drain, Drained


class EngineGroup:
    """Asks its engines side by side; the first that has a model owns its name."""

    def __init__(self, engines: Sequence[Engine]):
        self._engines = tuple(engines)
        self._drain = Drain()

    async def models(self) -> Sequence[InstalledModel]:
        found: dict[str, InstalledModel] = {}
        for models in await asyncio.gather(*(engine.models() for engine in self._engines)):
            for model in models:
                found.setdefault(model.id, model)
        return list(found.values())

    async def sees(self, model_id: str) -> bool:
        engine = await self._owner(model_id)
        return isinstance(engine, Elsewhere) and await engine.sees(model_id)

    def away(self) -> Sequence[str]:
        return [name for engine in self._engines if isinstance(engine, Elsewhere) for name in engine.away()]

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        engine = await self._owner(request.model_id)
        written = cast(AsyncGenerator[Delta, None], engine.generate(request))
        unfinished = set(range(request.choices))
        async with aclosing(written) as deltas:
            try:
                while unfinished:
                    delta = await self._drain.next(deltas)
                    if delta.finish_reason is not None:
                        unfinished.discard(delta.index)
                    yield delta
            except StopAsyncIteration:
                return
            except Drained:
                for index in sorted(unfinished):
                    yield Delta(finish_reason="length", usage=Usage(), index=index)

    def drain(self, seconds: float) -> None:
        """End every answer within `seconds` with what there is; called in the event loop's thread."""
        self._drain.begin(seconds)

    def queue(self) -> dict[str, int]:
        queues = [engine.queue() for engine in self._engines]
        return {name: sum(queue[name] for queue in queues) for name in ("running", "waiting")}

    async def close(self) -> None:
        await asyncio.gather(*(engine.close() for engine in self._engines), return_exceptions=True)

    async def _owner(self, model_id: str) -> Engine:
        if len(self._engines) == 1:
            return self._engines[0]
        for engine in self._engines:
            if any(model.id == model_id for model in await engine.models()):
                return engine
        raise ModelNotFound(f"The model '{model_id[:80]}' is gone. GET /v1/models lists what is there.")
