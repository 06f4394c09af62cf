"""When the service says that it is ready."""

from __future__ import annotations

import asyncio
from collections import Counter
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
    """An engine of this machine of which one call fails the first time, for a reason that nobody foresaw."""

    def __init__(self, failing: str) -> None:
        self.failing, self.calls = failing, Counter[str]()

    def called(self, name: str, fails_at: int) -> None:
        self.calls[name] += 1
        if name == self.failing and self.calls[name] == fails_at:
            raise OSError(24, "Too many open files")

    def queue(self) -> dict[str, int]:
        return {"running": 0, "waiting": 0}

    async def models(self) -> list[InstalledModel]:
        self.called("models", 2)  # the first time is in `watch` itself
        return [InstalledModel("m", "chat")]

    def handles(self) -> dict[str, Any]:
        return {"m": self}

    async def warm(self, model_id: str) -> None:
        self.called("warm", 1)


@pytest.mark.parametrize(("failing", "named"), [("warm", "m"), ("models", "models")])
async def test_what_fails_in_an_unforeseen_way_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, named: str
) -> None:
    monkeypatch.setattr(build, "FAILED_RETRY_S", 0.01)
    monkeypatch.setattr(build, "RESCAN_S", 0.01)
    readiness = Readiness("svc-chat")
    moody = Moody(failing)
    monkeypatch.setattr(readiness, "set", recorder := Recorder(readiness.set))
    engine = build.LocalAndRemote(cast(LlamaEngine, moody), [])
    loading = await build.watch(engine, readiness, Settings(data_dir=tmp_path, auth="off"))
    assert loading is not None
    await asyncio.wait_for(loading, 30)
    assert readiness.ready
    (failed,) = [told for told in recorder.told if told.get("status") == "not_ready"]
    assert failed["reason"] == f"{named} could not be loaded (OSError); the log says why"
