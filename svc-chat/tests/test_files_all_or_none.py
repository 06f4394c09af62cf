"""Of the files that code made all are kept or none, though the run is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from servicekit.errors import NotReady
from servicekit.uninterrupted import uninterrupted
from svc_chat.domain.assistants.tools import ToolBox
from svc_chat.engine.tools_base import OutputFile


class Files:
    """Keeps files; one of them takes a while and is kept whoever leaves, and one cannot be removed."""

    def __init__(self, slow: str, stays: str = ""):
        self.kept: list[str] = []
        self.begun, self.go, self._slow, self._stays = asyncio.Event(), asyncio.Event(), slow, stays

    async def add(self, owner: str, content: bytes, name: str, purpose: str) -> Any:
        async def kept() -> Any:
            if name == self._slow:
                self.begun.set()
                await self.go.wait()
            self.kept.append(name)
            return SimpleNamespace(id=name)

        return await uninterrupted(kept())

    async def delete(self, owner: str, file_id: str, bearer: Any) -> None:
        if file_id == self._stays:
            raise NotReady("The index is away.")
        self.kept.remove(file_id)


@pytest.mark.parametrize(("stays", "left"), [("", []), ("one", ["one"])])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_run_that_is_cancelled_while_a_file_is_kept_leaves_none_that_can_be_removed(
    stays: str, left: list[str], times: int
) -> None:
    files: Any = Files("two", stays)
    run: Any = SimpleNamespace(stored=SimpleNamespace(owner="ana"), bearer={})
    made = [OutputFile(name, b"x") for name in ("one", "two", "three")]
    keeping = asyncio.create_task(ToolBox(files, None, None)._all_kept(run, made))
    async with asyncio.timeout(60):
        await files.begun.wait()
        for _ in range(times):
            keeping.cancel()
            await asyncio.sleep(0)
        files.go.set()
        with pytest.raises(asyncio.CancelledError):
            await keeping
    assert files.kept == left
