"""When the service says that it is ready."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from servicekit.health import Readiness
from servicekit.models import InstalledModel
from svc_chat import build
from svc_chat.engine.llama_engine import LlamaEngine
from svc_chat.settings import Settings


class Recorder:
    """Keeps what a function is told, and passes it on."""

    def __init__(self, passed_to: Any):
        self.passed_to = passed_to
        self.told: list[dict[str, Any]] = []

    def __call__(self, **told: Any) -> None:
        self.told.append(told)
        self.passed_to(**told)


class Moody:
    """An engine of this machine whose model cannot be loaded the first time, for a reason that nobody foresaw."""

    def __init__(self) -> None:
        self.tries = 0

    def queue(self) -> dict[str, int]:
        return {"running": 0, "waiting": 0}

    async def models(self) -> list[InstalledModel]:
        return [InstalledModel("m", "chat")]

    def handles(self) -> dict[str, Any]:
        return {"m": self}

    async def warm(self, model_id: str) -> None:
        self.tries += 1
        if self.tries == 1:
            raise OSError(24, "Too many open files")


async def test_a_default_model_that_fails_in_an_unforeseen_way_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "FAILED_RETRY_S", 0.01)
    readiness = Readiness("svc-chat")
    moody = Moody()
    monkeypatch.setattr(readiness, "set", recorder := Recorder(readiness.set))
    engine = build.LocalAndRemote(cast(LlamaEngine, moody), [])
    loading = await build.watch(engine, readiness, Settings(data_dir=tmp_path, auth="off"))
    assert loading is not None
    await asyncio.wait_for(loading, 30)
    assert moody.tries == 2 and readiness.ready
    (failed,) = [told for told in recorder.told if told.get("status") == "not_ready"]
    assert failed["reason"] == "m could not be loaded (OSError); the log says why"
