"""An engine of another server whose models have the server's name before theirs: two servers may have the same model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, cast

from servicekit.models import InstalledModel
from svc_chat.engine.base import Delta, Elsewhere, Engine, GenerationRequest


class RemoteEngine(Engine, Elsewhere, Protocol):
    """An engine whose models run on another server."""


class PrefixedEngine:
    """Passes all on to `engine`, whose models are called `name/…` here."""

    def __init__(self, engine: RemoteEngine, name: str):
        self._engine, self._prefix = engine, f"{name}/"

    async def models(self) -> Sequence[InstalledModel]:
        return [replace(model, id=self._prefix + model.id) for model in await self._engine.models()]

    async def sees(self, model_id: str) -> bool:
        return await self._engine.sees(model_id.removeprefix(self._prefix))

    def away(self) -> Sequence[str]:
        return self._engine.away()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Delta]:
        asked = replace(request, model_id=request.model_id.removeprefix(self._prefix))
        written = cast(AsyncGenerator[Delta, None], self._engine.generate(asked))
        async with aclosing(written) as deltas:
            async for delta in deltas:
                yield delta

    def queue(self) -> dict[str, int]:
        return self._engine.queue()

    async def close(self) -> None:
        await self._engine.close()
